#include "mail/decode.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "core/ascii.h"
#include "core/charset.h"
#include "core/utf8.h"
#include "core/uu.h"

#define SOFT_BLANKS_MAX 80 /* as core/mime_body.c counts them */

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (pw_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void pw_decode_base64(struct pw_buf *out, struct pw_str text)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < text.len; i++) {
		int value = base64_value(text.at[i]);

		if (text.at[i] == '=') { /* padding; another run may follow */
			have = 0;
			continue;
		}
		if (value < 0)
			continue;
		bits = bits << 6 | (uint32_t)value;
		have += 6;
		if (have >= 8) {
			have -= 8;
			pw_buf_putc(out, (char)(bits >> have & 0xff));
		}
	}
}

/* Length of the soft line break "=" [blanks] EOL at the start of s, or 0. The EOL of the
 * last line may be that of the boundary behind it. */
static size_t soft_break(struct pw_str s, bool is_header)
{
	size_t i = 1;

	while (i < s.len && i <= SOFT_BLANKS_MAX &&
	       (pw_is_wsp(s.at[i]) || s.at[i] == '\r'))
		i++;
	if (i == s.len)
		return is_header ? 0 : i;
	return s.at[i] == '\n' ? i + 1 : 0;
}

void pw_decode_qp(struct pw_buf *out, struct pw_str text, bool is_header)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		size_t skip;

		if (c == '_' && is_header)
			c = ' ';
		if (c != '=') {
			pw_buf_putc(out, c);
			continue;
		}
		if (i + 2 < text.len && pw_hex_value(text.at[i + 1]) >= 0 &&
		    pw_hex_value(text.at[i + 2]) >= 0) {
			pw_buf_putc(out, (char)(pw_hex_value(text.at[i + 1]) * 16 +
			                        pw_hex_value(text.at[i + 2])));
			i += 2;
		} else if ((skip = soft_break(pw_str_sub(text, i, text.len), is_header)) >
		           0) {
			i += skip - 1;
		} else {
			pw_buf_putc(out, c);
		}
	}
}

void pw_decode_uu(struct pw_buf *out, struct pw_str text)
{
	struct pw_str rest = pw_uu_begin(text);
	char line[PW_UU_LINE_MAX];
	size_t len;

	while (pw_uu_next(&rest, line, &len))
		pw_buf_puts(out, (struct pw_str){ line, len });
}

static bool is_utf8(struct pw_str s)
{
	size_t n;

	for (size_t i = 0; i < s.len; i += n)
		if ((n = pw_utf8_length(pw_str_sub(s, i, s.len))) == 0)
			return false;
	return true;
}

/* iconv's name of what is to be converted; NULL when nothing is. Where US-ASCII is said
 * and more is written, it is UTF-8 if it can be, else windows-1252, as in browsers. */
static const char *from_name(struct pw_str charset, struct pw_str text)
{
	const char *name = pw_charset_find(charset);

	if (name == NULL || strcmp(name, "UTF-8") == 0)
		return NULL;
	if (strcmp(name, "US-ASCII") == 0)
		return is_utf8(text) ? NULL : "WINDOWS-1252";
	return name;
}

/* A converter may hold a character back until it knows that no other one joins it. */
static void put_held(struct pw_buf *out, iconv_t cd)
{
	char chunk[64];
	char *to = chunk;
	size_t room = sizeof(chunk);

	(void)iconv(cd, NULL, NULL, &to, &room);
	pw_buf_puts(out, (struct pw_str){ chunk, sizeof(chunk) - room });
}

void pw_decode_charset(struct pw_buf *out, struct pw_str charset, struct pw_str text)
{
	char chunk[1024];
	const char *from = from_name(charset, text);
	char *in;
	size_t left = text.len;
	iconv_t cd;

	if (from == NULL || text.len == 0 ||
	    (cd = iconv_open("UTF-8", from)) == (iconv_t)-1) {
		pw_buf_puts(out, text);
		return;
	}
	memcpy(&in, &text.at,
	       sizeof(in)); /* iconv(3) takes char ** and writes nothing there */
	while (left > 0) {
		char *to = chunk;
		size_t room = sizeof(chunk);
		size_t r = iconv(cd, &in, &left, &to, &room);

		pw_buf_puts(out, (struct pw_str){ chunk, sizeof(chunk) - room });
		if (r != (size_t)-1 || errno == E2BIG)
			continue;
		pw_buf_putc(out, *in++);
		left--;
	}
	put_held(out, cd);
	iconv_close(cd);
}

/* One encoded word at the start of s, "=?charset?B?text?=": its parts and its length. */
static size_t take_word(struct pw_str s, struct pw_str *charset, char *encoding,
                        struct pw_str *text)
{
	struct pw_str rest = pw_str_sub(s, 2, s.len);
	size_t end;

	if (!pw_str_starts(s, PW_STR("=?")))
		return 0;
	*charset = pw_str_cut(&rest, '?');
	if (rest.len < 3 || rest.at[1] != '?' || charset->len == 0)
		return 0;
	*encoding = pw_lower(rest.at[0]);
	rest = pw_str_sub(rest, 2, rest.len);
	for (end = 0; end + 1 < rest.len; end++)
		if (rest.at[end] == '?' && rest.at[end + 1] == '=')
			break;
	if (end + 1 >= rest.len || (*encoding != 'b' && *encoding != 'q'))
		return 0;
	*text = pw_str_sub(rest, 0, end);
	charset->len = pw_str_find(*charset, '*'); /* language of RFC 2231 */
	return (size_t)(rest.at + end + 2 - s.at);
}

static bool is_plain(struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!pw_is_print(s.at[i]))
			return false;
	return true;
}

static void put_word(struct pw_buf *out, struct pw_str charset, char encoding,
                     struct pw_str text, struct pw_words_seen *seen)
{
	PW_AUTO(pw_buf_done) struct pw_buf bytes = { 0 };

	if (encoding == 'b')
		pw_decode_base64(&bytes, text);
	else
		pw_decode_qp(&bytes, text, true);
	pw_decode_charset(out, charset, pw_buf_str(&bytes));
	if (seen == NULL)
		return;
	if (seen->words++ == 0) {
		seen->charset = charset;
		seen->is_needless = encoding == 'b';
	}
	seen->is_needless = seen->is_needless && is_plain(pw_buf_str(&bytes));
}

void pw_decode_words(struct pw_buf *out, struct pw_str value, struct pw_words_seen *seen)
{
	struct pw_str charset, text;
	size_t gap = out->len; /* where blanks between two words began */
	bool after_word = false;
	char encoding;

	if (seen != NULL)
		*seen = (struct pw_words_seen){ 0 };
	for (size_t i = 0; i < value.len;) {
		size_t len = take_word(pw_str_sub(value, i, value.len), &charset,
		                       &encoding, &text);

		if (len == 0) {
			if (!pw_is_wsp(value.at[i]))
				after_word = false;
			else if (!after_word)
				gap = out->len;
			pw_buf_putc(out, value.at[i++]);
			continue;
		}
		if (after_word)
			pw_buf_truncate(out, gap);
		put_word(out, charset, encoding, text, seen);
		gap = out->len;
		after_word = true;
		i += len;
	}
}
