#include "core/url_known.h"

#include "core/ascii.h"

#define PIECE_MIN 8 /* bytes of base64 that can hold an address */

/* clang-format off */
static const struct redirector {
	const char *host;      /* or a name below it */
	const char *path;      /* what the path begins with */
	const char *parameter; /* holds the target; NULL: it is not in clear */
} redirectors[] = {
	{ "google.com",            "/url?",           "q" },
	{ "google.com",            "/url?",           "url" },
	{ "google.com",            "/amp/",           NULL },
	{ "google.com",            "/travel/clk",     "pcurl" },
	{ "googleadservices.com",  "/pagead/aclk",    "adurl" },
	{ "googleadservices.com",  "/pagead/aclk",    NULL },
	{ "doubleclick.net",       "/",               "adurl" },
	{ "doubleclick.net",       "/clk",            NULL },
	{ "doubleclick.net",       "/pcs/click",      "adurl" },
	{ "bing.com",              "/ck/a",           NULL },
	{ "youtube.com",           "/redirect",       "q" },
	{ "facebook.com",          "/l.php",          "u" },
	{ "facebook.com",          "/flx/warn",       "u" },
	{ "instagram.com",         "/",               "u" },
	{ "linkedin.com",          "/redir",          "url" },
	{ "linkedin.com",          "/slink",          NULL },
	{ "vk.com",                "/away.php",       "to" },
	{ "search.yahoo.com",      "/",               NULL },
	{ "baidu.com",             "/link?",          "url" },
	{ "yandex.ru",             "/clck/",          NULL },
	{ "yandex.net",            "/redirect",       "url" },
	{ "mail.ru",               "/redir",          NULL },
	{ "steamcommunity.com",    "/linkfilter/",    "url" },
	{ "slack-redir.net",       "/link",           "url" },
	{ "duckduckgo.com",        "/l/?",            "uddg" },
	{ "ebay.com",              "/rover/",         "mpre" },
	{ "awin1.com",             "/cread.php",      "ued" },
	{ "kakao.com",             "/url",            "url" },
	{ "weixin110.qq.com",      "/cgi-bin/",       NULL },
};
/* clang-format on */

static bool is_within(struct pw_str host, struct pw_str name)
{
	return pw_str_ends_nocase(host, name) &&
	       (host.len == name.len || host.at[host.len - name.len - 1] == '.');
}

static struct pw_str parameter(struct pw_str query, struct pw_str name)
{
	while (query.at != NULL) {
		struct pw_str value = pw_str_cut(&query, '&');

		if (pw_str_eq(pw_str_cut(&value, '='), name) && value.at != NULL)
			return value;
	}
	return (struct pw_str){ "", 0 };
}

static bool leads_out(struct pw_str value)
{
	return pw_str_starts_nocase(value, PW_STR("http")) ||
	       pw_str_starts(value, PW_STR("//")) || pw_str_starts(value, PW_STR("%2"));
}

bool pw_url_is_redirect(const struct pw_url *url, struct pw_str host,
                        struct pw_str *target)
{
	*target = (struct pw_str){ "", 0 };
	for (size_t i = 0; i < PW_LEN(redirectors); i++) {
		const struct redirector *r = &redirectors[i];

		if (!is_within(host, pw_str_from(r->host)) ||
		    !pw_str_starts_nocase(url->path, pw_str_from(r->path)))
			continue;
		if (r->parameter == NULL)
			return true;
		*target = parameter(url->query, pw_str_from(r->parameter));
		if (leads_out(*target))
			return true;
		*target = (struct pw_str){ "", 0 };
	}
	return false;
}

/* "local@domain" in s, case ignored. */
static bool holds(struct pw_str s, const struct pw_mailbox *a)
{
	for (size_t from = 0; from < s.len;) {
		size_t at = from + pw_str_find(pw_str_sub(s, from, s.len), '@');

		if (at >= s.len)
			return false;
		if (at >= a->local.len &&
		    pw_str_eq_nocase(pw_str_sub(s, at - a->local.len, a->local.len),
		                     a->local) &&
		    pw_str_starts_nocase(pw_str_sub(s, at + 1, s.len), a->domain))
			return true;
		from = at + 1;
	}
	return false;
}

static int base64_value(char c)
{
	if (pw_is_digit(c))
		return c - '0' + 52;
	if (pw_is_alpha(c))
		return c >= 'a' ? c - 'a' + 26 : c - 'A';
	return c == '+' || c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Append what a run of base64 letters stands for. */
static void put_base64(struct pw_buf *out, struct pw_str run)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < run.len; i++) {
		bits = bits << 6 | (uint32_t)base64_value(run.at[i]);
		if ((have += 6) < 8)
			continue;
		have -= 8;
		pw_buf_putc(out, (char)(bits >> have & 0xff));
	}
}

/* '/' parts what is in base64 from what is not: more often than it is a letter of it. */
static bool holds_base64(struct pw_str s, const struct pw_mailbox *a)
{
	PW_AUTO(pw_buf_done) struct pw_buf bytes = { 0 };
	size_t start = 0;

	for (size_t i = 0; i <= s.len; i++) {
		if (i < s.len && base64_value(s.at[i]) >= 0)
			continue;
		if (i - start >= PIECE_MIN) {
			put_base64(&bytes, pw_str_sub(s, start, i - start));
			pw_buf_putc(&bytes, '\n');
		}
		start = i + 1;
	}
	return holds(pw_buf_str(&bytes), a);
}

bool pw_url_has_address(const struct pw_url *url, const struct pw_mailbox *address)
{
	PW_AUTO(pw_buf_done) struct pw_buf plain = { 0 };

	if (address->local.len == 0 || address->domain.len == 0)
		return false;
	pw_url_unescape(&plain, url->text);
	return holds(pw_buf_str(&plain), address) ||
	       holds_base64(pw_buf_str(&plain), address);
}
