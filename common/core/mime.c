#include "core/mime.h"

#include <string.h>

#include "core/ascii.h"
#include "core/header.h"
#include "core/mime_body.h"

#define FIRST_PARTS 8
#define BOUNDARY_GOOD 70 /* RFC 2046 5.1.1 */

/* What the bytes at walk->at are. */
enum state {
	IN_HEADER,
	IN_PREAMBLE,
	IN_BODY,
	IN_EPILOGUE,
	IN_REST, /* behind the last part that is kept */
	AT_END
};

/* A container that is open: a multipart, or a message within the message (which has no
 * boundary). */
struct level {
	size_t part;
	struct pw_str boundary;
	bool is_closed; /* its final boundary was there */
};

/* A boundary line that was found and not yet given out. */
struct line {
	size_t at, end, level; /* at: with the line end before it */
	bool is_last, is_there;
};

struct pw_mime {
	struct pw_arena *arena;
	enum pw_status status;
	struct pw_str body;
	size_t at;
	enum state state;
	struct pw_mime_part *parts;
	size_t count, room, current;
	struct level levels[PW_MIME_DEPTH_MAX];
	size_t depth;
	struct line line;
	bool has_crlf, has_bare_lf;
	uint64_t steps;
};

static bool grow(struct pw_mime *w)
{
	size_t room = w->room == 0 ? FIRST_PARTS : w->room * 2;
	struct pw_mime_part *parts = pw_arena_array(w->arena, room, sizeof(*parts));

	if (parts == NULL) {
		w->status = PW_ERR_NOMEM;
		return false;
	}
	if (w->count > 0)
		memcpy(parts, w->parts, w->count * sizeof(*parts));
	w->parts = parts;
	w->room = room;
	return true;
}

/* A new part, current from now on; false if there is no room for it. */
static bool open_part(struct pw_mime *w, size_t parent, size_t depth)
{
	const struct pw_str none = { "", 0 };
	bool is_digest = false;

	if (w->count == PW_MIME_PARTS_MAX) {
		w->parts[parent].flags |= PW_MIME_TOO_MANY;
		return false;
	}
	if (w->count == w->room && !grow(w))
		return false;
	if (w->count > 0) {
		w->parts[parent].children++;
		is_digest = pw_str_eq(w->parts[parent].type, PW_STR("multipart/digest"));
	}
	w->current = w->count++;
	w->parts[w->current] = (struct pw_mime_part){
		.parent = parent,
		.depth = depth,
		.type = is_digest ? PW_STR("message/rfc822") : PW_STR("text/plain"),
		.disposition = none,
		.charset = none,
		.boundary = none,
		.encoding_text = none,
		.name = { none, none },
		.filename = { none, none },
		.body = pw_str_sub(w->body, w->at, 0),
	};
	return true;
}

enum pw_status pw_mime_new(struct pw_mime **out, struct pw_arena *arena)
{
	struct pw_mime *w = pw_arena_alloc(arena, sizeof(*w));

	if (w == NULL)
		return PW_ERR_NOMEM;
	w->arena = arena;
	w->state = AT_END;
	if (!open_part(w, 0, 0))
		return PW_ERR_NOMEM;
	*out = w;
	return PW_OK;
}

static uint32_t value_flags(const struct pw_mime_value *v)
{
	return (v->is_broken ? PW_MIME_BROKEN_VALUE : 0u) |
	       (v->is_broken_pieces ? PW_MIME_BROKEN_PIECES : 0u) |
	       (v->is_twice ? PW_MIME_TWICE : 0u) |
	       (v->is_long ? PW_MIME_LONG_HEADER : 0u);
}

static void set_type(struct pw_mime_part *part, const struct pw_mime_value *v)
{
	part->has_type = true;
	part->type = v->type.len > 0 ? v->type : PW_STR("text/plain");
	part->flags |= v->type.len > 0 ? 0u : PW_MIME_BROKEN_TYPE;
	part->charset = v->parameters[PW_MIME_CHARSET].bytes;
	part->boundary = v->parameters[PW_MIME_BOUNDARY].bytes;
	part->name = v->parameters[PW_MIME_NAME];
}

