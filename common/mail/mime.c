#include "mail/mime.h"

#include <string.h>

#include "core/ascii.h"

#define BOUNDARY_MAX 200

/* The fields of an entity that matter. */
struct entity {
	struct pw_ctype type, disposition;
	struct pw_str encoding;
	bool has_type, is_in_alternative;
	bool is_digest;
};

/* Next parameter "name=value", value with or without quotes. False at the end. */
static bool next_parameter(struct pw_str *rest, struct pw_str *name, struct pw_str *value)
{
	size_t i = 0, start;

	while (i < rest->len && (rest->at[i] == ';' || (unsigned char)rest->at[i] <= ' '))
		i++;
	start = i;
	while (i < rest->len && rest->at[i] != '=' && rest->at[i] != ';')
		i++;
	*name = pw_str_trim(pw_str_sub(*rest, start, i - start));
	*value = (struct pw_str){ "", 0 };
	if (i < rest->len && rest->at[i] == '=') {
		i++;
		while (i < rest->len && pw_is_wsp(rest->at[i]))
			i++;
		start = i;
		if (i < rest->len && rest->at[i] == '"') {
			for (i = ++start; i < rest->len && rest->at[i] != '"'; i++)
				;
			*value = pw_str_sub(*rest, start, i - start);
			i++;
		} else {
			while (i < rest->len && rest->at[i] != ';')
				i++;
			*value = pw_str_trim(pw_str_sub(*rest, start, i - start));
		}
	}
	if (name->len == 0 && i >= rest->len)
		return false;
	*rest = pw_str_sub(*rest, i, rest->len);
	return true;
}

/* A file name: encoded words (as mailers write against the RFC) and the %-form of RFC
 * 2231 are undone. */
static enum pw_status decode_name(struct pw_arena *arena, struct pw_str raw, bool is_2231,
                                  struct pw_str *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };
	size_t quote = pw_str_find(raw, '\'');

	if (!is_2231) {
		pw_decode_words(&b, raw, NULL);
		return pw_arena_copy(arena, pw_buf_str(&b), out);
	}
	raw = pw_str_sub(raw, quote < raw.len ? quote + 1 : 0, raw.len);
	quote = pw_str_find(raw, '\'');
	raw = pw_str_sub(raw, quote < raw.len ? quote + 1 : 0, raw.len);
	for (size_t i = 0; i < raw.len; i++) {
		if (raw.at[i] == '%' && i + 2 < raw.len &&
		    pw_hex_value(raw.at[i + 1]) >= 0 &&
		    pw_hex_value(raw.at[i + 2]) >= 0) {
			pw_buf_putc(&b, (char)(pw_hex_value(raw.at[i + 1]) * 16 +
			                       pw_hex_value(raw.at[i + 2])));
			i += 2;
		} else {
			pw_buf_putc(&b, raw.at[i]);
		}
	}
	return pw_arena_copy(arena, pw_buf_str(&b), out);
}

static bool is_type_text(struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!pw_is_alnum(s.at[i]) && memchr("/-+._", s.at[i], 5) == NULL)
			return false;
	return s.len > 0;
}

enum pw_status pw_ctype_parse(struct pw_ctype *out, struct pw_arena *arena,
                              struct pw_str text)
{
	struct pw_str rest = text, name, value;
	struct pw_str head = pw_str_trim(pw_str_cut(&rest, ';'));
	enum pw_status r;

	*out = (struct pw_ctype){ .value = { "", 0 } };
	if (is_type_text(head) &&
	    (r = pw_arena_copy_lower(arena, head, &out->value)) != PW_OK)
		return r;
	while (rest.at != NULL && next_parameter(&rest, &name, &value)) {
		bool is_2231 = name.len > 0 && name.at[name.len - 1] == '*';

		if (pw_str_eq_nocase(name, PW_STR("boundary"))) {
			out->boundary = pw_str_sub(value, 0, BOUNDARY_MAX);
		} else if (pw_str_eq_nocase(name, PW_STR("charset"))) {
			out->charset = value;
		} else if (pw_str_starts_nocase(name, PW_STR("name")) ||
		           pw_str_starts_nocase(name, PW_STR("filename"))) {
			if (out->name.len == 0 &&
			    (r = decode_name(arena, value, is_2231, &out->name)) != PW_OK)
				return r;
		}
	}
	return PW_OK;
}

static enum pw_status read_field(struct entity *e, struct pw_message *m,
                                 struct pw_str name, struct pw_str text)
{
	if (pw_str_eq_nocase(name, PW_STR("content-type"))) {
		e->has_type = true;
		return pw_ctype_parse(&e->type, m->arena, text);
	}
	if (pw_str_eq_nocase(name, PW_STR("content-disposition")))
		return pw_ctype_parse(&e->disposition, m->arena, text);
	if (pw_str_eq_nocase(name, PW_STR("content-transfer-encoding")))
		return pw_arena_copy_lower(m->arena, pw_str_trim(text), &e->encoding);
	return PW_OK;
}

/* The fields of an inner entity; *body is left behind them. */
static enum pw_status read_inner_fields(struct entity *e, struct pw_message *m,
                                        struct pw_str *body)
{
	struct pw_header header;
	enum pw_status r;

