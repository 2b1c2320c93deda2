#include "mail/parts.h"

#include "mail/decode.h"

#define ENCODED_MAX 10 /* messages encoded as a whole that are looked into */

/* Evidence that a cut makes of honest mail: the end is missing. */
#define OF_A_CUT (PW_MIME_NO_END | PW_MIME_NO_PARTS)
#define OF_A_CUT_LEAF (PW_MIME_BROKEN_BASE64 | PW_MIME_BROKEN_QP)

/* Walk to the end. */
static enum pw_status walk_body(struct pw_message *m, struct pw_mime *mime,
                                struct pw_str body)
{
	struct pw_mime_span span;

	pw_mime_begin(mime, body);
	while (pw_mime_next(mime, &span))
		;
	m->mime_steps += pw_mime_steps(mime);
	return pw_mime_status(mime);
}

static enum pw_status walk(struct pw_message *m, struct pw_mime *mime)
{
	enum pw_status r;

	for (size_t i = 0; i < m->field_count; i++)
		if ((r = pw_mime_field(mime, m->fields[i].name, m->fields[i].value)) !=
		    PW_OK)
			return r;
	r = walk_body(m, mime, pw_buf_str(&m->body));
	m->tree = pw_mime_parts(mime, &m->tree_count);
	return r;
}

/* A message that is a leaf because it is encoded as a whole. RFC 2046 5.2.1 forbids it,
 * mail programs show it. */
static bool is_encoded_message(const struct pw_message *m,
                               const struct pw_mime_part *part)
{
	bool is_cut = m->is_body_cut &&
	              part->body.at + part->body.len == m->body.at + m->body.len;

	return (part->flags & PW_MIME_ENCODED_TREE) != 0 && part->children == 0 &&
	       pw_str_starts(part->type, PW_STR("message/")) && part->body.len > 0 &&
	       !is_cut;
}

static enum pw_status decode_part(struct pw_message *m, const struct pw_mime_part *part,
                                  struct pw_str *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf bytes = { 0 };

	if (part->encoding == PW_MIME_BASE64)
		pw_decode_base64(&bytes, part->body);
	else
		pw_decode_qp(&bytes, part->body, false);
	return pw_arena_copy(m->arena, pw_buf_str(&bytes), out);
}

/* The parts of the message that an encoded leaf is. */
static enum pw_status walk_encoded(struct pw_message *m, const struct pw_mime_part *part,
                                   const struct pw_mime_part **parts, size_t *count)
{
	struct pw_mime *mime = NULL;
	struct pw_header field;
	struct pw_str text;
	enum pw_status r;

	if ((r = decode_part(m, part, &text)) != PW_OK ||
	    (r = pw_mime_new(&mime, m->arena)) != PW_OK)
		return r;
	while (pw_header_next(&text, &field))
		if ((r = pw_mime_field(mime, field.name, field.value)) != PW_OK)
			return r;
	r = walk_body(m, mime, text);
	*parts = pw_mime_parts(mime, count);
	return r;
}

/* Hang parts below the last one of tree; what is behind PW_MIME_PARTS_MAX, is left out.
 */
static void hang(struct pw_mime_part *tree, size_t *count,
                 const struct pw_mime_part *parts, size_t n)
{
	size_t leaf = *count - 1, base = *count;

	tree[leaf].is_container = tree[leaf].is_message = true;
	tree[leaf].children = 1;
	for (size_t i = 0; i < n && *count < PW_MIME_PARTS_MAX; i++) {
		struct pw_mime_part *part = &tree[(*count)++];

		*part = parts[i];
		part->parent = i == 0 ? leaf : base + parts[i].parent;
		part->depth += tree[leaf].depth + 1;
	}
	if (*count < base + n)
		tree[leaf].flags |= PW_MIME_TOO_MANY;
}

/* Messages that were encoded as a whole take the place of their leaves: one deep, what is
 * encoded within them stays a leaf. */
static enum pw_status walk_all_encoded(struct pw_message *m)
{
	struct pw_mime_part *tree;
	size_t count = 0, found = 0, looked = 0, to[PW_MIME_PARTS_MAX];
	enum pw_status r;

	for (size_t i = 0; i < m->tree_count; i++)
		found += is_encoded_message(m, &m->tree[i]);
	if (found == 0)
		return PW_OK;
	if ((tree = pw_arena_array(m->arena, PW_MIME_PARTS_MAX, sizeof(*tree))) == NULL)
		return PW_ERR_NOMEM;
	for (size_t i = 0; i < m->tree_count && count < PW_MIME_PARTS_MAX; i++) {
		const struct pw_mime_part *parts = NULL;
		size_t n = 0;

		to[i] = count;
		tree[count] = m->tree[i];
		tree[count++].parent = to[m->tree[i].parent];
		if (!is_encoded_message(m, &m->tree[i]) || count == PW_MIME_PARTS_MAX ||
		    looked++ >= ENCODED_MAX)
			continue;
		if ((r = walk_encoded(m, &m->tree[i], &parts, &n)) != PW_OK)
			return r;
		hang(tree, &count, parts, n);
	}
	m->tree = tree;
	m->tree_count = count;
	return PW_OK;
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

	if ((r = pw_mime_new(&mime, m->arena)) != PW_OK || (r = walk(m, mime)) != PW_OK ||
	    (r = walk_all_encoded(m)) != PW_OK)
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
