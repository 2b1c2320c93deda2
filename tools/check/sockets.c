/* Sockets, tried as the user who has to connect. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/ip.h"
#include "io/clock.h"
#include "tools/check/check.h"
#include "tools/identity.h"
#include "tools/probe.h"
#include "tools/settings_file.h"

#define PATIENCE_MS 5000
#define SEEN_MAX 64

/* ---- one connection as somebody ---- */

struct attempt {
	const char *path;
	enum probe_kind kind;
	int64_t deadline_ms;
};

static int connect_now(void *arg)
{
	const struct attempt *a = arg;

	return (int)probe_unix(a->path, a->kind, a->deadline_ms);
}

/* Returns false after it has told why it could not be tried. */
static bool try_as(struct check_report *report, const char *user, const char *root,
                   const char *folder, struct attempt *attempt,
                   enum probe_result *result_out)
{
	struct identity who;
	int code;
	enum pw_status r;

	if (identity_find(&who, pw_str_from(user)) != PW_OK) {
		check_blind(report, "there is no user %s", user);
		return false;
	}
	r = identity_run(&who, root, folder, connect_now, attempt, &code);
	if (r == PW_OK) {
		*result_out = (enum probe_result)code;
		return true;
	}
	check_blind(report,
	            r == PW_ERR_DENIED ? "only root can try %s as user %s"
	                               : "%s: could not become user %s",
	            attempt->path, user);
	if (r == PW_ERR_DENIED)
		check_cure(report, "sudo postwardctl check");
	return false;
}

static int64_t soon(const struct check_context *context)
{
	int64_t end = pw_clock_mono_ms() + PATIENCE_MS;

	return end < context->deadline_ms ? end : context->deadline_ms;
}

/* ---- Postfix's ---- */

/* Units of the socket and of the program that listens there, by the socket's name. */
struct listening {
	const char *socket, *unit, *service;
};

static const struct listening *listening_of(const char *path)
{
	static const struct listening known[] = {
		{ "score.sock", "postward-score", "postward-score" },
		{ "dkim.sock", "postward-dkim", "postward-dkim" },
		{ "origin.sock", "postward-origin", "postward-origin" },
		{ "queue.sock", "postward-origin", "postward-origin" },
		{ "proxy.sock", "postward-origin", "postward-origin" },
		{ "policy.sock", "postward-policyd", "postward-policyd" },
		{ "map.sock", "postward-map", "postward-policyd" },
		{ "usage.sock", "postward-usage", "postward-policyd" },
		{ "auth.sock", "postward-auth", "postward-policyd" },
		{ "learn.sock", "postward-learn", "postward-score" },
	};
	const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;

	for (size_t i = 0; i < PW_LEN(known); i++)
		if (strcmp(name, known[i].socket) == 0)
			return &known[i];
	return NULL;
}

static void cure_socket(struct check_report *report, const char *path,
                        enum probe_result result)
{
	const struct listening *known = listening_of(path);

	if (known == NULL)
		return;
	if (result == PROBE_NOT_THERE || result == PROBE_DENIED)
		check_cure(report,
		           "systemd-tmpfiles --create && systemctl restart %s.socket",
		           known->unit);
	else
		check_cure(report, "systemctl restart %s; journalctl -u %s -n 20",
		           known->service, known->service);
}

/* Sockets already tried, so that what stands in many lists is tried once. */
struct seen {
	char *at[SEEN_MAX];
	size_t count;
};

static void seen_done(struct seen *seen)
{
	for (size_t i = 0; i < seen->count; i++)
		free(seen->at[i]);
}

static bool is_new(struct seen *seen, const char *path, bool is_chrooted)
{
	PW_AUTO(pw_buf_done) struct pw_buf key = { 0 };

	pw_buf_printf(&key, "%c%s", is_chrooted ? 'y' : 'n', path);
	for (size_t i = 0; i < seen->count; i++)
		if (strcmp(seen->at[i], pw_buf_text(&key)) == 0)
			return false;
	if (seen->count < SEEN_MAX &&
	    (seen->at[seen->count] = strdup(pw_buf_text(&key))) != NULL)
		seen->count++;
	return true;
}

struct round {
	struct check_report *report;
	const struct check_context *context;
	struct seen seen;
	enum probe_kind kind;
	bool is_any;
};

static void round_done(struct round *round)
{
	seen_done(&round->seen);
}

