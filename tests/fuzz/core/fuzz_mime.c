/* Properties: the spans, in order, cover the body without gap or overlap; each belongs to
 * a part that is there; parents come before their children; a leaf's body is what its
 * body span says; parts, depth and work have their bounds; what decoding would give is no
 * more than what there was. */
#include <stdlib.h>

#include "core/header.h"
#include "core/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void check_span(const struct pw_mime *walk, const struct pw_mime_span *span,
                       struct pw_str body, size_t at)
{
	size_t count;
	const struct pw_mime_part *parts = pw_mime_parts(walk, &count);
	const struct pw_mime_part *part = &parts[span->part];

	must(span->at == at && span->len > 0 && span->len <= body.len - at);
	must(span->part < count);
	must(span->kind == PW_MIME_HEADER || part->body.at >= body.at);
	if (span->kind == PW_MIME_BODY && !part->is_container)
		must(part->body.at == body.at + at && part->decoded_len <= span->len);
	if (span->kind != PW_MIME_BODY && span->kind != PW_MIME_HEADER)
		must(part->is_container);
}

static void check_parts(const struct pw_mime *walk, struct pw_str body)
{
	size_t count;
	const struct pw_mime_part *parts = pw_mime_parts(walk, &count);

	must(count >= 1 && count <= PW_MIME_PARTS_MAX);
	for (size_t i = 0; i < count; i++) {
		const struct pw_mime_part *part = &parts[i];

		must(i == 0 || (part->parent < i && parts[part->parent].is_container));
		must(i == 0 || part->depth == parts[part->parent].depth + 1);
		must(part->depth <= PW_MIME_DEPTH_MAX && part->type.len > 0);
		must(part->body.at >= body.at);
		must((size_t)(part->body.at - body.at) + part->body.len <= body.len);
		must(part->children == 0 || part->is_container);
		must(part->flags >> PW_MIME_BITS == 0);
	}
	must(parts[0].body.len == body.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pw_arena *arena;
	struct pw_str body = { (const char *)data, size };
	struct pw_mime_span span;
	struct pw_header field;
	struct pw_mime *walk;
	size_t at = 0;

	if (arena == NULL)
		must(pw_arena_new(&arena, 0) == PW_OK);
	pw_arena_reset(arena);
	must(pw_mime_new(&walk, arena) == PW_OK);
	while (pw_header_next(&body, &field))
		must(pw_mime_field(walk, field.name, field.value) == PW_OK);
	pw_mime_begin(walk, body);
	for (; pw_mime_next(walk, &span); at += span.len)
		check_span(walk, &span, body, at);
	must(pw_mime_status(walk) == PW_OK && at == body.len);
	check_parts(walk, body);
	must(pw_mime_steps(walk) <= (uint64_t)(body.len + 1) * (PW_MIME_DEPTH_MAX + 4));
	return 0;
}
