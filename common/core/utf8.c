#include "core/utf8.h"

static size_t length_by_lead(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* The second byte has a narrower range after four of the leads. */
static bool is_second(unsigned char lead, unsigned char second)
{
	unsigned char lowest = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	unsigned char highest = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;

	return second >= lowest && second <= highest;
}

size_t pw_utf8_length(struct pw_str s)
{
	const unsigned char *p = (const unsigned char *)s.at;
	size_t len = length_by_lead(p[0]);

	if (len == 0 || len > s.len || (len > 1 && !is_second(p[0], p[1])))
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

void pw_utf8_put(struct pw_buf *out, struct pw_str s)
{
	while (s.len > 0) {
		size_t n = pw_utf8_length(s);

		pw_buf_puts(out, n > 0 ? pw_str_sub(s, 0, n) : PW_STR("\xef\xbf\xbd"));
		s = pw_str_sub(s, n > 0 ? n : 1, s.len);
	}
}

size_t pw_utf8_get(struct pw_str s, uint32_t *code_out)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	size_t n = pw_utf8_length(s);
	uint32_t code;

	if (n == 0)
		return 0;
	code = (unsigned char)s.at[0] & first[n];
	for (size_t i = 1; i < n; i++)
		code = code << 6 | ((unsigned char)s.at[i] & 0x3f);
	*code_out = code;
	return n;
}

void pw_utf8_put_code(struct pw_buf *out, uint32_t code)
{
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		code = 0xfffd;
	if (code < 0x80) {
		pw_buf_putc(out, (char)code);
	} else if (code < 0x800) {
		pw_buf_puts(out,
		            (struct pw_str){ (char[]){ (char)(0xc0 | code >> 6),
		                                       (char)(0x80 | (code & 0x3f)) },
		                             2 });
	} else if (code < 0x10000) {
		pw_buf_puts(out,
		            (struct pw_str){ (char[]){ (char)(0xe0 | code >> 12),
		                                       (char)(0x80 | (code >> 6 & 0x3f)),
		                                       (char)(0x80 | (code & 0x3f)) },
		                             3 });
	} else {
		pw_buf_puts(out,
		            (struct pw_str){ (char[]){ (char)(0xf0 | code >> 18),
		                                       (char)(0x80 | (code >> 12 & 0x3f)),
		                                       (char)(0x80 | (code >> 6 & 0x3f)),
		                                       (char)(0x80 | (code & 0x3f)) },
		                             4 });
	}
}