	while (pw_header_next(body, &header)) {
		PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };
		struct pw_str text;

		if (!pw_str_starts_nocase(header.name, PW_STR("content-")))
			continue;
		pw_header_unfold(&b, header.value);
		if ((r = pw_arena_copy(m->arena, pw_buf_str(&b), &text)) != PW_OK ||
		    (r = read_field(e, m, header.name, text)) != PW_OK)
			return r;
	}
	return PW_OK;
}

static bool is_seven_bit(struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] >= 0x80)
			return false;
	return true;
}

static void add_leaf(struct pw_message *m, const struct entity *e, struct pw_str body)
{
	struct pw_part *part;

	if (m->part_count == PW_MESSAGE_PARTS_MAX)
		return;
	part = &m->parts[m->part_count++];
	*part = (struct pw_part){
		.type = e->type.value.len > 0 ? e->type.value : PW_STR("text/plain"),
		.charset = e->type.charset,
		.name = e->disposition.name.len > 0 ? e->disposition.name : e->type.name,
		.encoding = e->encoding,
		.body = body,
		.is_attachment = pw_str_eq(e->disposition.value, PW_STR("attachment")),
		.is_in_alternative = e->is_in_alternative,
		.is_ascii = is_seven_bit(body),
	};
	if (e->has_type && (e->type.value.len == 0 ||
	                    pw_str_find(e->type.value, '/') == e->type.value.len))
		m->is_broken_mime = true;
}

/* Is the line at s "--boundary" or "--boundary--"? */
static bool is_delimiter(struct pw_str s, struct pw_str boundary, bool *is_last)
{
	if (s.len < boundary.len + 2 || s.at[0] != '-' || s.at[1] != '-' ||
	    memcmp(s.at + 2, boundary.at, boundary.len) != 0)
		return false;
	s = pw_str_sub(s, boundary.len + 2, s.len);
	*is_last = pw_str_starts(s, PW_STR("--"));
	return *is_last || s.len == 0 || (unsigned char)s.at[0] <= ' ';
}

/* Next piece of a multipart body; *rest starts at a line. False when there is none. */
static bool next_piece(struct pw_str *rest, struct pw_str boundary, struct pw_str *piece,
                       bool *is_last)
{
	size_t start = rest->len, at = 0;
	bool found_start = false;

	*is_last = false;
	while (at < rest->len) {
		struct pw_str line = pw_str_sub(*rest, at, rest->len);
		size_t end = pw_str_find(line, '\n');

		end = end < line.len ? end + 1 : line.len;
		if (is_delimiter(line, boundary, is_last)) {
			if (found_start) {
				*piece = pw_str_sub(*rest, start, at - start);
				*rest = line;
				return true;
			}
			if (*is_last)
				return false;
			found_start = true;
			start = at + end;
		}
		at += end;
	}
	if (!found_start)
		return false;
	*piece = pw_str_sub(*rest, start, rest->len);
	rest->len = 0;
	return true;
}

static enum pw_status walk(struct pw_message *m, const struct entity *e,
                           struct pw_str body, int depth);

static enum pw_status walk_inner(struct pw_message *m, const struct entity *outer,
                                 struct pw_str body, int depth)
{
	struct entity e = { .is_in_alternative = outer->is_in_alternative };
	enum pw_status r;

	if (pw_str_eq(outer->type.value, PW_STR("multipart/alternative")))
		e.is_in_alternative = true;
	if ((r = read_inner_fields(&e, m, &body)) != PW_OK)
		return r;
	return walk(m, &e, body, depth + 1);
}

static enum pw_status walk(struct pw_message *m, const struct entity *e,
                           struct pw_str body, int depth)
{
	struct pw_str piece;
	bool is_last = false, found = false;
	enum pw_status r;

	if (depth > PW_MESSAGE_DEPTH_MAX) {
		m->is_too_deep = true;
		return PW_OK;
	}
	if (pw_str_eq(e->type.value, PW_STR("message/rfc822")))
		return walk_inner(m, e, body, depth);
	if (!pw_str_starts(e->type.value, PW_STR("multipart/"))) {
		add_leaf(m, e, body);
		return PW_OK;
	}
	m->has_multipart = true;
	if (pw_str_eq(e->type.value, PW_STR("multipart/alternative")))
		m->has_alternative = true;
	while (!is_last && e->type.boundary.len > 0 &&
	       next_piece(&body, e->type.boundary, &piece, &is_last)) {
		found = true;
		if ((r = walk_inner(m, e, piece, depth)) != PW_OK)
			return r;
	}
	if (!found) {
		m->is_broken_mime = true;
		add_leaf(m, e, body);
	}
	return PW_OK;
}

enum pw_status pw_mime_walk(struct pw_message *m)
{
	struct entity e = { 0 };
	enum pw_status r;

	for (size_t i = 0; i < m->field_count; i++)
		if ((r = read_field(&e, m, m->fields[i].name, m->fields[i].text)) !=
		    PW_OK)
			return r;
	return walk(m, &e, pw_buf_str(&m->body), 0);
}
