#include "core/mime_value.h"

#include <string.h>

#include "core/ascii.h"
#include "core/buf.h"
#include "core/url.h"

/* One piece of a parameter, as it stands in the field. */
struct piece {
	struct pw_str raw;
	bool is_quoted, is_extended; /* extended: with %xx */
};

/* All that was said of one parameter. */
struct given {
	struct piece plain, extended; /* name=, name*= */
	struct piece pieces[PW_MIME_PIECES_MAX];
	uint64_t has_piece;
	bool has_plain, has_extended;
};

struct reader {
	struct pw_mime_value *out;
	struct pw_str rest;
	struct given given[PW_MIME_PARAMETERS];
};

static bool is_token_char(char c)
{
	return pw_is_print(c) && c != ' ' && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static bool is_token(struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_char(s.at[i]))
			return false;
	return s.len > 0;
}

/* Length of the comment at the start of s; s.len when it never ends. */
static size_t comment_length(struct pw_str s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '\\')
			i++;
		else if (s.at[i] == '(')
			depth++;
		else if (s.at[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.len;
}

/* Drop blanks, semicolons if asked for, and comments. */
static void skip(struct reader *r, bool with_semicolons)
{
	struct pw_str *s = &r->rest;

	while (s->len > 0) {
		if (s->at[0] == '(')
			*s = pw_str_sub(*s, comment_length(*s), s->len);
		else if ((unsigned char)s->at[0] <= ' ' ||
		         (with_semicolons && s->at[0] == ';'))
			*s = pw_str_sub(*s, 1, s->len);
		else
			return;
	}
}

static void take_quoted(struct reader *r, struct pw_str *raw)
{
	size_t end = 1;

	while (end < r->rest.len && r->rest.at[end] != '"')
		end += r->rest.at[end] == '\\' ? 2 : 1;
	if (end >= r->rest.len) {
		r->out->is_broken = true;
		end = r->rest.len;
	}
	*raw = pw_str_sub(r->rest, 1, end - 1);
	r->rest = pw_str_sub(r->rest, end + 1, r->rest.len);
}

/* A value without quotes: up to the next semicolon. Blanks inside are against the RFC;
 * what follows them counts in names of files, nowhere else. */
static void take_bare(struct reader *r, bool is_name, struct pw_str *raw)
{
	size_t end = pw_str_find(r->rest, ';');
	struct pw_str all = pw_str_trim(pw_str_sub(r->rest, 0, end)), word = all;

	r->rest = pw_str_sub(r->rest, end, r->rest.len);
	for (size_t i = 0; i < all.len; i++) {
		if ((unsigned char)all.at[i] > ' ')
			continue;
		word = pw_str_sub(all, 0, i);
		all = pw_str_trim(pw_str_sub(all, i, all.len));
		break;
	}
	if (word.at == all.at || all.len == 0 ||
	    (all.at[0] == '(' && (!is_name || all.at[all.len - 1] == ')'))) {
		*raw = word; /* the rest is a comment */
		return;
	}
	r->out->is_broken = true;
	*raw = is_name ? (struct pw_str){ word.at, (size_t)(all.at - word.at) + all.len }
	               : word;
}

static enum pw_mime_parameter find_parameter(struct pw_str name)
{
	static const char *const names[PW_MIME_PARAMETERS] = {
		[PW_MIME_BOUNDARY] = "boundary",
		[PW_MIME_CHARSET] = "charset",
		[PW_MIME_NAME] = "name",
		[PW_MIME_FILENAME] = "filename",
	};

	for (size_t i = 0; i < PW_MIME_PARAMETERS; i++)
		if (pw_str_eq_nocase(name, pw_str_from(names[i])))
			return (enum pw_mime_parameter)i;
	return PW_MIME_PARAMETERS;
}

static void note_piece(struct reader *r, struct given *g, struct pw_str number,
                       struct piece piece)
{
	int64_t n;

	if (pw_str_to_int64(number, 0, PW_MIME_PIECES_MAX - 1, &n) != PW_OK) {
		r->out->is_broken_pieces = true;
		return;
	}
	if ((g->has_piece >> n & 1) != 0) { /* the first one counts */
		r->out->is_broken_pieces = true;
		return;
	}
	g->has_piece |= (uint64_t)1 << n;
	g->pieces[n] = piece;
}

static void note_once(struct reader *r, struct piece *to, bool *has, struct piece piece)
{
	if (*has) {
		if (!pw_str_eq(to->raw, piece.raw))
			r->out->is_twice = true;
		return;
	}
	*has = true;
	*to = piece;
}

/* name, name*, name*N, name*N*: which parameter a value belongs to. */
static void note(struct reader *r, struct pw_str name, struct piece piece)
{
	struct pw_str number = name, base = pw_str_cut(&number, '*');
	enum pw_mime_parameter which = find_parameter(base);
	struct given *g;

	if (which == PW_MIME_PARAMETERS)
		return;
	g = &r->given[which];
	if (number.at == NULL) {
		note_once(r, &g->plain, &g->has_plain, piece);
		return;
	}
	if (number.len == 0) {
		piece.is_extended = true;
		note_once(r, &g->extended, &g->has_extended, piece);
		return;
	}
	piece.is_extended = number.at[number.len - 1] == '*';
	number.len -= piece.is_extended ? 1 : 0;
	note_piece(r, g, number, piece);
}

static void take_parameter(struct reader *r)
{
	struct piece piece = { .raw = { "", 0 } };
	struct pw_str name, star;
	size_t end = 0;
	bool is_name;

	while (end < r->rest.len && r->rest.at[end] != '=' && r->rest.at[end] != ';')
		end++;
	name = pw_str_trim(pw_str_sub(r->rest, 0, end));
	r->rest = pw_str_sub(r->rest, end, r->rest.len);
	if (!is_token(name))
		r->out->is_broken = true;
	if (r->rest.len == 0 || r->rest.at[0] == ';') {
		r->out->is_broken = true; /* no value */
		return;
	}
	r->rest = pw_str_sub(r->rest, 1, r->rest.len);
	while (r->rest.len > 0 && (unsigned char)r->rest.at[0] <= ' ')
		r->rest = pw_str_sub(r->rest, 1, r->rest.len);
	star = name;
	is_name = pw_str_eq_nocase(pw_str_cut(&star, '*'), PW_STR("name")) ||
	          pw_str_starts_nocase(name, PW_STR("filename"));
	if (r->rest.len > 0 && r->rest.at[0] == '"') {
		piece.is_quoted = true;
		take_quoted(r, &piece.raw);
	} else {
		take_bare(r, is_name, &piece.raw);
	}
	note(r, name, piece);
}

static void put_unescaped(struct pw_buf *out, struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '\\' && i + 1 < s.len)
			i++;
		pw_buf_putc(out, s.at[i]);
	}
}

