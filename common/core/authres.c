#include "core/authres.h"

#include "core/ascii.h"

#define FOLD_AT 78

/* RFC 2045 token: printable ASCII but blanks and tspecials. */
static bool is_token_char(char c)
{
	static const struct pw_str tspecials = { "()<>@,;:\\\"/[]?=", 15 };

	return pw_is_print(c) && c != ' ' && pw_str_find(tspecials, c) == tspecials.len;
}

static bool is_token(struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_char(s.at[i]))
			return false;
	return s.len > 0;
}

/* pvalue of RFC 8601 2.2: a token, "local@domain" of tokens, or "@domain". */
static bool is_bare_value(struct pw_str s)
{
	size_t at = pw_str_rfind(s, '@');

	if (at == s.len)
		return is_token(s);
	return (at == 0 || is_token(pw_str_sub(s, 0, at))) &&
	       is_token(pw_str_sub(s, at + 1, s.len));
}

/* What must not be there becomes '?', what is special gets a backslash. UTF-8 stays
 * (RFC 8616); CR, LF and NUL never do. */
static void put_quoted(struct pw_buf *out, struct pw_str s)
{
	pw_buf_putc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];

		if (c == '"' || c == '\\')
			pw_buf_putc(out, '\\');
		pw_buf_putc(out, pw_is_print(c) || (unsigned char)c >= 0x80 ? c : '?');
	}
	pw_buf_putc(out, '"');
}

static void put_value(struct pw_buf *out, struct pw_str s)
{
	s = pw_str_sub(s, 0, PW_AUTHRES_VALUE_MAX);
	if (is_bare_value(s))
		pw_buf_puts(out, s);
	else
		put_quoted(out, s);
}

/* A blank, or a fold when what follows would make the line too long. */
static void put_gap(struct pw_buf *out, size_t *line_start, size_t need)
{
	if (out->len - *line_start + need + 1 <= FOLD_AT) {
		pw_buf_putc(out, ' ');
		return;
	}
	pw_buf_puts(out, PW_STR("\n\t"));
	*line_start = out->len - 1;
}

static void put_result(struct pw_buf *out, const struct pw_authres_result *result)
{
	size_t line_start;

	pw_buf_puts(out, PW_STR(";\n\t"));
	line_start = out->len - 1;
	pw_buf_puts(out, result->method);
	pw_buf_putc(out, '=');
	pw_buf_puts(out, result->result);
	if (result->reason.len > 0) {
		put_gap(out, &line_start, result->reason.len + 9);
		pw_buf_puts(out, PW_STR("reason="));
		put_quoted(out, pw_str_sub(result->reason, 0, PW_AUTHRES_VALUE_MAX));
	}
	for (size_t i = 0; i < PW_AUTHRES_PROPERTIES_MAX; i++) {
		if (result->properties[i].name.len == 0)
			break;
		put_gap(out, &line_start,
		        result->properties[i].name.len + result->properties[i].value.len +
		                1);
		pw_buf_puts(out, result->properties[i].name);
		pw_buf_putc(out, '=');
		put_value(out, result->properties[i].value);
	}
}

void pw_authres_put(struct pw_buf *out, struct pw_str authserv_id,
                    const struct pw_authres_result *results, size_t count)
{
	put_value(out, authserv_id);
	if (count == 0)
		pw_buf_puts(out, PW_STR("; none"));
	for (size_t i = 0; i < count; i++)
		put_result(out, &results[i]);
}

/* Skip blanks, folds, control characters and comments (nested, with quoted pairs). An
 * open comment ends nothing: reading goes on inside it, so that "(" before our name does
 * not hide it from us while a laxer reader sees it. */
static void skip_cfws(struct pw_str *s)
{
	size_t i = 0;

	while (i < s->len) {
		size_t depth = 0, end;

		if ((unsigned char)s->at[i] <= ' ' || s->at[i] == 0x7f) {
			i++;
			continue;
		}
		if (s->at[i] != '(')
			break;
		for (end = i; end < s->len; end++) {
			if (s->at[end] == '\\')
				end++;
			else if (s->at[end] == '(')
				depth++;
			else if (s->at[end] == ')' && --depth == 0)
				break;
		}
		i = end < s->len ? end + 1 : i + 1;
	}
	*s = pw_str_sub(*s, i, s->len);
}

/* Does the quoted string at the start of s say id? Quoted pairs are undone. */
static bool quoted_says(struct pw_str s, struct pw_str id)
{
	size_t seen = 0;

	for (size_t i = 1; i < s.len; i++) {
		char c = s.at[i];

		if (c == '"')
			break;
		if (c == '\\' && i + 1 < s.len)
			c = s.at[++i];
		else if (c == '\r' || c == '\n')
			continue;
		if (seen == id.len)
			return c == '.' && (i + 1 == s.len || s.at[i + 1] == '"');
		if (pw_lower(c) != pw_lower(id.at[seen++]))
			return false;
	}
	return seen == id.len;
}

bool pw_authres_is_from(struct pw_str value, struct pw_str authserv_id)
{
	size_t end = 0;

	skip_cfws(&value);
	if (authserv_id.len > 1 && authserv_id.at[authserv_id.len - 1] == '.')
		authserv_id.len--;
	if (value.len == 0 || authserv_id.len == 0)
		return false;
	if (value.at[0] == '"')
		return quoted_says(value, authserv_id);
	/* 8-bit bytes belong to the name: internationalised hosts (RFC 8616) */
	while (end < value.len && (is_token_char(value.at[end]) || value.at[end] < 0))
		end++;
	value.len = end;
	if (value.len > 1 && value.at[value.len - 1] == '.')
		value.len--;
	return pw_str_eq_nocase(value, authserv_id);
}
