#include "policyd/warning.h"

#include <time.h>

#include "core/utf8.h"

#define MB ((int64_t)1024 * 1024)
/* Bytes of text in one line of base64, and in one encoded word: a line of the subject has
 * at most 76 characters (RFC 2047 2). */
#define LINE_BYTES 57
#define WORD_BYTES 39

/* ---- what SQL wrote, variables filled in */

static void put_user(struct pw_buf *out, const struct chores_warning *warning)
{
	pw_buf_puts(out, warning->login);
}

static void put_percent(struct pw_buf *out, const struct chores_warning *warning)
{
	pw_buf_put_int(out, warning->percent);
}

static void put_used(struct pw_buf *out, const struct chores_warning *warning)
{
	pw_buf_put_int(out, warning->used_bytes / MB);
}

static void put_quota(struct pw_buf *out, const struct chores_warning *warning)
{
	pw_buf_put_int(out, warning->quota_bytes / MB);
}

/* clang-format off */
static const struct variable {
	struct pw_str name;
	void (*put)(struct pw_buf *out, const struct chores_warning *warning);
} variables[] = {
	{ { "%{user}", 7 },      put_user },
	{ { "%{percent}", 10 },  put_percent },
	{ { "%{used_mb}", 10 },  put_used },
	{ { "%{quota_mb}", 11 }, put_quota },
};
/* clang-format on */

/* Put the character or variable at the start of text; returns how much of it that was. */
static size_t put_one(struct pw_buf *out, struct pw_str text,
                      const struct chores_warning *warning)
{
	size_t len = pw_utf8_length(text);

	for (size_t i = 0; i < PW_LEN(variables); i++)
		if (pw_str_starts(text, variables[i].name)) {
			variables[i].put(out, warning);
			return variables[i].name.len;
		}
	pw_buf_puts(out, len > 0 ? pw_str_sub(text, 0, len) : PW_STR("?"));
	return len > 0 ? len : 1;
}

static void expand(struct pw_buf *out, struct pw_str text, size_t max,
                   const struct chores_warning *warning)
{
	while (text.len > 0 && out->len < max) {
		size_t taken = put_one(out, text, warning);

		text = pw_str_sub(text, taken, text.len);
	}
}

/* ---- encoding */

static void put_base64(struct pw_buf *out, struct pw_str bytes)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < bytes.len; i += 3) {
		uint32_t group = 0;

		for (size_t k = 0; k < 3; k++)
			group = group << 8 |
			        (i + k < bytes.len ? (unsigned char)bytes.at[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			pw_buf_putc(out, i + k < bytes.len + 1
			                         ? digits[group >> (18 - 6 * k) & 63]
			                         : '=');
	}
}

/* Lines of the text end by CRLF, as RFC 2046 4.1.1 wants them before encoding. */
static void put_body(struct pw_buf *out, struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf lines = { 0 };

	while (text.len > 0) {
		struct pw_str line = pw_str_cut(&text, '\n');

		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		pw_buf_puts(&lines, line);
		pw_buf_puts(&lines, PW_STR("\r\n"));
	}
	for (size_t at = 0; at < lines.len; at += LINE_BYTES) {
		put_base64(out, pw_str_sub(pw_buf_str(&lines), at, LINE_BYTES));
		pw_buf_puts(out, PW_STR("\r\n"));
	}
	if (pw_buf_status(&lines) != PW_OK)
		out->status = pw_buf_status(&lines);
}

/* Length of the longest start of text that fits in a word and splits no character. */
static size_t word_length(struct pw_str text)
{
	size_t len = 0, next;

	while (len < text.len &&
	       (next = pw_utf8_length(pw_str_sub(text, len, text.len))) > 0 &&
	       len + next <= WORD_BYTES)
		len += next;
	return len > 0 ? len : 1;
}

static void blank_controls(struct pw_buf *text)
{
	for (size_t i = 0; i < text->len; i++)
		if ((unsigned char)text->at[i] < ' ')
			text->at[i] = ' ';
}

/* Always encoded words: whatever is in text, it ends no line and fits its lines. */
static void put_subject(struct pw_buf *out, struct pw_str text)
{
	pw_buf_puts(out, PW_STR("Subject:"));
	for (size_t len; text.len > 0; text = pw_str_sub(text, len, text.len)) {
		len = word_length(text);
		pw_buf_puts(out, PW_STR(" =?utf-8?B?"));
		put_base64(out, pw_str_sub(text, 0, len));
		pw_buf_puts(out, len < text.len ? PW_STR("?=\r\n") : PW_STR("?="));
	}
	pw_buf_puts(out, PW_STR("\r\n"));
}

/* ---- the header */

/* gmtime_r knows neither the time nor the zone: it is arithmetic. */
static void put_date(struct pw_buf *out, int64_t wall_ms)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t when = (time_t)(wall_ms / 1000);
	struct tm tm = { 0 };

	gmtime_r(&when, &tm);
	pw_buf_printf(out, "Date: %s, %d %s %04d %02d:%02d:%02d +0000\r\n",
	              days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
	              tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static bool is_address(struct pw_str login)
{
	size_t at = pw_str_rfind(login, '@');

	for (size_t i = 0; i < login.len; i++)
		if ((unsigned char)login.at[i] <= ' ' || login.at[i] == 0x7f ||
		    login.at[i] == '<' || login.at[i] == '>')
			return false;
	return at > 0 && at + 1 < login.len;
}

enum pw_status warning_put(struct pw_buf *out, const struct chores_warning *warning,
                           struct pw_str token, int64_t now_wall_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf subject = { 0 }, text = { 0 };
	struct pw_str domain =
		pw_str_sub(warning->login, pw_str_rfind(warning->login, '@') + 1,
	                   warning->login.len);

	if (!is_address(warning->login))
		return PW_ERR_SYNTAX;
	expand(&subject, warning->subject, WARNING_SUBJECT_MAX, warning);
	blank_controls(&subject);
	expand(&text, warning->text, WARNING_TEXT_MAX, warning);
	if (pw_buf_status(&subject) != PW_OK || pw_buf_status(&text) != PW_OK)
		return PW_ERR_NOMEM;
	put_date(out, now_wall_ms);
	pw_buf_printf(out, "From: postmaster@%.*s\r\nTo: %.*s\r\n", PW_FMT(domain),
	              PW_FMT(warning->login));
	put_subject(out, pw_buf_str(&subject));
	pw_buf_printf(out, "Message-ID: <%.*s.warning@%.*s>\r\n", PW_FMT(token),
	              PW_FMT(domain));
	pw_buf_puts(out, PW_STR("Auto-Submitted: auto-generated\r\n"
	                        "MIME-Version: 1.0\r\n"
	                        "Content-Type: text/plain; charset=utf-8\r\n"
	                        "Content-Transfer-Encoding: base64\r\n\r\n"));
	put_body(out, pw_buf_str(&text));
	return pw_buf_status(out);
}
