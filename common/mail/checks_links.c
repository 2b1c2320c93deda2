/* Links: where they really lead. */
#include "core/url.h"
#include "core/url_known.h"
#include "mail/checks_room.h"

#define SHORT_TEXT 200    /* bytes of text beside a link */
#define LONG_TOKEN 60     /* bytes of a path without a slash */
#define RCPT_MAX 5        /* recipients looked for in links */
#define DIGITS_MANY 6     /* in one host name */
#define FORM_LINKS_MAX 20 /* links of a plain form compared */
#define SET_MAX 100       /* with so many of the other form */

/* A link that was taken apart. */
struct target {
	const struct pw_link *link;
	struct pw_url url;
	struct pw_url_host host;
	struct pw_str name; /* of host */
};

static void check_port(const struct pw_check *c, const struct pw_url *url)
{
	if (url->port.len > 0 && !pw_str_eq(url->port, PW_STR("80")) &&
	    !pw_str_eq(url->port, PW_STR("443")) && !pw_str_eq(url->port, PW_STR("8080")))
		pw_fire(c, PW_SYM_URL_ODD_PORT, url->text);
}

static void check_tricks(const struct pw_check *c, const struct target *t)
{
	/* clang-format off */
	static const struct {
		unsigned tricks; /* enum pw_url_trick */
		enum pw_symbol symbol;
	} rows[] = {
		{ PW_URL_ESCAPED | PW_URL_NUMBER | PW_URL_WIDE | PW_URL_BACKSLASH, PW_SYM_URL_OBFUSCATED },
		{ PW_URL_INVISIBLE,                                                PW_SYM_URL_ZERO_WIDTH },
		{ PW_URL_LOOKALIKE,                                                PW_SYM_URL_HOMOGRAPH },
	};
	/* clang-format on */

	if ((t->host.tricks & PW_URL_DEFANGED) != 0)
		return; /* whoever writes so warns of it */
	for (size_t i = 0; i < PW_LEN(rows); i++)
		if ((t->host.tricks & rows[i].tricks) != 0)
			pw_fire(c, rows[i].symbol, t->url.text);
	if (t->url.user.len > 0)
		pw_fire(c, PW_SYM_URL_OBFUSCATED, t->url.text);
}

static void check_name(const struct pw_check *c, const struct target *t)
{
	size_t dot = pw_str_rfind(t->name, '.'), digits = 0;

	for (size_t i = 0; i < t->name.len; i++)
		digits += pw_is_digit(t->name.at[i]);
	if (digits >= DIGITS_MANY)
		pw_fire(c, PW_SYM_URL_DIGIT_HOST, t->url.host);
	if (dot < t->name.len &&
	    pw_list_has(PW_LIST_BAD_TLD, pw_str_sub(t->name, dot + 1, t->name.len)))
		pw_fire(c, PW_SYM_URL_BAD_TLD, t->url.host);
	if (pw_list_has(PW_LIST_SHORTENER, t->name))
		pw_fire(c, PW_SYM_URL_SHORTENER, t->url.host);
	if (pw_list_has(PW_LIST_FREE_HOSTING, t->name))
		pw_fire(c, PW_SYM_URL_FREE_HOSTING, t->url.host);
}

static void check_path(const struct pw_check *c, const struct target *t)
{
	struct pw_str path = t->url.path, aim;
	size_t run = 0;

	for (size_t i = 0; i < path.len; i++) {
		run = pw_is_alnum(path.at[i]) || path.at[i] == '-' || path.at[i] == '_' ||
		                      path.at[i] == '='
		              ? run + 1
		              : 0;
		if (run >= LONG_TOKEN)
			pw_fire(c, PW_SYM_URL_LONG_PATH, t->url.text);
	}
	if (pw_url_is_redirect(&t->url, t->name, &aim))
		pw_fire(c, PW_SYM_URL_OPEN_REDIRECT, t->url.text);
}

/* An anchor that reads like another link than it is. */
static void check_anchor(const struct pw_check *c, const struct target *t)
{
	struct pw_str shown_text, real, shown_org;
	struct pw_url_host host;
	struct pw_url shown;
	size_t pos = 0;
	bool is_bare;

	if (!t->link->is_anchor || t->link->shown.len == 0 ||
	    !pw_url_next(t->link->shown, &pos, &shown_text, &is_bare) || is_bare ||
	    shown_text.at != t->link->shown.at || !pw_url_parse(&shown, shown_text))
		return;
	pw_url_host_read(&host, &shown);
	if (pw_str_find(pw_url_host_str(&host), '.') == host.len)
		return;
	real = pw_check_org(c, t->name);
	shown_org = pw_check_org(c, pw_url_host_str(&host));
	if (!pw_str_eq_nocase(real, shown_org))
		pw_fire(c, PW_SYM_PHISHING_ANCHOR, shown.host);
	else if (pw_str_eq_nocase(shown.scheme, PW_STR("https")) &&
	         pw_str_eq_nocase(t->url.scheme, PW_STR("http")))
		pw_fire(c, PW_SYM_ANCHOR_HTTP_HTTPS, t->url.text);
}

