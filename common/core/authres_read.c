#include "core/authres_read.h"

#include "core/ascii.h"

static bool is_blank(char c)
{
	return pw_is_wsp(c) || c == '\r' || c == '\n';
}

/* Where the quoted string or comment that begins at `at` is over. */
static size_t skip_enclosed(struct pw_str s, size_t at)
{
	bool is_quoted = s.at[at] == '"';
	size_t depth = 1;

	for (at++; at < s.len && depth > 0; at++) {
		if (s.at[at] == '\\')
			at++;
		else if (s.at[at] == (is_quoted ? '"' : ')'))
			depth--;
		else if (s.at[at] == '(' && !is_quoted)
			depth++;
	}
	return at < s.len ? at : s.len;
}

static void skip_cfws(struct pw_str *s)
{
	size_t at = 0;

	while (at < s->len && (is_blank(s->at[at]) || s->at[at] == '('))
		at = s->at[at] == '(' ? skip_enclosed(*s, at) : at + 1;
	*s = pw_str_sub(*s, at, s->len);
}

/* Up to the next ';' that is neither quoted nor in a comment; rest->at is NULL behind the
 * last. */
static struct pw_str cut_part(struct pw_str *rest)
{
	struct pw_str part = *rest;
	size_t at = 0;

	while (at < part.len && part.at[at] != ';')
		at = part.at[at] == '"' || part.at[at] == '(' ? skip_enclosed(part, at)
		                                              : at + 1;
	*rest = at < part.len ? pw_str_sub(part, at + 1, part.len)
	                      : (struct pw_str){ NULL, 0 };
	return pw_str_sub(part, 0, at);
}

/* Bytes up to a blank, a comment or one of `ends`. */
static struct pw_str take_word(struct pw_str *s, struct pw_str ends)
{
	struct pw_str word = *s;
	size_t at = 0;

	while (at < s->len && !is_blank(s->at[at]) && s->at[at] != '(' &&
	       pw_str_find(ends, s->at[at]) == ends.len)
		at++;
	word.len = at;
	*s = pw_str_sub(*s, at, s->len);
	return word;
}

/* A word, or a quoted string without its quotes. */
static struct pw_str take_value(struct pw_str *s)
{
	struct pw_str value;
	size_t end;

	if (s->len == 0 || s->at[0] != '"')
		return take_word(s, PW_STR(""));
	end = skip_enclosed(*s, 0);
	value = pw_str_sub(*s, 1, end - 1);
	if (value.len > 0 && value.at[value.len - 1] == '"')
		value.len--;
	*s = pw_str_sub(*s, end, s->len);
	return value;
}

bool pw_authres_open(struct pw_str value, struct pw_str *id_out, struct pw_str *rest_out)
{
	struct pw_str rest = value, part = cut_part(&rest), id;

	skip_cfws(&part);
	id = take_value(&part);
	if (rest.at == NULL || id.len == 0)
		return false;
	*id_out = id;
	*rest_out = rest;
	return true;
}

/* "name =", blanks and comments between; false: there is none. */
static bool take_name(struct pw_str *s, struct pw_str *name_out)
{
	skip_cfws(s);
	*name_out = take_word(s, PW_STR("=/"));
	if (name_out->len == 0)
		return false;
	skip_cfws(s);
	if (s->len > 0 && s->at[0] == '/') { /* the method's version */
		*s = pw_str_sub(*s, 1, s->len);
		skip_cfws(s);
		(void)take_word(s, PW_STR("="));
		skip_cfws(s);
	}
	if (s->len == 0 || s->at[0] != '=')
		return false;
	*s = pw_str_sub(*s, 1, s->len);
	skip_cfws(s);
	return true;
}

bool pw_authres_next(struct pw_str *rest, struct pw_authres_item *out)
{
	while (rest->at != NULL) {
		struct pw_str part = cut_part(rest), method, result;

		if (!take_name(&part, &method))
			continue;
		result = take_word(&part, PW_STR(""));
		if (result.len == 0)
			continue;
		*out = (struct pw_authres_item){ method, result, part };
		return true;
	}
	return false;
}

struct pw_str pw_authres_property(const struct pw_authres_item *item, struct pw_str name)
{
	struct pw_str rest = item->rest, one;

	while (take_name(&rest, &one)) {
		struct pw_str value = take_value(&rest);

		if (pw_str_eq_nocase(one, name))
			return value;
	}
	return (struct pw_str){ NULL, 0 };
}