/* Try a socket as Postfix's daemons see it: as user postfix, in the queue directory,
 * which is all they see where they are chrooted. */
static void try_endpoint(struct round *round, struct pw_str address, bool is_chrooted)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 }, queue = { 0 }, user = { 0 };
	struct attempt attempt = { .kind = round->kind,
		                   .deadline_ms = soon(round->context) };
	const struct postconf *conf = &round->context->postfix;
	enum probe_result result;
	size_t colon = pw_str_find(address, ':');

	if (!pw_str_starts(address, PW_STR("unix:")) &&
	    !pw_str_starts(address, PW_STR("local:")))
		return;
	pw_buf_puts(&path, pw_str_sub(address, colon + 1, address.len));
	pw_buf_puts(&queue, postconf_value(conf, NULL, "queue_directory"));
	pw_buf_puts(&user, postconf_value(conf, NULL, "mail_owner"));
	round->is_any = true;
	if (!is_new(&round->seen, pw_buf_text(&path), is_chrooted))
		return;
	attempt.path = pw_buf_text(&path);
	if (!try_as(round->report, pw_buf_text(&user),
	            is_chrooted ? pw_buf_text(&queue) : NULL,
	            is_chrooted ? "/" : pw_buf_text(&queue), &attempt, &result) ||
	    result == PROBE_FINE)
		return;
	check_error(round->report, "%s as user %s%s: %s", pw_buf_text(&path),
	            pw_buf_text(&user), is_chrooted ? " in the chroot" : "",
	            probe_text(result));
	if (is_chrooted && result == PROBE_NOT_THERE && path.at[0] == '/')
		check_cure(round->report,
		           "name it without %s/ in front, in main.cf and master.cf: "
		           "postconf -n "
		           "| grep %s",
		           pw_buf_text(&queue), pw_buf_text(&path));
	else
		cure_socket(round->report, pw_buf_text(&path), result);
}

static bool can_look(struct check_report *report, const struct check_context *context)
{
	if (context->postfix.count > 0)
		return true;
	check_blind(report, "%.*s", PW_FMT(context->postfix_why));
	return false;
}

static void try_list(struct round *round, struct pw_str list, bool is_chrooted)
{
	struct postconf_endpoint endpoint;
	struct pw_str item;

	while (postconf_next_item(&list, &item)) {
		postconf_endpoint(&endpoint, item);
		try_endpoint(round, endpoint.address, is_chrooted);
	}
}

void check_milter_sockets(struct check_report *report,
                          const struct check_context *context)
{
	const struct postconf *conf = &context->postfix;
	PW_AUTO(round_done)
	struct round round = { .report = report,
		               .context = context,
		               .kind = PROBE_MILTER };

	if (!can_look(report, context))
		return;
	for (size_t i = 0; i < conf->count; i++) {
		const struct postconf_service *s = &conf->services[i];

		if (postconf_is_smtpd(s))
			try_list(&round, postconf_value(conf, s, "smtpd_milters"),
			         s->is_chrooted);
		else if (pw_str_eq(s->program, PW_STR("cleanup")))
			try_list(&round, postconf_value(conf, s, "non_smtpd_milters"),
			         s->is_chrooted);
	}
	if (!round.is_any)
		check_skip(report, "no milter has a unix socket");
}

static void try_policies(struct round *round, struct pw_str list, bool is_chrooted)
{
	struct postconf_endpoint endpoint;
	struct pw_str item;

	while (postconf_next_item(&list, &item)) {
		if (!pw_str_eq_nocase(item, PW_STR("check_policy_service")) ||
		    !postconf_next_item(&list, &item))
			continue;
		postconf_endpoint(&endpoint, item);
		/* another policy service may dislike our way to ask */
		round->kind = postconf_is_socket(&endpoint, "policy.sock")
		                      ? PROBE_POLICY
		                      : PROBE_CONNECT;
		try_endpoint(round, endpoint.address, is_chrooted);
	}
}

