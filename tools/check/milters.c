#include <string.h>

#include "tools/check/postfix.h"

#define RELOAD " && postfix reload"
#define MILTERS_MAX 32
#define PROXY_TIMEOUT_S 290 /* postward-origin gives an inner host 280 s */

/* Milters of one service, in their order. */
struct chain {
	struct postconf_endpoint at[MILTERS_MAX];
	size_t count;
	struct pw_str text;   /* as configured */
	struct pw_str common; /* milter_default_action */
	const char *what;     /* parameter */
	const struct postconf *conf;
	const struct postconf_service *service; /* NULL = main.cf */
};

static void chain_read(struct chain *out, const struct postconf *conf,
                       const struct postconf_service *service, const char *what)
{
	struct pw_str rest = postconf_value(conf, service, what), item;

	*out = (struct chain){
		.text = rest, .what = what, .conf = conf, .service = service
	};
	out->common = postconf_value(conf, service, "milter_default_action");
	while (out->count < MILTERS_MAX && postconf_next_item(&rest, &item))
		postconf_endpoint(&out->at[out->count++], item);
}

/* Its place, or count. */
static size_t chain_find(const struct chain *chain, const char *socket)
{
	for (size_t i = 0; i < chain->count; i++)
		if (postconf_is_socket(&chain->at[i], socket))
			return i;
	return chain->count;
}

static struct pw_str where(const struct chain *chain)
{
	return chain->service != NULL ? chain->service->name : pw_str_from(chain->what);
}

static void cure(struct check_report *report, const struct chain *chain,
                 struct pw_str value)
{
	PW_AUTO(pw_buf_done) struct pw_buf command = { 0 };

	postconf_put_command(&command, chain->conf, chain->service, chain->what, value);
	check_cure(report, "%s", pw_buf_text(&command));
}

/* The list with one of ours added: first or last. */
static void cure_missing(struct check_report *report, const struct chain *chain,
                         const char *socket, bool is_first)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	const char *gap = chain->text.len > 0 ? "," : "";

	if (is_first)
		pw_buf_printf(&value, "unix:postward/%s%s", socket, gap);
	pw_buf_puts(&value, chain->text);
	if (!is_first)
		pw_buf_printf(&value, "%sunix:postward/%s", gap, socket);
	cure(report, chain, pw_buf_str(&value));
}

/* The list with what is said about one of them left out. */
static void cure_replace(struct check_report *report, const struct chain *chain, size_t i)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	struct pw_str rest = chain->text, item;

	for (size_t k = 0; postconf_next_item(&rest, &item); k++)
		pw_buf_printf(&value, "%s%.*s", k > 0 ? "," : "",
		              PW_FMT(k == i ? chain->at[i].address : item));
	cure(report, chain, pw_buf_str(&value));
}

/* Without its answer a message has to wait: not to pass, and not to be refused. */
static void judge_action(struct check_report *report, const struct chain *chain, size_t i)
{
	struct pw_str action = chain->at[i].default_action;

	if (action.len == 0)
		action = chain->common;
	if (pw_str_eq_nocase(action, PW_STR("tempfail")))
		return;
	check_error(report,
	            "%.*s: while %.*s is away, mail is treated with \"%.*s\"; it has "
	            "to wait (tempfail)",
	            PW_FMT(where(chain)), PW_FMT(chain->at[i].address), PW_FMT(action));
	if (chain->at[i].default_action.len > 0)
		cure_replace(report, chain, i);
	else
		check_cure(report,
		           "postconf -e 'milter_default_action = tempfail'" RELOAD);
}

/* Returns the place of the milter; reports its absence, and what happens while it is
 * away. */
static size_t need(struct check_report *report, const struct chain *chain,
                   const char *socket, bool is_first, const char *why)
{
	size_t i = chain_find(chain, socket);

	if (i < chain->count) {
		judge_action(report, chain, i);
		return i;
	}
	check_error(report, "%.*s: %s is not among the milters: %s", PW_FMT(where(chain)),
	            socket, why);
	cure_missing(report, chain, socket, is_first);
	return i;
}

/* What a milter behind refused or changed, this one does not know of. */
static void need_last(struct check_report *report, const struct chain *chain, size_t i,
                      const char *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	struct pw_str rest = chain->text, item;

	if (i + 1 >= chain->count)
		return;
	for (size_t k = 0; postconf_next_item(&rest, &item); k++)
		if (k != i)
			pw_buf_printf(&value, "%.*s,", PW_FMT(item));
	check_error(report, "%.*s: %.*s stands behind %.*s: %s", PW_FMT(where(chain)),
	            PW_FMT(chain->at[i + 1].address), PW_FMT(chain->at[i].address), why);
	pw_buf_puts(&value, chain->at[i].address);
	cure(report, chain, pw_buf_str(&value));
}

/* Seconds of a time as postconf prints it with its unit; 0 = not understood. */
static int64_t seconds_of(struct pw_str time)
{
	static const char units[] = "smhdw";
	static const int64_t lengths[] = { 1, 60, 3600, 86400, 604800 };
	int64_t number = 0;
	size_t digits = time.len > 0 ? time.len - 1 : 0;
	const char *unit = time.len > 0 ? strchr(units, time.at[digits]) : NULL;

	if (unit == NULL)
		return pw_str_to_int64(time, 0, INT32_MAX, &number) == PW_OK ? number : 0;
	if (pw_str_to_int64(pw_str_sub(time, 0, digits), 0, INT32_MAX, &number) != PW_OK)
		return 0;
	return number * lengths[unit - units];
}

