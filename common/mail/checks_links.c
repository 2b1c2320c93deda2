/* Links: where they really lead. */
#include "mail/checks_room.h"
#include "mail/url.h"

#define SHORT_TEXT 200 /* bytes of text beside a link */
#define LONG_TOKEN 60  /* bytes of a path without a slash */

static void check_port(const struct pw_check *c, const struct pw_url *url)
{
	if (url->port.len > 0 && !pw_str_eq(url->port, PW_STR("80")) &&
	    !pw_str_eq(url->port, PW_STR("443")) && !pw_str_eq(url->port, PW_STR("8080")))
		pw_fire(c, PW_SYM_URL_ODD_PORT, url->text);
}

/* "0x7f000001", "2130706433", "0300.0250.1.1": numbers a browser reads as an address. */
static bool is_odd_number(struct pw_str host)
{
	bool is_number = host.len > 0;
	struct pw_ip ip;

	for (size_t i = 0; i < host.len; i++)
		if (!pw_is_digit(host.at[i]) && host.at[i] != '.')
			is_number = false;
	if (is_number)
		return pw_ip_parse(&ip, host) != PW_OK;
	return host.len > 2 && host.at[0] == '0' && pw_lower(host.at[1]) == 'x';
}

/* host: as in url, decoded; it does not outlive the call, so evidence is url's. */
static void check_host(const struct pw_check *c, const struct pw_url *url,
                       struct pw_str host)
{
	size_t dot = pw_str_rfind(host, '.'), digits = 0;
	struct pw_ip ip;

	if (pw_ip_parse(&ip, host) == PW_OK) {
		pw_fire(c, PW_SYM_HTTP_TO_IP, url->text);
		return;
	}
	if (is_odd_number(host) || pw_str_find(url->host, '%') < url->host.len)
		pw_fire(c, PW_SYM_URL_OBFUSCATED, url->text);
	for (size_t i = 0; i < host.len; i++)
		digits += pw_is_digit(host.at[i]);
	if (digits >= 6)
		pw_fire(c, PW_SYM_URL_DIGIT_HOST, url->host);
	if (dot < host.len &&
	    pw_list_has(PW_LIST_BAD_TLD, pw_str_sub(host, dot + 1, host.len)))
		pw_fire(c, PW_SYM_URL_BAD_TLD, url->host);
	if (pw_list_has(PW_LIST_SHORTENER, host))
		pw_fire(c, PW_SYM_URL_SHORTENER, url->host);
	if (pw_list_has(PW_LIST_FREE_HOSTING, host))
		pw_fire(c, PW_SYM_URL_FREE_HOSTING, url->host);
}

static void check_path(const struct pw_check *c, const struct pw_url *url)
{
	size_t run = 0;

	for (size_t i = 0; i < url->path.len; i++) {
		run = pw_is_alnum(url->path.at[i]) || url->path.at[i] == '-' ||
		                      url->path.at[i] == '_' || url->path.at[i] == '='
		              ? run + 1
		              : 0;
		if (run >= LONG_TOKEN)
			pw_fire(c, PW_SYM_URL_LONG_PATH, url->text);
	}
}

/* An anchor that reads like another host than it leads to. */
static void check_anchor(const struct pw_check *c, const struct pw_link *link,
                         struct pw_str host)
{
	struct pw_str shown_text, shown_host, real, shown_org;
	PW_AUTO(pw_buf_done) struct pw_buf lower = { 0 };
	struct pw_url shown;
	size_t pos = 0;

	if (!link->is_anchor || link->shown.len == 0 ||
	    !pw_url_next(link->shown, &pos, &shown_text) ||
	    shown_text.at != link->shown.at || !pw_url_parse(&shown, shown_text))
		return;
	pw_url_put_host(&lower, shown.host);
	shown_host = pw_buf_str(&lower);
	if (pw_str_find(shown_host, '.') == shown_host.len)
		return;
	real = pw_check_org(c, host);
	shown_org = pw_check_org(c, shown_host);
	if (!pw_str_eq_nocase(real, shown_org))
		pw_fire(c, PW_SYM_PHISHING_ANCHOR, shown.host);
}

static bool has_recipient(const struct pw_check *c, struct pw_str url)
{
	for (size_t i = 0; i < c->envelope->recipient_count && i < 5; i++) {
		const struct pw_mailbox *rcpt = &c->envelope->recipients[i];
		size_t at = pw_str_find(url, '@');

		if (at < url.len && at >= rcpt->local.len && rcpt->local.len > 0 &&
		    pw_str_eq_nocase(
			    pw_str_sub(url, at - rcpt->local.len, rcpt->local.len),
			    rcpt->local) &&
		    pw_str_starts_nocase(pw_str_sub(url, at + 1, url.len), rcpt->domain))
			return true;
	}
	return false;
}

static void check_link(const struct pw_check *c, const struct pw_link *link)
{
	PW_AUTO(pw_buf_done) struct pw_buf host = { 0 };
	struct pw_url url;

	if (!pw_url_parse(&url, link->url)) {
		if (pw_str_eq_nocase(url.scheme, PW_STR("mailto")) &&
		    (pw_has(url.path, "remove") || pw_has(url.path, "unsubscribe")))
			pw_fire(c, PW_SYM_MAILTO_REMOVE, link->url);
		return;
	}
	pw_url_put_host(&host, url.host);
	if (url.user.len > 0)
		pw_fire(c, PW_SYM_URL_OBFUSCATED, url.text);
	check_port(c, &url);
	check_host(c, &url, pw_buf_str(&host));
	check_anchor(c, link, pw_buf_str(&host));
	if (link->is_image)
		return;
	check_path(c, &url);
	if (has_recipient(c, link->url))
		pw_fire(c, PW_SYM_URL_RCPT_IN_LINK, link->url);
}

void pw_check_links(const struct pw_check *c)
{
	const struct pw_links *links = &c->message->links;

	for (size_t i = 0; i < links->count; i++)
		check_link(c, &links->at[i]);
	if (links->count > 0 && c->message->lower.len < SHORT_TEXT &&
	    (links->at[0].is_anchor || links->count == 1))
		pw_fire(c, PW_SYM_URL_ONLY, links->at[0].url);
}