/* Senders that can be named may know whom they write to: their links to leave a list do.
 */
static void check_recipient(const struct pw_check *c, const struct target *t)
{
	if (c->auth != NULL &&
	    (c->auth->is_dkim_aligned || c->auth->dmarc.result == PW_DMARC_PASS))
		return;
	for (size_t i = 0; i < c->envelope->recipient_count && i < RCPT_MAX; i++)
		if (pw_url_has_address(&t->url, &c->envelope->recipients[i]))
			pw_fire(c, PW_SYM_URL_RCPT_IN_LINK, t->url.text);
}

static void check_link(const struct pw_check *c, const struct pw_link *link)
{
	struct target t = { .link = link };

	if (!pw_url_parse(&t.url, link->url)) {
		if (pw_str_eq_nocase(t.url.scheme, PW_STR("mailto")) &&
		    (pw_has(t.url.path, "remove") || pw_has(t.url.path, "unsubscribe")))
			pw_fire(c, PW_SYM_MAILTO_REMOVE, link->url);
		return;
	}
	pw_url_host_read(&t.host, &t.url);
	t.name = pw_url_host_str(&t.host);
	check_tricks(c, &t);
	check_port(c, &t.url);
	if (t.host.ip.family == PW_IP_NONE)
		check_name(c, &t);
	else if ((t.host.tricks & PW_URL_NUMBER) == 0)
		pw_fire(c, PW_SYM_HTTP_TO_IP, t.url.text);
	check_anchor(c, &t);
	if (link->is_image)
		return;
	check_path(c, &t);
	check_recipient(c, &t);
}

/* How much else there is beside the links. */
static void check_amount(const struct pw_check *c)
{
	const struct pw_links *links = &c->message->links;
	struct pw_str text = pw_str_trim(c->message->text), line;
	const struct pw_link *first = NULL;
	size_t count = 0, pos = 0;
	bool is_bare;

	for (size_t i = 0; i < links->count; i++) {
		if (links->at[i].is_bare)
			continue;
		first = first == NULL ? &links->at[i] : first;
		count++;
	}
	if (first == NULL)
		return;
	if (c->message->lower.len < SHORT_TEXT && (first->is_anchor || count == 1))
		pw_fire(c, PW_SYM_URL_ONLY, first->url);
	line = pw_str_sub(text, 0, pw_str_find(text, '\n'));
	if (line.len == text.len && pw_url_next(text, &pos, &line, &is_bare) &&
	    !is_bare && line.len * 2 > text.len)
		pw_fire(c, PW_SYM_URL_ONE_LINE, line);
}

/* Where a part's text stands in that of the message: they follow each other. */
static struct pw_str text_of(const struct pw_message *m, const struct pw_part *part)
{
	size_t at = 0;

	for (const struct pw_part *p = m->parts; p < part; p++)
		at += p->text_len;
	return pw_str_sub(m->text, at, part->text_len);
}

/* Does an anchor lead into the organisation? */
static bool is_anchored(const struct pw_check *c, struct pw_str org)
{
	const struct pw_links *links = &c->message->links;
	struct pw_url url;

	for (size_t i = 0; i < links->count && i < SET_MAX; i++)
		if (links->at[i].is_anchor && !links->at[i].is_image &&
		    pw_url_parse(&url, links->at[i].url) &&
		    pw_str_eq_nocase(pw_check_org(c, url.host), org))
			return true;
	return false;
}

/* Two forms of one text lead to the same places, or one of them is no form of it. */
static void check_forms(const struct pw_check *c, const struct pw_part *plain)
{
	struct pw_str text = text_of(c->message, plain), found;
	struct pw_url url;
	size_t pos = 0, n = 0;
	bool is_bare;

	while (n < FORM_LINKS_MAX && pw_url_next(text, &pos, &found, &is_bare)) {
		if (is_bare || !pw_url_parse(&url, found))
			continue;
		if (is_anchored(c, pw_check_org(c, url.host)))
			return;
		n++;
	}
	if (n > 0 && c->message->html.anchors > 0)
		pw_fire(c, PW_SYM_URL_COUNT_ODD, url.text);
}

static void check_alternatives(const struct pw_check *c)
{
	const struct pw_message *m = c->message;

	for (size_t i = 0; i < m->part_count; i++)
		if (m->parts[i].is_in_alternative && !m->parts[i].is_attachment &&
		    pw_str_eq(m->parts[i].type, PW_STR("text/plain"))) {
			check_forms(c, &m->parts[i]);
			return;
		}
}

void pw_check_links(const struct pw_check *c)
{
	const struct pw_links *links = &c->message->links;
	struct pw_str url;
	size_t pos = 0;
	bool is_bare;

	for (size_t i = 0; i < links->count; i++)
		check_link(c, &links->at[i]);
	check_amount(c);
	check_alternatives(c);
	if (pw_url_next(c->message->subject, &pos, &url, &is_bare) && !is_bare)
		pw_fire(c, PW_SYM_URL_IN_SUBJECT, url);
}
