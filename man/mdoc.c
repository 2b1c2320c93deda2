#include "man/mdoc.h"

#define LINE_MAX_BYTES 72

static struct pw_str escape_of(char c)
{
	switch (c) {
	case '\\':
		return PW_STR("\\e");
	case '"':
		return PW_STR("\\(dq");
	case '\'':
		return PW_STR("\\(aq");
	case '`':
		return PW_STR("\\(ga");
	case '^':
		return PW_STR("\\(ha");
	case '~':
		return PW_STR("\\(ti");
	case '-':
		return PW_STR(
			"\\-"); /* alone it may become a hyphen, which cannot be copied */
	default:
		return (struct pw_str){ NULL, 0 };
	}
}

void mdoc_put_escaped(struct pw_buf *out, struct pw_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		struct pw_str escape = escape_of(text.at[i]);

		if (escape.len > 0)
			pw_buf_puts(out, escape);
		else
			pw_buf_putc(out, text.at[i]);
	}
}

static size_t escaped_len(struct pw_str text)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		struct pw_str escape = escape_of(text.at[i]);

		len += escape.len > 0 ? escape.len : 1;
	}
	return len;
}

/* Does a sentence end here? A closing mark may follow the dot. */
static bool ends_sentence(struct pw_str word)
{
	while (word.len > 0 &&
	       (word.at[word.len - 1] == ')' || word.at[word.len - 1] == '"'))
		word.len--;
	return word.len > 1 &&
	       (word.at[word.len - 1] == '.' || word.at[word.len - 1] == '!' ||
	        word.at[word.len - 1] == '?');
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static struct pw_str next_word(struct pw_str *rest)
{
	struct pw_str word;

	do
		word = pw_str_cut(rest, ' ');
	while (word.len == 0 && rest->at != NULL);
	return word;
}

void mdoc_put_prose(struct pw_buf *out, struct pw_str text)
{
	struct pw_str rest = pw_str_trim(text), word, last = { NULL, 0 };
	size_t begin = out->len; /* of the line */

	while ((word = next_word(&rest)).len > 0) {
		bool breaks = out->len - begin + escaped_len(word) + 1 > LINE_MAX_BYTES ||
		              (ends_sentence(last) && is_upper(word.at[0]));

		if (last.len > 0)
			pw_buf_putc(out, breaks ? '\n' : ' ');
		if (last.len > 0 && breaks)
			begin = out->len;
		if (begin == out->len && word.at[0] == '.')
			pw_buf_puts(out, PW_STR("\\&")); /* no request */
		mdoc_put_escaped(out, word);
		last = word;
	}
	if (last.len > 0)
		pw_buf_putc(out, '\n');
}

/* \& : what follows is text, be it the name of a macro or a mark. */
void mdoc_put_macro(struct pw_buf *out, const char *macro, struct pw_str text,
                    const char *tail)
{
	pw_buf_printf(out, ".%s \"\\&", macro);
	mdoc_put_escaped(out, text);
	pw_buf_printf(out, "\"%s%s\n", tail[0] != '\0' ? " " : "", tail);
}
