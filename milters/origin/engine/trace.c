#include "origin/engine/trace.h"

#include <time.h>

#include "core/ascii.h"

#define TRACE_VALUE_MAX 255

static void put_clean(struct pw_buf *out, struct pw_str value)
{
	value = pw_str_sub(value, 0, TRACE_VALUE_MAX);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];
		bool is_kept = pw_is_alnum(c) || c == '.' || c == '_' || c == ':' ||
		               c == '-' || c == '[' || c == ']';

		pw_buf_putc(out, is_kept ? c : '?');
	}
}

/* RFC 5322 3.3, without the locale's names. */
static void put_date(struct pw_buf *out, int64_t now_s)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t at = (time_t)now_s;
	struct tm tm;

	if (!gmtime_r(&at, &tm))
		tm = (struct tm){ .tm_mday = 1, .tm_year = 70, .tm_wday = 4 };
	pw_buf_printf(out, "%.3s, %d %.3s %04d %02d:%02d:%02d +0000 (UTC)",
	              &days[tm.tm_wday * 3], tm.tm_mday, &months[tm.tm_mon * 3],
	              tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_from(struct pw_buf *out, const struct pw_origin *origin)
{
	bool is_named = origin->name_state == PW_NAME_KNOWN && origin->name.len > 0;

	pw_buf_puts(out, PW_STR("Received: from "));
	put_clean(out, origin->helo.len ? origin->helo : PW_STR("unknown"));
	pw_buf_puts(out, PW_STR(" ("));
	put_clean(out, is_named ? origin->name : PW_STR("unknown"));
	pw_buf_puts(out, PW_STR(" ["));
	if (origin->address.family == PW_IP_V6)
		pw_buf_puts(out, PW_STR("IPv6:"));
	pw_ip_put(out, origin->address);
	pw_buf_puts(out, PW_STR("])\r\n"));
}

void trace_put(struct pw_buf *out, const struct pw_origin *origin, struct pw_str host,
               struct pw_str queue_id, int64_t now_s)
{
	bool is_plain = pw_str_eq_nocase(origin->protocol, PW_STR("SMTP"));

	put_from(out, origin);
	if (origin->tls_version.len) {
		pw_buf_puts(out, PW_STR("\t(using "));
		put_clean(out, origin->tls_version);
		pw_buf_puts(out, PW_STR(" with cipher "));
		put_clean(out, origin->tls_cipher);
		pw_buf_puts(out, PW_STR(")\r\n"));
	}
	pw_buf_puts(out, PW_STR("\tby "));
	put_clean(out, host);
	pw_buf_puts(out, PW_STR(" (postward) with "));
	pw_buf_puts(out, is_plain ? PW_STR("SMTP") : PW_STR("ESMTP"));
	if (!is_plain && origin->tls_version.len) /* RFC 3848 */
		pw_buf_putc(out, 'S');
	if (!is_plain && origin->login.len)
		pw_buf_putc(out, 'A');
	if (queue_id.len) {
		pw_buf_puts(out, PW_STR(" id "));
		put_clean(out, queue_id);
	}
	pw_buf_puts(out, PW_STR(";\r\n\t"));
	put_date(out, now_s);
	pw_buf_puts(out, PW_STR("\r\n"));
}
