#include "core/mime_body.h"

#include <string.h>

#include "core/ascii.h"
#include "core/uu.h"

/* Line ends, NUL and 8-bit. Words of eight bytes without any of them are passed over: a
 * byte is of interest below 0x0e (CR, LF, NUL) or above 0x7f. */
static void scan_plain(struct pw_mime_bytes *out, struct pw_str s)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	size_t i = 0;

	while (i < s.len) {
		unsigned char c;
		uint64_t word;

		if (i + sizeof(word) <= s.len) {
			memcpy(&word, s.at + i, sizeof(word));
			if ((((word - ones * 0x0e) | word) & tops) == 0) {
				i += sizeof(word);
				continue;
			}
		}
		c = (unsigned char)s.at[i++];
		if (c >= 0x80)
			out->has_8bit = true;
		else if (c == '\0')
			out->has_nul = true;
		else if (c == '\n')
			out->has_bare_lf = true;
		else if (c == '\r' && i < s.len && s.at[i] == '\n') {
			out->has_crlf = true;
			i++;
		} else if (c == '\r') {
			out->has_bare_cr = true;
		}
	}
}

static bool is_base64(unsigned char c)
{
	return pw_is_alnum((char)c) || c == '+' || c == '/';
}

/* RFC 2045 6.8: lines of the alphabet, padded to four at the end and nowhere else. */
static void scan_base64(struct pw_mime_bytes *out, struct pw_str s)
{
	size_t letters = 0, padding = 0, all = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if (is_base64(c)) {
			if (padding > 0) { /* another run begins */
				out->is_broken = true;
				out->decoded_len += letters * 6 / 8;
				letters = padding = 0;
			}
			letters++;
			all++;
		} else if (c == '=') {
			padding++;
			all++;
		} else if (c > ' ' || c == '\0') {
			out->is_broken = true;
		}
	}
	out->decoded_len += letters * 6 / 8;
	if (all % 4 != 0 || padding > 2)
		out->is_broken = true;
}

/* Length of the soft line break behind "=", or 0. */
static size_t soft_break(struct pw_str s, size_t i)
{
	size_t from = i;

	while (i < s.len && i - from < 80 && (pw_is_wsp(s.at[i]) || s.at[i] == '\r'))
		i++;
	return i < s.len && s.at[i] == '\n' ? i + 1 - from : i == s.len ? i - from : 0;
}

static void scan_qp(struct pw_mime_bytes *out, struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		const char *hit = memchr(s.at + i, '=', s.len - i);
		size_t to = hit != NULL ? (size_t)(hit - s.at) : s.len, skip;

		out->decoded_len += to - i;
		i = to;
		if (i == s.len)
			return;
		if (i + 2 < s.len && pw_hex_value(s.at[i + 1]) >= 0 &&
		    pw_hex_value(s.at[i + 2]) >= 0) {
			out->decoded_len++;
			i += 2;
		} else if ((skip = soft_break(s, i + 1)) > 0) {
			i += skip;
		} else if (i + 1 < s.len) { /* else the boundary took the line end */
			out->is_broken = true;
			out->decoded_len++;
		}
	}
}

static void scan_uu(struct pw_mime_bytes *out, struct pw_str s)
{
	struct pw_str rest = pw_uu_begin(s);
	char line[PW_UU_LINE_MAX];
	size_t len;

	while (pw_uu_next(&rest, line, &len))
		out->decoded_len += len;
}

void pw_mime_bytes_scan(struct pw_mime_bytes *out, enum pw_mime_encoding encoding,
                        struct pw_str bytes)
{
	*out = (struct pw_mime_bytes){ 0 };
	scan_plain(out, bytes);
	if (encoding == PW_MIME_BASE64)
		scan_base64(out, bytes);
	else if (encoding == PW_MIME_QP)
		scan_qp(out, bytes);
	else if (encoding == PW_MIME_UU)
		scan_uu(out, bytes);
	else
		out->decoded_len = bytes.len;
}
