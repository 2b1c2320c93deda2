#include "core/html_token.h"

#include "core/ascii.h"

static const char *const names[PW_HTML_ATTRIBUTES] = {
	"action",  "background", "bgcolor",    "class",  "color",
	"content", "data",       "formaction", "height", "hidden",
	"href",    "http-equiv", "id",         "size",   "src",
	"style",   "text",       "type",       "width",  "xlink:href",
};

static bool is_blank(char c)
{
	return (unsigned char)c <= ' ';
}

/* "<!-- ... -->", "<!doctype ...>", "<?xml ...>", "</3>". */
static size_t comment_length(struct pw_str s)
{
	size_t end;

	if (!pw_str_starts(s, PW_STR("<!--"))) {
		end = pw_str_find(s, '>');
		return end < s.len ? end + 1 : s.len;
	}
	if (pw_str_starts(s, PW_STR("<!-->")))
		return 5;
	for (end = 6; end < s.len; end++) {
		if (s.at[end] != '>' || s.at[end - 2] != '-')
			continue;
		if (s.at[end - 1] == '-' ||
		    (end > 6 && s.at[end - 1] == '!' && s.at[end - 3] == '-'))
			return end + 1;
	}
	return s.len;
}

/* The value behind '=' at *at. */
static struct pw_str take_value(struct pw_str s, size_t *at)
{
	size_t i = *at, start;

	while (i < s.len && is_blank(s.at[i]))
		i++;
	start = i;
	if (i < s.len && (s.at[i] == '"' || s.at[i] == '\'')) {
		char quote = s.at[i++];

		start = i;
		while (i < s.len && s.at[i] != quote)
			i++;
		*at = i < s.len ? i + 1 : i;
		return pw_str_sub(s, start, i - start);
	}
	while (i < s.len && !is_blank(s.at[i]) && s.at[i] != '>')
		i++;
	*at = i;
	return pw_str_sub(s, start, i - start);
}

static void note(struct pw_html_token *out, struct pw_str name, struct pw_str value)
{
	for (unsigned i = 0; i < PW_HTML_ATTRIBUTES; i++) {
		if (!pw_str_eq_nocase(name, pw_str_from(names[i])))
			continue;
		if ((out->has >> i & 1) == 0)
			out->value[i] = value; /* the first one counts */
		out->has |= (uint32_t)1 << i;
		return;
	}
}

/* Everything from behind the name up to '>'. */
static size_t take_attributes(struct pw_html_token *out, struct pw_str s, size_t i)
{
	unsigned seen = 0;

	for (;;) {
		struct pw_str name, value = { "", 0 };
		size_t start;

		while (i < s.len && (is_blank(s.at[i]) || s.at[i] == '/'))
			i++;
		if (i == s.len || s.at[i] == '>')
			return i < s.len ? i + 1 : i;
		for (start = i++; i < s.len && !is_blank(s.at[i]) && s.at[i] != '=' &&
		                  s.at[i] != '>' && s.at[i] != '/';)
			i++;
		name = pw_str_sub(s, start, i - start);
		while (i < s.len && is_blank(s.at[i]))
			i++;
		if (i < s.len && s.at[i] == '=') {
			i++;
			value = take_value(s, &i);
		}
		if (seen++ < PW_HTML_ATTRIBUTES_MAX)
			note(out, name, value);
	}
}

size_t pw_html_token_get(struct pw_html_token *out, struct pw_str s)
{
	size_t start = 1, i;

	out->piece = PW_HTML_START;
	out->has = 0;
	out->name = (struct pw_str){ "", 0 };
	if (s.len > 1 && s.at[1] == '/') {
		out->piece = PW_HTML_END;
		start = 2;
	}
	if (start < s.len && !pw_is_alpha(s.at[start])) {
		if (start == 1 && s.at[1] != '!' && s.at[1] != '?')
			return 0;
		out->piece = PW_HTML_COMMENT;
		return comment_length(s);
	}
	if (start >= s.len)
		return 0;
	for (i = start;
	     i < s.len && !is_blank(s.at[i]) && s.at[i] != '/' && s.at[i] != '>';)
		i++;
	out->name = pw_str_sub(s, start, i - start);
	return take_attributes(out, s, i);
}

struct pw_str pw_html_token_value(const struct pw_html_token *token,
                                  enum pw_html_attribute attribute)
{
	return (token->has >> attribute & 1) != 0 ? token->value[attribute]
	                                          : (struct pw_str){ "", 0 };
}

size_t pw_html_raw_text(struct pw_str s, struct pw_str name)
{
	for (size_t i = 0; i + 2 < s.len; i++)
		if (s.at[i] == '<' && s.at[i + 1] == '/' &&
		    pw_str_starts_nocase(pw_str_sub(s, i + 2, name.len), name))
			return i;
	return s.len;
}