/* What the inner host sends out may not go back there. */
static void tell_loop(struct check_report *report, const struct chain *chain,
                      const char *socket, const char *parameter)
{
	PW_AUTO(pw_buf_done) struct pw_buf command = { 0 };

	check_error(report,
	            "%.*s: %s takes what the inner host sends and would hand it back "
	            "there",
	            PW_FMT(where(chain)), socket);
	postconf_put_command(&command, chain->conf, chain->service, parameter,
	                     (struct pw_str){ 0 });
	check_cure(report, "%s", pw_buf_text(&command));
}

/* postward-origin as a proxy filter stands in place of the milter. Returns whether it
 * does. */
static bool judge_proxy_filter(struct check_report *report, const struct chain *chain,
                               size_t origin, bool is_public)
{
	PW_AUTO(pw_buf_done) struct pw_buf command = { 0 };
	struct pw_str filter =
		postconf_value(chain->conf, chain->service, "smtpd_proxy_filter");
	struct pw_str timeout =
		postconf_value(chain->conf, chain->service, "smtpd_proxy_timeout");

	if (!pw_str_contains(filter, PW_STR("proxy.sock")))
		return false;
	if (!is_public) {
		tell_loop(report, chain, "proxy.sock", "smtpd_proxy_filter");
		return false;
	}
	if (origin < chain->count) {
		check_error(report,
		            "%.*s: postward-origin is both milter and proxy filter: each "
		            "recipient is asked twice",
		            PW_FMT(where(chain)));
		cure(report, chain, (struct pw_str){ 0 });
	}
	if (seconds_of(timeout) < PROXY_TIMEOUT_S) {
		check_warning(report,
		              "%.*s: smtpd_proxy_timeout is %.*s, an inner host may need "
		              "longer for a message, which then comes twice",
		              PW_FMT(where(chain)), PW_FMT(timeout));
		postconf_put_command(&command, chain->conf, chain->service,
		                     "smtpd_proxy_timeout", PW_STR("300s"));
		check_cure(report, "%s", pw_buf_text(&command));
	}
	return true;
}

static void judge_edge(struct check_report *report, const struct chain *chain,
                       unsigned int port)
{
	size_t i = chain_find(chain, "origin.sock");
	bool is_public = port == 25 || port == 0;

	if (judge_proxy_filter(report, chain, i, is_public))
		return;
	if (is_public) {
		i = need(
			report, chain, "origin.sock", false,
			"mail is not handed to the inner host with its client's address");
		need_last(report, chain, i,
		          "a recipient it refuses would still get the message");
	} else if (i < chain->count) {
		tell_loop(report, chain, "origin.sock", chain->what);
	}
}

/* Behind score, whose word it takes. Where it is missing nothing is lost but seals. */
static void judge_sealing(struct check_report *report, const struct chain *chain)
{
	size_t dkim = chain_find(chain, "dkim.sock");

	if (dkim == chain->count) {
		check_warning(report,
		              "%.*s: dkim.sock is not among the milters: forwarded mail "
		              "gets no ARC seal",
		              PW_FMT(where(chain)));
		cure_missing(report, chain, "dkim.sock", false);
		return;
	}
	judge_action(report, chain, dkim);
	need_last(report, chain, dkim, "what it changes breaks the ARC seal");
}

static void judge_inner(struct check_report *report, const struct chain *chain,
                        unsigned int port)
{
	size_t dkim;

	if (port == 25 || port == 0) {
		(void)need(report, chain, "score.sock", true,
		           "mail from outside is not judged");
		judge_sealing(report, chain);
	}
	if (port != 587 && port != 465)
		return;
	dkim = need(report, chain, "dkim.sock", false, "what users send is not signed");
	need_last(report, chain, dkim, "what it changes breaks the signature");
}

/* Whatever the list of milters is, Postfix may be told to ask none; the way back of a
 * content filter is right to be. Returns whether it is so. */
static bool judge_override(struct check_report *report, const struct postconf *conf,
                           const struct postconf_service *s)
{
	static const char name[] = "receive_override_options";
	PW_AUTO(pw_buf_done) struct pw_buf others = { 0 }, command = { 0 };
	struct pw_str rest = postconf_value(conf, s, name), item;
	bool is_found = false;

	while (postconf_next_item(&rest, &item)) {
		if (pw_str_eq_nocase(item, PW_STR("no_milters")))
			is_found = true;
		else
			pw_buf_printf(&others, "%s%.*s", others.len > 0 ? "," : "",
			              PW_FMT(item));
	}
	if (!is_found || (!postconf_is_public(s) && !postconf_is_submission(s)))
		return false;
	check_error(report, "%.*s: %s has no_milters: none of them is asked",
	            PW_FMT(s->name), name);
	postconf_put_command(&command, conf, s, name, pw_buf_str(&others));
	check_cure(report, "%s", pw_buf_text(&command));
	return true;
}

void judge_milters(struct check_report *report, const struct postconf *conf,
                   enum check_role role)
{
	struct chain chain;
	bool is_any = false;

	for (size_t i = 0; i < conf->count; i++) {
		if (!postconf_is_smtpd(&conf->services[i]))
			continue;
		is_any = true;
		if (judge_override(report, conf, &conf->services[i]))
			continue;
		chain_read(&chain, conf, &conf->services[i], "smtpd_milters");
		(role == CHECK_EDGE ? judge_edge : judge_inner)(
			report, &chain, postconf_port(&conf->services[i]));
	}
	if (!is_any) {
		check_error(report, "master.cf has no smtpd: no mail comes in");
		check_cure(report, "postwardctl setup");
	}
	if (role == CHECK_EDGE)
		return;
	chain_read(&chain, conf, NULL, "non_smtpd_milters");
	(void)need(report, &chain, "dkim.sock", false,
	           "what local programs send is not signed");
}