/* Content-Disposition: some write name= there. */
static void set_disposition(struct pw_mime_part *part, const struct pw_mime_value *v)
{
	part->has_disposition = true;
	part->disposition = v->type;
	part->filename = v->parameters[PW_MIME_FILENAME];
	if (part->filename.bytes.len == 0)
		part->filename = v->parameters[PW_MIME_NAME];
}

static enum pw_mime_encoding find_encoding(struct pw_str text)
{
	static const struct {
		const char *name;
		enum pw_mime_encoding encoding;
	} encodings[] = {
		{ "7bit", PW_MIME_7BIT },     { "8bit", PW_MIME_8BIT },
		{ "binary", PW_MIME_BINARY }, { "quoted-printable", PW_MIME_QP },
		{ "base64", PW_MIME_BASE64 }, { "x-uuencode", PW_MIME_UU },
		{ "uuencode", PW_MIME_UU },   { "x-uue", PW_MIME_UU },
		{ "uue", PW_MIME_UU },
	};

	for (size_t i = 0; i < PW_LEN(encodings); i++)
		if (pw_str_eq(text, pw_str_from(encodings[i].name)))
			return encodings[i].encoding;
	return PW_MIME_OTHER;
}

static void set_encoding(struct pw_mime_part *part, const struct pw_mime_value *v)
{
	part->has_encoding = true;
	part->encoding_text = v->type;
	part->encoding = find_encoding(v->type);
	if (part->encoding == PW_MIME_OTHER)
		part->flags |= PW_MIME_BAD_ENCODING;
}

/* A value that counts: the first of its name. */
static enum pw_status
read_value(struct pw_mime *w, struct pw_str value, bool has_subtype, bool is_first,
           void (*set)(struct pw_mime_part *part, const struct pw_mime_value *v))
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_mime_part *part = &w->parts[w->current];
	struct pw_mime_value v;
	enum pw_status r;

	if (!is_first) {
		part->flags |= PW_MIME_TWICE;
		return PW_OK;
	}
	pw_header_unfold(&text, pw_str_sub(value, 0, PW_MIME_VALUE_MAX * 2));
	if ((r = pw_buf_status(&text)) != PW_OK ||
	    (r = pw_mime_value_parse(&v, w->arena, pw_buf_str(&text), has_subtype)) !=
	            PW_OK)
		return r;
	part->flags |= value_flags(&v);
	set(part, &v);
	return PW_OK;
}

static enum pw_status read_field(struct pw_mime *w, struct pw_str name,
                                 struct pw_str value)
{
	const struct pw_mime_part *part = &w->parts[w->current];

	if (!pw_str_starts_nocase(name, PW_STR("content-")))
		return PW_OK;
	if (pw_str_eq_nocase(name, PW_STR("content-type")))
		return read_value(w, value, true, !part->has_type, set_type);
	if (pw_str_eq_nocase(name, PW_STR("content-disposition")))
		return read_value(w, value, false, !part->has_disposition,
		                  set_disposition);
	if (pw_str_eq_nocase(name, PW_STR("content-transfer-encoding")))
		return read_value(w, value, false, !part->has_encoding, set_encoding);
	return PW_OK;
}

enum pw_status pw_mime_field(struct pw_mime *w, struct pw_str name, struct pw_str value)
{
	return read_field(w, name, value);
}

static bool has_word(const struct pw_mime_text *name)
{
	return name->charset.len == 0 && pw_str_contains(name->bytes, PW_STR("=?"));
}

/* The header is complete: what it says of names. */
static void judge_names(struct pw_mime_part *part)
{
	const struct pw_mime_text *a = &part->name, *b = &part->filename;

	if (has_word(a) || has_word(b))
		part->flags |= PW_MIME_ENCODED_NAME;
	else if (a->bytes.len > 0 && b->bytes.len > 0 &&
	         a->charset.len == b->charset.len &&
	         !pw_str_eq_nocase(a->bytes, b->bytes))
		part->flags |= PW_MIME_NAMES_DIFFER;
}

static void push_level(struct pw_mime *w, struct pw_str boundary)
{
	w->levels[w->depth++] =
		(struct level){ .part = w->current,
		                .boundary =
		                        pw_str_sub(boundary, 0, PW_MIME_BOUNDARY_MAX) };
	w->parts[w->current].is_container = true;
}

