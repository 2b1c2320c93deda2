#include "mail/parts.h"

#include "mail/decode.h"

/* Evidence that a cut makes of honest mail: the end is missing. */
#define OF_A_CUT (PW_MIME_NO_END | PW_MIME_NO_PARTS)
#define OF_A_CUT_LEAF (PW_MIME_BROKEN_BASE64 | PW_MIME_BROKEN_QP)

static enum pw_status walk(struct pw_message *m, struct pw_mime *mime)
{
	struct pw_mime_span span;
	enum pw_status r;

	for (size_t i = 0; i < m->field_count; i++)
		if ((r = pw_mime_field(mime, m->fields[i].name, m->fields[i].value)) !=
		    PW_OK)
			return r;
	pw_mime_begin(mime, pw_buf_str(&m->body));
	while (pw_mime_next(mime, &span))
		;
	m->tree = pw_mime_parts(mime, &m->tree_count);
	m->mime_steps = pw_mime_steps(mime);
	return pw_mime_status(mime);
}

/* What a part shows; of what was cut off here, nothing is held against it. */
static uint32_t flags_of(const struct pw_message *m, const struct pw_mime_part *part)
{
	bool ends_message = m->body.len == 0 ||
	                    part->body.at + part->body.len == m->body.at + m->body.len;

	if (!m->is_body_cut || !ends_message)
		return part->flags;
	return part->flags & ~(uint32_t)(OF_A_CUT | OF_A_CUT_LEAF);
}

static bool is_in_alternative(const struct pw_message *m, const struct pw_mime_part *part)
{
	while (part->depth > 0) {
		part = &m->tree[part->parent];
		if (pw_str_eq(part->type, PW_STR("multipart/alternative")))
			return true;
	}
	return false;
}

/* A file name in UTF-8: RFC 2231 names its charset, others write encoded words. */
static enum pw_status decode_name(struct pw_message *m, const struct pw_mime_text *name,
                                  struct pw_str *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };

	if (name->charset.len > 0)
		pw_decode_charset(&b, name->charset, name->bytes);
	else
		pw_decode_words(&b, name->bytes, NULL);
	return pw_arena_copy(m->arena, pw_buf_str(&b), out);
}

static enum pw_status set_names(struct pw_message *m, struct pw_part *part,
                                const struct pw_mime_part *from)
{
	bool has_both = from->filename.bytes.len > 0 && from->name.bytes.len > 0;
	enum pw_status r;

	r = decode_name(m, from->filename.bytes.len > 0 ? &from->filename : &from->name,
	                &part->name);
	if (r != PW_OK || !has_both)
		return r;
	if ((r = decode_name(m, &from->name, &part->other_name)) != PW_OK)
		return r;
	if (pw_str_eq_nocase(part->name, part->other_name))
		part->other_name = (struct pw_str){ "", 0 };
	return PW_OK;
}

/* A multipart in which nothing is found is read as text, as mail programs show it. */
static enum pw_status add_leaf(struct pw_message *m, const struct pw_mime_part *from)
{
	struct pw_part *part = &m->parts[m->part_count++];
	bool is_multipart = pw_str_starts(from->type, PW_STR("multipart/"));

	*part = (struct pw_part){
		.type = is_multipart ? PW_STR("text/plain") : from->type,
		.charset = from->charset,
		.encoding = from->encoding_text,
		.body = from->body,
		.other_name = { "", 0 },
		.leaf = from,
		.flags = flags_of(m, from),
		.is_attachment = pw_str_eq(from->disposition, PW_STR("attachment")),
		.is_in_alternative = is_in_alternative(m, from),
		.is_ascii = !from->has_8bit,
	};
	return set_names(m, part, from);
}

static void note_tree(struct pw_message *m, const struct pw_mime_part *part)
{
	uint32_t flags = flags_of(m, part);

	m->mime_flags |= flags;
	if ((flags & (PW_MIME_BROKEN_TYPE | PW_MIME_NO_BOUNDARY | PW_MIME_NO_PARTS)) != 0)
		m->is_broken_mime = true;
	if ((flags & (PW_MIME_TOO_DEEP | PW_MIME_TOO_MANY)) != 0)
		m->is_too_deep = true;
	if (!pw_str_starts(part->type, PW_STR("multipart/")))
		return;
	m->has_multipart = true;
	if (pw_str_eq(part->type, PW_STR("multipart/alternative")))
		m->has_alternative = true;
}

enum pw_status pw_parts_read(struct pw_message *m)
{
	struct pw_mime *mime = NULL;
	enum pw_status r;

	if ((r = pw_mime_new(&mime, m->arena)) != PW_OK || (r = walk(m, mime)) != PW_OK)
		return r;
	for (size_t i = 0; i < m->tree_count; i++) {
		const struct pw_mime_part *part = &m->tree[i];

		note_tree(m, part);
		if (part->children > 0 || m->part_count == PW_MESSAGE_PARTS_MAX)
			continue;
		if ((r = add_leaf(m, part)) != PW_OK)
			return r;
	}
	return PW_OK;
}
