#include "core/base64.h"

#include "core/ascii.h"

/* What parts the two alphabets: values 62 and 63. */
static const char last_two[][2] = {
	[PW_BASE64] = { '+', '/' },
	[PW_BASE64_URL] = { '-', '_' },
};

static char letter(enum pw_base64 kind, unsigned value)
{
	if (value < 26)
		return (char)('A' + value);
	if (value < 52)
		return (char)('a' + (value - 26));
	if (value < 62)
		return (char)('0' + (value - 52));
	return last_two[kind][value - 62];
}

static int value_of(enum pw_base64 kind, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (pw_is_digit(c))
		return c - '0' + 52;
	if (c == last_two[kind][0])
		return 62;
	return c == last_two[kind][1] ? 63 : -1;
}

void pw_base64_put(struct pw_buf *out, enum pw_base64 kind, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < len; i++) {
		bits = (bits << 8 | from[i]) & 0xffff;
		for (held += 8; held >= 6; held -= 6)
			pw_buf_putc(out, letter(kind, bits >> (held - 6) & 63));
	}
	if (held > 0)
		pw_buf_putc(out, letter(kind, bits << (6 - held) & 63));
	for (size_t i = len; kind == PW_BASE64 && i % 3 != 0; i++)
		pw_buf_putc(out, '=');
}

enum pw_status pw_base64_get(void *out, size_t len, enum pw_base64 kind,
                             struct pw_str text)
{
	uint8_t *to = out;
	size_t letters = (len * 8 + 5) / 6, padding = (3 - len % 3) % 3, made = 0;
	unsigned bits = 0, held = 0;

	if (kind == PW_BASE64_URL)
		padding = 0;
	if (text.len != letters + padding)
		return PW_ERR_SYNTAX;
	for (size_t i = 0; i < letters; i++) {
		int value = value_of(kind, text.at[i]);

		if (value < 0)
			return PW_ERR_SYNTAX;
		bits = (bits << 6 | (unsigned)value) & 0xffff;
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		to[made++] = (uint8_t)(bits >> held);
	}
	for (size_t i = letters; i < text.len; i++)
		if (text.at[i] != '=')
			return PW_ERR_SYNTAX;
	return (bits & ((1u << held) - 1)) == 0 ? PW_OK : PW_ERR_SYNTAX;
}