static void enter_multipart(struct pw_mime *w, struct pw_mime_part *part)
{
	w->state = IN_BODY;
	if (part->encoding == PW_MIME_QP || part->encoding == PW_MIME_BASE64)
		part->flags |=
			PW_MIME_ENCODED_TREE; /* walked as it stands: RFC 2045 6.4 */
	if (part->boundary.len == 0) {
		part->flags |= PW_MIME_NO_BOUNDARY;
		return;
	}
	if (part->boundary.len > BOUNDARY_GOOD)
		part->flags |= PW_MIME_LONG_BOUNDARY;
	if (w->depth == PW_MIME_DEPTH_MAX) {
		part->flags |= PW_MIME_TOO_DEEP;
		return;
	}
	push_level(w, part->boundary);
	w->state = IN_PREAMBLE;
}

static void enter_message(struct pw_mime *w, struct pw_mime_part *part)
{
	w->state = IN_BODY;
	if (part->encoding == PW_MIME_QP || part->encoding == PW_MIME_BASE64) {
		part->flags |=
			PW_MIME_ENCODED_TREE; /* a leaf: RFC 2046 5.2.1 forbids it */
		return;
	}
	if (w->depth == PW_MIME_DEPTH_MAX) {
		part->flags |= PW_MIME_TOO_DEEP;
		return;
	}
	part->is_message = true;
	push_level(w, (struct pw_str){ "", 0 });
	w->state = open_part(w, w->current, part->depth + 1) ? IN_HEADER : IN_REST;
}

/* Behind the header of the current part. */
static void enter_body(struct pw_mime *w)
{
	struct pw_mime_part *part = &w->parts[w->current];

	judge_names(part);
	part->body = pw_str_sub(w->body, w->at, 0);
	w->state = IN_BODY;
	if (pw_str_starts(part->type, PW_STR("multipart/")))
		enter_multipart(w, part);
	else if (pw_str_eq(part->type, PW_STR("message/rfc822")) ||
	         pw_str_eq(part->type, PW_STR("message/global")))
		enter_message(w, part);
	else if (pw_str_eq(part->type, PW_STR("message/partial")))
		part->flags |= PW_MIME_PARTIAL;
	else if (pw_str_eq(part->type, PW_STR("message/external-body")))
		part->flags |= PW_MIME_EXTERNAL;
}

void pw_mime_begin(struct pw_mime *w, struct pw_str body)
{
	w->body = body.at != NULL ? body : (struct pw_str){ "", 0 };
	enter_body(w);
}

/* Bytes of the line at, its end included. */
static size_t line_end(struct pw_mime *w, size_t at)
{
	struct pw_str rest = pw_str_sub(w->body, at, w->body.len);
	size_t n = pw_str_find(rest, '\n');

	n += n < rest.len ? 1 : 0;
	w->steps += n;
	return at + n;
}