void check_policy_sockets(struct check_report *report,
                          const struct check_context *context)
{
	static const char *const stages[] = { "smtpd_relay_restrictions",
		                              "smtpd_recipient_restrictions",
		                              "smtpd_data_restrictions",
		                              "smtpd_end_of_data_restrictions" };
	const struct postconf *conf = &context->postfix;
	PW_AUTO(round_done) struct round round = { .report = report, .context = context };

	if (!can_look(report, context))
		return;
	for (size_t i = 0; i < conf->count; i++) {
		const struct postconf_service *s = &conf->services[i];

		for (size_t k = 0; postconf_is_smtpd(s) && k < PW_LEN(stages); k++)
			try_policies(&round, postconf_value(conf, s, stages[k]),
			             s->is_chrooted);
	}
	if (!round.is_any)
		check_skip(report, "no policy service has a unix socket");
}

static bool looks_up(const struct postconf_service *s)
{
	return postconf_is_smtpd(s) || pw_str_eq(s->program, PW_STR("cleanup")) ||
	       pw_str_eq(s->program, PW_STR("trivial-rewrite"));
}

/* "socketmap:unix:PATH:NAME"; several names have one socket. */
static void try_tables(struct round *round, struct pw_str list, bool is_chrooted)
{
	const struct pw_str kind = PW_STR("socketmap:");
	struct pw_str item;

	while (postconf_next_item(&list, &item)) {
		if (!pw_str_starts(item, kind))
			continue;
		item = pw_str_sub(item, kind.len, item.len);
		item = pw_str_sub(item, 0, pw_str_rfind(item, ':'));
		round->kind = pw_str_ends_nocase(item, PW_STR("/map.sock"))
		                      ? PROBE_MAP
		                      : PROBE_CONNECT;
		try_endpoint(round, item, is_chrooted);
	}
}

void check_table_sockets(struct check_report *report, const struct check_context *context)
{
	static const char *const names[] = { "virtual_mailbox_domains",
		                             "virtual_mailbox_maps", "virtual_alias_maps",
		                             "smtpd_sender_login_maps" };
	const struct postconf *conf = &context->postfix;
	PW_AUTO(round_done) struct round round = { .report = report, .context = context };

	if (!can_look(report, context))
		return;
	for (size_t i = 0; i < conf->count; i++) {
		const struct postconf_service *s = &conf->services[i];

		for (size_t k = 0; looks_up(s) && k < PW_LEN(names); k++)
			try_tables(&round, postconf_value(conf, s, names[k]),
			           s->is_chrooted);
	}
	if (!round.is_any)
		check_skip(report, "Postfix looks up at no unix socket");
}

/* Dovecot's sockets for Postfix: logins, and the way of mail into mailboxes. */
void check_sasl_socket(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf sasl = { 0 };
	PW_AUTO(round_done)
	struct round round = { .report = report, .context = context, .kind = PROBE_AUTH };
	const struct postconf *conf = &context->postfix;
	struct pw_str transport = postconf_value(conf, NULL, "virtual_transport");
	struct pw_str path = postconf_value(conf, NULL, "smtpd_sasl_path");

	if (!can_look(report, context))
		return;
	if (!pw_str_starts(path, PW_STR("inet:")))
		pw_buf_printf(&sasl, "unix:%.*s", PW_FMT(path));
	for (size_t i = 0; i < conf->count; i++) {
		const struct postconf_service *s = &conf->services[i];

		round.kind = PROBE_AUTH;
		if (postconf_is_smtpd(s) &&
		    postconf_is(conf, s, "smtpd_sasl_auth_enable", "yes") &&
		    postconf_is(conf, s, "smtpd_sasl_type", "dovecot"))
			try_endpoint(&round, pw_buf_str(&sasl), s->is_chrooted);
		round.kind = PROBE_SMTP;
		if (pw_str_eq(s->name, PW_STR("lmtp")) &&
		    pw_str_starts(transport, PW_STR("lmtp:")))
			try_endpoint(&round, pw_str_sub(transport, 5, transport.len),
			             s->is_chrooted);
	}
	if (!round.is_any)
		check_skip(report, "Postfix uses no socket of Dovecot");
}

/* ---- Dovecot's guests ---- */

/* cure: NULL = that of the socket's unit */
static void try_guest(struct check_report *report, const struct check_context *context,
                      const char *user, const char *path, const char *cure)
{
	struct attempt attempt = { path, PROBE_CONNECT, soon(context) };
	enum probe_result result;

	if (!try_as(report, user, NULL, "/", &attempt, &result) || result == PROBE_FINE)
		return;
	check_error(report, "%s as user %s: %s", path, user, probe_text(result));
	if (cure != NULL)
		check_cure(report, "%s", cure);
	else
		cure_socket(report, path, result);
}

