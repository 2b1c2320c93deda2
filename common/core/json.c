#include "core/json.h"

#include "core/utf8.h"

static void put_character(struct pw_buf *out, struct pw_str character)
{
	char c = character.at[0];

	if (character.len == 0 || (character.len == 1 && c == '\0'))
		pw_buf_puts(out, PW_STR("\xef\xbf\xbd"));
	else if (c == '"' || c == '\\')
		pw_buf_printf(out, "\\%c", c);
	else if (character.len == 1 && (c < ' ' || c == '\x7f'))
		pw_buf_printf(out, "\\u%04x", (unsigned int)c);
	else
		pw_buf_puts(out, character);
}

void pw_json_put_string(struct pw_buf *out, struct pw_str s)
{
	pw_buf_putc(out, '"');
	while (s.len > 0) {
		size_t len = pw_utf8_length(s);

		put_character(out, pw_str_sub(s, 0, len));
		s = pw_str_sub(s, len > 0 ? len : 1, s.len);
	}
	pw_buf_putc(out, '"');
}