/* Take "charset'language'" off; without two quotes all of it is text. */
static struct pw_str take_charset(struct reader *r, struct pw_str raw,
                                  struct pw_str *charset)
{
	struct pw_str rest = raw, first = pw_str_cut(&rest, '\'');

	if (rest.at == NULL || (pw_str_cut(&rest, '\''), rest.at == NULL)) {
		r->out->is_broken_pieces = true;
		return raw;
	}
	*charset = first;
	return rest;
}

static void put_piece(struct reader *r, struct pw_buf *out, struct piece piece,
                      bool is_first, struct pw_str *charset)
{
	if (!piece.is_extended) {
		if (piece.is_quoted)
			put_unescaped(out, piece.raw);
		else
			pw_buf_puts(out, piece.raw);
		return;
	}
	if (is_first)
		piece.raw = take_charset(r, piece.raw, charset);
	pw_url_unescape(out, piece.raw);
}

static enum pw_status assemble(struct reader *r, struct pw_arena *arena,
                               const struct given *g, struct pw_mime_text *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };
	struct pw_str charset = { "", 0 };
	enum pw_status status;

	if (g->has_extended) {
		put_piece(r, &b, g->extended, true, &charset);
	} else if ((g->has_piece & 1) != 0) {
		size_t n = 0;

		for (; n < PW_MIME_PIECES_MAX && (g->has_piece >> n & 1) != 0; n++)
			put_piece(r, &b, g->pieces[n], n == 0, &charset);
		if (n < PW_MIME_PIECES_MAX && g->has_piece >> n != 0)
			r->out->is_broken_pieces = true; /* a gap */
	} else {
		r->out->is_broken_pieces |= g->has_piece != 0;
		put_piece(r, &b, g->plain, true, &charset);
	}
	if ((status = pw_buf_status(&b)) != PW_OK ||
	    (status = pw_arena_copy(arena, charset, &out->charset)) != PW_OK)
		return status;
	return pw_arena_copy(arena, pw_buf_str(&b), &out->bytes);
}

static void take_type(struct reader *r, bool has_subtype, struct pw_str *type)
{
	struct pw_str sub;
	size_t end = 0;

	skip(r, false);
	while (end < r->rest.len &&
	       (is_token_char(r->rest.at[end]) || r->rest.at[end] == '/'))
		end++;
	*type = pw_str_sub(r->rest, 0, end);
	r->rest = pw_str_sub(r->rest, end, r->rest.len);
	sub = *type;
	if (!is_token(pw_str_cut(&sub, '/')) || (sub.at != NULL) != has_subtype ||
	    (has_subtype && !is_token(sub))) {
		*type = (struct pw_str){ "", 0 };
		r->out->is_broken = true;
	}
	skip(r, false);
	if (r->rest.len > 0 && r->rest.at[0] != ';')
		r->out->is_broken = true;
}

enum pw_status pw_mime_value_parse(struct pw_mime_value *out, struct pw_arena *arena,
                                   struct pw_str value, bool has_subtype)
{
	struct reader r = { .out = out, .rest = pw_str_sub(value, 0, PW_MIME_VALUE_MAX) };
	struct pw_str type;
	enum pw_status status;

	*out = (struct pw_mime_value){ .is_long = value.len > PW_MIME_VALUE_MAX };
	take_type(&r, has_subtype, &type);
	if ((status = pw_arena_copy_lower(arena, type, &out->type)) != PW_OK)
		return status;
	for (skip(&r, true); r.rest.len > 0; skip(&r, true))
		take_parameter(&r);
	for (size_t i = 0; i < PW_MIME_PARAMETERS; i++) {
		const struct given *g = &r.given[i];

		out->parameters[i] = (struct pw_mime_text){ { "", 0 }, { "", 0 } };
		if (!g->has_plain && !g->has_extended && g->has_piece == 0)
			continue;
		if ((status = assemble(&r, arena, g, &out->parameters[i])) != PW_OK)
			return status;
	}
	return PW_OK;
}