/* Whoever opens it can close sessions or deliver mail: its mode is all that protects it.
 */
static void check_listener(struct check_report *report,
                           const struct check_context *context, const char *name)
{
	static const char cure[] =
		"postwardctl setup --regenerate && systemctl restart dovecot";
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	struct pw_str base = doveconf_value(&context->dovecot, "", "base_dir");
	struct stat file;

	pw_buf_printf(&path, "%.*s/%s",
	              PW_FMT(base.len > 0 ? base : PW_STR("/run/dovecot")), name);
	if (stat(pw_buf_text(&path), &file) != 0) {
		check_error(report, "%s: %s", pw_buf_text(&path), strerror(errno));
		check_cure(report, "%s", cure);
	} else if ((file.st_mode & 077) != 0) {
		check_error(report, "%s is open to others than its owner (mode %04o)",
		            pw_buf_text(&path), (unsigned int)file.st_mode & 07777);
		check_cure(report, "%s", cure);
	} else {
		try_guest(report, context, "postward_policy", pw_buf_text(&path), cure);
	}
}

void check_guest_sockets(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf usage = { 0 }, auth = { 0 }, owner = { 0 };
	struct pw_str uid = doveconf_value(&context->dovecot, "", "mail_uid");

	if (context->dovecot.major == 0) {
		check_blind(report, "%.*s", PW_FMT(context->dovecot_why));
		return;
	}
	settings_file_value(&usage, "postward-policyd", "usage_socket",
	                    "/run/postward/usage.sock");
	settings_file_value_of(&auth, "/etc/dovecot/postward-dovecot.conf", "auth_socket",
	                       "/run/postward/auth.sock");
	pw_buf_puts(&owner, uid.len > 0 ? uid : PW_STR("vmail"));
	try_guest(report, context, pw_buf_text(&owner), pw_buf_text(&usage), NULL);
	if (auth.len > 0)
		try_guest(report, context, "dovecot", pw_buf_text(&auth), NULL);
	check_listener(report, context, "postward-doveadm");
	check_listener(report, context, "postward-lmtp");
}

/* ---- clamd ---- */

#define SCORE_USER "postward_score"

/* As postward-score connects. False after it has told why it could not be tried. */
static bool try_clamd(struct check_report *report, const struct check_context *context,
                      struct pw_str spec, enum probe_result *result_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	struct attempt attempt = { .kind = PROBE_CLAMD, .deadline_ms = soon(context) };
	struct pw_str host = spec, port = { NULL, 0 };
	int64_t number;
	struct pw_ip ip;

	if (pw_str_starts(spec, PW_STR("unix:"))) {
		pw_buf_puts(&path, pw_str_sub(spec, 5, spec.len));
		attempt.path = pw_buf_text(&path);
		return try_as(report, SCORE_USER, NULL, "/", &attempt, result_out);
	}
	(void)pw_str_cut(&host, ':');
	port = pw_str_sub(host, pw_str_rfind(host, ':') + 1, host.len);
	host = pw_str_sub(host, 0, pw_str_rfind(host, ':'));
	if (host.len > 2 && host.at[0] == '[')
		host = pw_str_sub(host, 1, host.len - 2);
	if (pw_ip_parse(&ip, host) != PW_OK ||
	    pw_str_to_int64(port, 1, UINT16_MAX, &number) != PW_OK) {
		check_error(report,
		            "clamav_socket: %.*s is not unix:/PATH or "
		            "inet:ADDRESS:PORT",
		            PW_FMT(spec));
		return false;
	}
	*result_out =
		probe_tcp(ip, (unsigned int)number, PROBE_CLAMD, attempt.deadline_ms);
	return true;
}

/* Mail passes without it, so that it is missed by nobody. */
void check_clamd_socket(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf spec = { 0 };
	enum probe_result result;

	settings_file_value(&spec, "postward-score", "clamav_socket", "");
	if (spec.len == 0) {
		check_skip(report, "no clamav_socket is set");
		return;
	}
	if (!try_clamd(report, context, pw_buf_str(&spec), &result) ||
	    result == PROBE_FINE)
		return;
	check_error(report, "clamd at %s as user " SCORE_USER ": %s: viruses pass",
	            pw_buf_text(&spec), probe_text(result));
	check_cure(report, "systemctl restart clamav-daemon; journalctl -u clamav-daemon "
	                   "-n 20");
}