static struct pw_str without_end(struct pw_str s)
{
	if (s.len > 0 && s.at[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.at[s.len - 1] == '\r')
		s.len--;
	return s;
}

/* Is what follows a boundary on its line the line's end? RFC 2046 5.1.1 allows blanks. */
static bool ends_boundary(struct pw_str rest, bool is_cut, bool *is_last)
{
	*is_last = pw_str_starts(rest, PW_STR("--"));
	return *is_last || is_cut || rest.len == 0 || (unsigned char)rest.at[0] <= ' ';
}

/* Is the line a boundary of an open multipart? The innermost counts. */
static bool match_line(struct pw_mime *w, struct pw_str line, size_t *level,
                       bool *is_last)
{
	struct pw_mime_part *alike = NULL;

	line = without_end(line);
	if (!pw_str_starts(line, PW_STR("--")))
		return false;
	line = pw_str_sub(line, 2, line.len);
	for (size_t i = w->depth; i-- > 0;) {
		const struct level *l = &w->levels[i];
		bool is_cut = l->boundary.len == PW_MIME_BOUNDARY_MAX;

		w->steps++;
		if (l->boundary.len == 0 || l->boundary.len > line.len)
			continue;
		w->steps += l->boundary.len;
		if (!pw_str_starts(line, l->boundary))
			continue;
		*level = i;
		if (!ends_boundary(pw_str_sub(line, l->boundary.len, line.len), is_cut,
		                   is_last))
			alike = &w->parts[l->part];
		else if (l->is_closed)
			w->parts[l->part].flags |= PW_MIME_AFTER_END;
		else
			return true;
	}
	if (alike != NULL)
		alike->flags |= PW_MIME_LOOK_ALIKE;
	return false;
}

/* If the line at..end is a boundary it is kept for later. */
static bool take_line(struct pw_mime *w, size_t at, size_t end)
{
	struct line *line = &w->line;

	if (!match_line(w, pw_str_sub(w->body, at, end - at), &line->level,
	                &line->is_last))
		return false;
	line->at = at;
	line->end = end;
	line->is_there = true;
	return true;
}

/* Find the next boundary line; returns where the bytes before it end. */
static size_t find_line(struct pw_mime *w)
{
	size_t from = w->at;

	for (size_t end; from < w->body.len; from = end) {
		end = line_end(w, from);
		if (!take_line(w, from, end))
			continue;
		if (from > w->at && w->body.at[from - 1] == '\n')
			from--;
		if (from > w->at && w->body.at[from - 1] == '\r')
			from--;
		w->line.at = from;
		return from;
	}
	return w->body.len;
}

static size_t field_end(struct pw_mime *w, size_t end)
{
	while (end < w->body.len && pw_is_wsp(w->body.at[end]))
		end = line_end(w, end);
	return end;
}

/* The field whose first line is at..end: returns where the next one begins; at, if it is
 * no field. */
static size_t take_field(struct pw_mime *w, size_t start, size_t at, size_t end)
{
	struct pw_str line = pw_str_sub(w->body, at, end - at);
	size_t colon = pw_str_find(line, ':');
	struct pw_str name = pw_str_trim_wsp(pw_str_sub(line, 0, colon));

	if (at == start && w->parts[w->parts[w->current].parent].is_message &&
	    (pw_str_starts(line, PW_STR("From ")) ||
	     pw_str_starts(line, PW_STR(">From "))))
		return end; /* of an mbox: mailers attach messages with it */
	if (colon == line.len || !pw_header_name_is_valid(name))
		return at;
	end = field_end(w, end);
	if (end - start > PW_MIME_HEADER_MAX) {
		w->parts[w->current].flags |= PW_MIME_LONG_HEADER;
		return end;
	}
	w->status = read_field(
		w, name,
		without_end(pw_str_sub(w->body, at + colon + 1, end - at - colon - 1)));
	return end;
}

/* Read the header of the current part; returns where its body begins. */
static size_t read_header(struct pw_mime *w)
{
	size_t at = w->at;

	while (at < w->body.len && w->status == PW_OK) {
		size_t end = line_end(w, at), next;

		if (without_end(pw_str_sub(w->body, at, end - at)).len == 0)
			return end;
		if (take_line(w, at, end))
			return at; /* RFC 2046 5.1: no body, no empty line */
		next = take_field(w, w->at, at, end);
		if (next == at) {
			w->parts[w->current].flags |= PW_MIME_NO_EMPTY_LINE;
			return at;
		}
		at = next;
	}
	return at;
}

static void close_part(struct pw_mime *w, size_t index, size_t end)
{
	struct pw_str *body = &w->parts[index].body;

	body->len = end - (size_t)(body->at - w->body.at);
}

/* Leave all levels above keep; end is where their bytes end. */
static void close_levels(struct pw_mime *w, size_t keep, size_t end)
{
	if (!w->parts[w->current].is_container)
		close_part(w, w->current, end);
	while (w->depth > keep) {
		const struct level *level = &w->levels[--w->depth];
		struct pw_mime_part *part = &w->parts[level->part];

		close_part(w, level->part, end);
		if (level->boundary.len == 0)
			continue;
		if (part->children == 0)
			part->flags |= PW_MIME_NO_PARTS;
		else if (!level->is_closed)
			part->flags |= PW_MIME_NO_END;
	}
}

/* Behind a boundary line: the next part, or the end of the multipart. */
static void enter_line(struct pw_mime *w)
{
	struct level *level = &w->levels[w->line.level];

	w->line.is_there = false;
	if (w->line.is_last) {
		level->is_closed = true;
		w->state = IN_EPILOGUE;
	} else {
		w->state = open_part(w, level->part, w->parts[level->part].depth + 1)
		                   ? IN_HEADER
		                   : IN_REST;
	}
}

/* Note what the bytes of a span show. */
static void look(struct pw_mime *w, const struct pw_mime_span *span)
{
	struct pw_mime_part *part = &w->parts[span->part];
	bool is_leaf = span->kind == PW_MIME_BODY && !part->is_container;
	enum pw_mime_encoding encoding = is_leaf ? part->encoding : PW_MIME_8BIT;
	struct pw_mime_bytes bytes;

	pw_mime_bytes_scan(&bytes, encoding, pw_str_sub(w->body, span->at, span->len));
	w->steps += span->len;
	w->has_crlf = w->has_crlf || bytes.has_crlf;
	w->has_bare_lf = w->has_bare_lf || bytes.has_bare_lf;
	part->flags |= (bytes.has_nul ? PW_MIME_NUL : 0u) |
	               (bytes.has_bare_cr ? PW_MIME_BARE_CR : 0u) |
	               (bytes.has_bare_lf && bytes.has_crlf ? PW_MIME_BARE_LF : 0u);
	if (!is_leaf)
		return;
	part->decoded_len = bytes.decoded_len;
	part->has_8bit = bytes.has_8bit;
	if (encoding == PW_MIME_7BIT && bytes.has_8bit)
		part->flags |= PW_MIME_EIGHT_BIT;
	if (encoding == PW_MIME_BASE64 && bytes.is_broken)
		part->flags |= PW_MIME_BROKEN_BASE64;
	if (encoding == PW_MIME_QP && (bytes.is_broken || bytes.has_8bit))
		part->flags |= PW_MIME_BROKEN_QP;
}

/* Take the bytes up to end; false when there are none. */
static bool give(struct pw_mime *w, struct pw_mime_span *out, enum pw_mime_kind kind,
                 size_t end)
{
	*out = (struct pw_mime_span){ kind, w->current, w->at, end - w->at };
	w->at = end;
	if (out->len == 0)
		return false;
	look(w, out);
	return true;
}

static void finish(struct pw_mime *w)
{
	close_levels(w, 0, w->body.len);
	w->state = AT_END;
	if (w->has_crlf && w->has_bare_lf)
		w->parts[0].flags |= PW_MIME_BARE_LF;
}

/* One step; true if it gave a span. */
static bool step(struct pw_mime *w, struct pw_mime_span *out)
{
	static const enum pw_mime_kind kinds[] = { [IN_HEADER] = PW_MIME_HEADER,
		                                   [IN_PREAMBLE] = PW_MIME_PREAMBLE,
		                                   [IN_BODY] = PW_MIME_BODY,
		                                   [IN_EPILOGUE] = PW_MIME_EPILOGUE,
		                                   [IN_REST] = PW_MIME_BODY };
	bool given;

	if (w->line.is_there) {
		close_levels(w, w->line.level + 1, w->line.at);
		w->current = w->levels[w->line.level].part;
		given = give(w, out, PW_MIME_BOUNDARY_LINE, w->line.end);
		enter_line(w);
		return given;
	}
	if (w->state == IN_HEADER) {
		given = give(w, out, PW_MIME_HEADER, read_header(w));
		enter_body(w);
		return given;
	}
	given = give(w, out, kinds[w->state],
	             w->state == IN_REST ? w->body.len : find_line(w));
	if (!w->line.is_there)
		finish(w);
	return given;
}

bool pw_mime_next(struct pw_mime *w, struct pw_mime_span *out)
{
	while (w->state != AT_END && w->status == PW_OK)
		if (step(w, out))
			return w->status == PW_OK;
	return false;
}

enum pw_status pw_mime_status(const struct pw_mime *w)
{
	return w->status;
}

const struct pw_mime_part *pw_mime_parts(const struct pw_mime *w, size_t *count)
{
	*count = w->count;
	return w->parts;
}

uint32_t pw_mime_flags(const struct pw_mime *w)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < w->count; i++)
		flags |= w->parts[i].flags;
	return flags;
}

uint64_t pw_mime_steps(const struct pw_mime *w)
{
	return w->steps;
}

const char *pw_mime_flag_text(enum pw_mime_flag_bit bit)
{
	static const char *const texts[] = {
#define PW_MIME_FLAG(name, text) text,
#include "core/mime_flags.def"
	};

	return (size_t)bit < PW_LEN(texts) ? texts[bit] : "";
}
