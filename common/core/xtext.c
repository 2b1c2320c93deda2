#include "core/xtext.h"

#include "core/ascii.h"

static bool stands_for_itself(char c)
{
	return c > ' ' && c <= '~' && c != '+' && c != '=';
}

size_t pw_xtext_encode_max(struct pw_buf *out, struct pw_str raw, size_t encoded_max)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t used = 0;
	size_t i;

	for (i = 0; i < raw.len; i++) {
		unsigned char c = (unsigned char)raw.at[i];
		bool plain = stands_for_itself(raw.at[i]);

		used += plain ? 1 : 3;
		if (used > encoded_max)
			break;
		if (plain) {
			pw_buf_putc(out, raw.at[i]);
			continue;
		}
		pw_buf_putc(out, '+');
		pw_buf_putc(out, digits[c >> 4]);
		pw_buf_putc(out, digits[c & 15]);
	}
	return i;
}

void pw_xtext_encode(struct pw_buf *out, struct pw_str raw)
{
	(void)pw_xtext_encode_max(out, raw, SIZE_MAX);
}

enum pw_status pw_xtext_decode(struct pw_buf *out, struct pw_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		int high, low;

		if (stands_for_itself(c)) {
			pw_buf_putc(out, c);
			continue;
		}
		if (c != '+' || text.len - i < 3)
			return PW_ERR_SYNTAX;
		high = pw_hex_value(text.at[i + 1]);
		low = pw_hex_value(text.at[i + 2]);
		if (high < 0 || low < 0)
			return PW_ERR_SYNTAX;
		pw_buf_putc(out, (char)(high << 4 | low));
		i += 2;
	}
	return pw_buf_status(out);
}
