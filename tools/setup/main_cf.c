/* The lines of main.cf: one table, docs/postfix.md in rows. */
#include "tools/postconf.h"
#include "tools/setup/list.h"
#include "tools/setup/postfix.h"
#include "tools/setup/template.h"

#define LOCAL (SETUP_SINGLE | SETUP_INNER) /* where the mailboxes are */
#define ALL (SETUP_SINGLE | SETUP_EDGE | SETUP_INNER)
#define FAR (SETUP_INNER | SETUP_LINK) /* behind an edge */
/* The same answers from postward-policyd and from SQL. The path is relative, so that it
 * is found in the chroot and outside of it. */
#define TABLE(name) "socketmap:unix:postward/map.sock:" name
#define SQL_TABLE(name) "proxy:pgsql:" SETUP_MAPS "/" name ".cf"
#define DELIVERY "lmtp:unix:private/dovecot-lmtp"
#define POLICY(action)                                                                   \
	"check_policy_service { unix:postward/policy.sock, timeout=5s, try_limit=2, "    \
	"default_action=" action " }"

enum how {
	SET,            /* other: a value that is as good */
	SET_IF_KNOWN,   /* in releases that have it */
	SET_FOR_SCREEN, /* where postscreen stands in front */
	DEFAULT,        /* where main.cf says nothing */
	FIRST,          /* value goes into the list; other: its name in there */
	LAST,
	BEFORE_END,
	RECIPIENTS, /* as BEFORE_END, and a recipient without a domain is refused first */
	ONE_OF,    /* value, or other where SQL is wanted; in the other's place or last */
	CLOSE,     /* the list refuses strange destinations; value: where there is none */
	LEAVE_US,  /* neither the domain nor, if it is the same, the host's name in it */
	TLS_MAY,   /* may, unless TLS is demanded already */
	CLEAR,     /* empty, if it is not */
	NOT_LOCAL, /* value, where only this host itself is listened to */
	NOT_ERROR, /* value, where all is refused */
};

/* clang-format off */
static const struct rule {
	unsigned int roles;
	const char *name;
	enum how how;
	const char *value, *other;
} rules[] = {
	{ ALL,   "compatibility_level",     DEFAULT, "3.6", NULL },
	{ ALL,   "myhostname",              SET, "@hostname@", NULL },
	{ ALL,   "mydestination",           LEAVE_US, "$myhostname, localhost.$mydomain, localhost", NULL },
	{ LOCAL, "relay_domains",           LEAVE_US, NULL, NULL },
	{ SETUP_EDGE, "virtual_mailbox_domains", LEAVE_US, NULL, NULL },
	{ ALL,   "virtual_alias_domains",   LEAVE_US, NULL, NULL },
	/* an address that is not up yet, named here, would end every process of Postfix: it is
	 * named by the services of master.cf */
	{ ALL,   "inet_interfaces",         NOT_LOCAL, "all", NULL },
	{ LOCAL, "mynetworks",              DEFAULT, "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128", NULL },
	{ SETUP_EDGE, "mynetworks",         SET, "", NULL },
	{ ALL,   "default_transport",       NOT_ERROR, "smtp", NULL },
	{ LOCAL, "relay_transport",         NOT_ERROR, "relay", NULL },
	/* the queue's way inside: what of it is of a client arrives with that client's address */
	{ SETUP_EDGE, "relay_transport",    SET, "postward:unix:postward/queue.sock", NULL },
	{ SETUP_EDGE, "relay_domains",      LAST, "@domain@", "@domain@" },
	{ FAR,   "relayhost",               SET, "[@peer@]:2525", NULL },

	{ LOCAL, "virtual_transport",       SET, DELIVERY, NULL },
	{ LOCAL, "virtual_mailbox_maps",    ONE_OF, TABLE("mailboxes"), SQL_TABLE("mailbox") },
	{ LOCAL, "virtual_alias_maps",      ONE_OF, TABLE("aliases"), SQL_TABLE("alias") },
	{ LOCAL, "virtual_mailbox_domains", ONE_OF, TABLE("domains"), SQL_TABLE("domain") },
	{ LOCAL, "recipient_delimiter",     SET, "+", NULL },

	{ LOCAL, "non_smtpd_milters",       LAST, "unix:postward/dkim.sock", "unix:postward/dkim.sock" },
	{ SETUP_EDGE, "smtpd_milters",      LAST, "unix:postward/origin.sock", "unix:postward/origin.sock" },
	{ ALL,   "milter_default_action",   SET, "tempfail", NULL },
	{ SETUP_EDGE, "in_flow_delay",      SET, "0", "0s" },
	{ SETUP_EDGE, "max_use",            DEFAULT, "1000", NULL },
	{ SETUP_EDGE, "smtp_line_length_limit", SET, "0", NULL },
	{ SETUP_EDGE, "postscreen_greet_action", SET_FOR_SCREEN, "enforce", "drop" },

	{ LOCAL, "smtpd_relay_restrictions", CLOSE, "permit_mynetworks, reject_unauth_destination", NULL },
	{ SETUP_EDGE,
	         "smtpd_relay_restrictions", CLOSE, "reject_unauth_destination", NULL },
	{ LOCAL, "smtpd_recipient_restrictions", RECIPIENTS, POLICY("DUNNO"), "unix:postward/policy.sock" },
	{ LOCAL, "submission_policy",       SET, POLICY("DEFER"), NULL },
	{ ALL | SETUP_LINK, "smtpd_forbid_bare_newline", SET_IF_KNOWN, "normalize", "reject" },
	{ ALL | SETUP_LINK, "smtpd_forbid_unauth_pipelining", SET_IF_KNOWN, "yes", NULL },

	{ ALL,   "smtpd_tls_chain_files",   CLEAR, NULL, NULL },
	{ ALL,   "smtpd_tls_cert_file",     SET, "@certificate@", NULL },
	{ ALL,   "smtpd_tls_key_file",      SET, "@key@", NULL },
	{ ALL,   "smtpd_tls_security_level", TLS_MAY, "may", NULL },
	{ ALL,   "smtpd_tls_protocols",     SET, ">=TLSv1.2", ">=TLSv1.3" },
	{ ALL,   "smtpd_tls_mandatory_protocols", SET, ">=TLSv1.2", ">=TLSv1.3" },
	{ ALL,   "smtp_tls_security_level", TLS_MAY, "may", NULL },
	{ ALL,   "smtpd_tls_auth_only",     SET, "yes", NULL },
	/* who is written to would be somebody else than the policy service was told */
	{ LOCAL, "allow_percent_hack",      SET, "no", NULL },
	{ LOCAL, "swap_bangpath",           SET, "no", NULL },
	{ LOCAL, "smtpd_sasl_type",         SET, "dovecot", NULL },
	{ LOCAL, "smtpd_sasl_path",         SET, "private/auth", NULL },
	{ ALL,   "enable_long_queue_ids",   SET, "yes", NULL },
};
/* clang-format on */

/* All that the handling of one row needs. */
struct work {
	struct setup_plan *plan;
	const struct setup_wish *wish;
	const struct setup_postfix *now;
	struct pw_str before; /* at is NULL where main.cf says nothing */
	struct pw_str value, other;
};

/* What is above the host's name, unless main.cf says something else. */
static struct pw_str mydomain(const struct work *w)
{
	struct pw_str said = setup_postfix_value(&w->now->main, "mydomain");
	struct pw_str above = pw_str_from(w->wish->hostname);

	(void)pw_str_cut(&above, '.');
	return said.len > 0 ? said : above;
}

/* With the two names in it that setup knows the values of. */
static void put_expanded(struct pw_buf *out, const struct work *w, struct pw_str text)
{
	const struct {
		struct pw_str word, value;
	} names[] = {
		{ PW_STR("$myhostname"), pw_str_from(w->wish->hostname) },
		{ PW_STR("${myhostname}"), pw_str_from(w->wish->hostname) },
		{ PW_STR("$(myhostname)"), pw_str_from(w->wish->hostname) },
		{ PW_STR("$mydomain"), mydomain(w) },
		{ PW_STR("${mydomain}"), mydomain(w) },
		{ PW_STR("$(mydomain)"), mydomain(w) },
	};

	while (text.len > 0) {
		size_t i = 0;

		while (i < PW_LEN(names) && !pw_str_starts(text, names[i].word))
			i++;
		pw_buf_puts(out,
		            i < PW_LEN(names) ? names[i].value : pw_str_sub(text, 0, 1));
		text = pw_str_sub(text, i < PW_LEN(names) ? names[i].word.len : 1,
		                  text.len);
	}
}

static bool is_us(struct pw_str item, const void *arg)
{
	const struct work *w = arg;
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };

	put_expanded(&name, w, item);
	return pw_str_eq_nocase(pw_buf_str(&name), pw_str_from(w->wish->domain));
}

static bool is_loopback(struct pw_str list)
{
	struct pw_str item;
	size_t count = 0;

	while (postconf_next_item(&list, &item)) {
		count++;
		if (!pw_str_eq(item, PW_STR("loopback-only")) &&
		    !pw_str_eq(item, PW_STR("localhost")) &&
		    !pw_str_eq(item, PW_STR("::1")) &&
		    !pw_str_eq(item, PW_STR("[::1]")) &&
		    !pw_str_starts(item, PW_STR("127.")))
			return false;
	}
	return count > 0;
}

static bool demands_tls(struct pw_str level)
{
	return level.len > 0 && !pw_str_eq(level, PW_STR("none"));
}

/* Does what is there serve? For those kinds that have one value. */
static bool is_good(const struct work *w, enum how how)
{
	if (w->before.at == NULL)
		return how == CLEAR || how == NOT_LOCAL || how == NOT_ERROR;
	if (how == SET || how == SET_IF_KNOWN || how == SET_FOR_SCREEN)
		return w->other.at != NULL && pw_str_eq(w->before, w->other);
	if (how == TLS_MAY)
		return demands_tls(w->before);
	if (how == NOT_LOCAL)
		return !is_loopback(w->before);
	if (how == NOT_ERROR)
		return !pw_str_starts(w->before, PW_STR("error"));
	return how == DEFAULT;
}

static void merge_one_of(struct pw_buf *out, const struct work *w, struct pw_str list)
{
	PW_AUTO(pw_buf_done) struct pw_buf ours = { 0 };
	bool is_sql = setup_wish_asks_sql(w->wish);
	struct pw_str wanted = is_sql ? w->other : w->value;

	setup_list_exchange(&ours, list, is_sql ? w->value : w->other, wanted);
	setup_list_add(out, pw_buf_str(&ours), wanted, wanted, SETUP_LAST);
}

/* Such a one gets the domain of myorigin after everybody was asked. */
static void merge_recipients(struct pw_buf *out, const struct work *w, struct pw_str list)
{
	PW_AUTO(pw_buf_done) struct pw_buf ours = { 0 };

	setup_list_add(&ours, list, w->value, w->other, SETUP_BEFORE_END);
	setup_list_add(out, pw_buf_str(&ours), PW_STR("reject_non_fqdn_recipient"),
	               PW_STR("reject_non_fqdn_recipient"), SETUP_FIRST);
}

static void merge(struct pw_buf *out, const struct work *w, enum how how)
{
	static const enum setup_place places[] = { [FIRST] = SETUP_FIRST,
		                                   [LAST] = SETUP_LAST,
		                                   [BEFORE_END] = SETUP_BEFORE_END };
	struct pw_str list = w->before.at != NULL ? w->before : PW_STR("");

	if (how == ONE_OF)
		merge_one_of(out, w, list);
	else if (how == RECIPIENTS)
		merge_recipients(out, w, list);
	else if (how == CLOSE)
		setup_list_close_relay(out, list.len > 0 ? list : w->value);
	else if (how == LEAVE_US)
		setup_list_without(out, w->before.at != NULL ? list : w->value, is_us, w);
	else
		setup_list_add(out, list, w->value, w->other, places[how]);
}

static void wanted(struct pw_buf *out, const struct work *w, enum how how)
{
	bool is_list = how == FIRST || how == LAST || how == BEFORE_END || how == CLOSE ||
	               how == LEAVE_US || how == ONE_OF || how == RECIPIENTS;

	if (is_list)
		merge(out, w, how);
	else
		pw_buf_puts(out, is_good(w, how) ? w->before : w->value);
}

static void add_step(const struct work *w, const char *name, const struct pw_buf *value)
{
	struct setup_step step = { .kind = SETUP_MAIN, .name = name };
	PW_AUTO(pw_buf_done) struct pw_buf before = { 0 };

	if (w->before.at != NULL ? pw_str_eq(w->before, pw_buf_str(value))
	                         : value->len == 0)
		return;
	step.value = setup_text_of(w->plan, value);
	pw_buf_puts(&before, w->before);
	if (w->before.at != NULL)
		step.before = setup_text_of(w->plan, &before);
	setup_plan_add(w->plan, &step);
}

static struct pw_str expand(const struct work *w, const char *text)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	size_t count;
	const struct setup_name *names = setup_postfix_names(w->plan, w->wish, &count);

	if (text == NULL)
		return (struct pw_str){ NULL, 0 };
	setup_expand(&out, pw_str_from(text), names, count);
	return pw_str_from(setup_text_of(w->plan, &out));
}

static void apply_rule(struct work *w, const struct rule *rule)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };

	w->before = setup_postfix_value(&w->now->main, rule->name);
	w->value = expand(w, rule->value);
	w->other = expand(w, rule->other);
	if (rule->how == SET_IF_KNOWN &&
	    setup_postfix_value(&w->now->known, rule->name).at == NULL)
		return;
	if (rule->how == SET_FOR_SCREEN && !setup_wish_screens(w->wish))
		return;
	/* mynetworks: empty is not what it is where nothing is said */
	if (rule->how == SET && w->before.at == NULL && w->value.len == 0) {
		setup_plan_add(w->plan, &(struct setup_step){ .kind = SETUP_MAIN,
		                                              .name = rule->name,
		                                              .value = "" });
		return;
	}
	wanted(&value, w, rule->how);
	/* Postfix's own list stays unwritten where nothing of it has to go */
	if (rule->how == LEAVE_US && w->before.at == NULL &&
	    pw_str_eq(pw_buf_str(&value), w->value))
		return;
	add_step(w, rule->name, &value);
}

/* Score first, with what it finds behind it ours that seals: what is between the two may
 * change the message. */
static void plan_smtpd_milters(struct work *w)
{
	PW_AUTO(pw_buf_done) struct pw_buf first = { 0 }, both = { 0 };

	w->before = setup_postfix_value(&w->now->main, "smtpd_milters");
	setup_list_add(&first, w->before.at != NULL ? w->before : PW_STR(""),
	               PW_STR("unix:postward/score.sock"),
	               PW_STR("unix:postward/score.sock"), SETUP_FIRST);
	setup_list_add(&both, pw_buf_str(&first), PW_STR("unix:postward/dkim.sock"),
	               PW_STR("unix:postward/dkim.sock"), SETUP_LAST);
	add_step(w, "smtpd_milters", &both);
}

/* Submission has milters of its own: score first, ours that signs last, and between them
 * what the administrator had there. */
static void plan_submission_milters(struct work *w)
{
	static const char *const sources[] = { "submission/inet/smtpd_milters",
		                               "587/inet/smtpd_milters" };
	PW_AUTO(pw_buf_done) struct pw_buf first = { 0 }, both = { 0 };
	struct pw_str others;

	w->before = setup_postfix_value(&w->now->main, "submission_milters");
	others = w->before;
	for (size_t i = 0; others.at == NULL && i < PW_LEN(sources); i++)
		others = setup_postfix_value(&w->now->options, sources[i]);
	if (others.at == NULL)
		others = setup_postfix_value(&w->now->main, "smtpd_milters");
	setup_list_add(&first, others.at != NULL ? others : PW_STR(""),
	               PW_STR("unix:postward/score.sock"),
	               PW_STR("unix:postward/score.sock"), SETUP_FIRST);
	setup_list_add(&both, pw_buf_str(&first), PW_STR("unix:postward/dkim.sock"),
	               PW_STR("unix:postward/dkim.sock"), SETUP_LAST);
	add_step(w, "submission_milters", &both);
}

/* virtual_transport is one for all virtual domains. */
static void note_other_domains(const struct work *w)
{
	struct pw_str way = setup_postfix_value(&w->now->main, "virtual_transport");
	struct pw_str list =
		setup_postfix_value(&w->now->main, "virtual_mailbox_domains");
	struct pw_str rest = list, item;
	bool are_others = false;

	while (postconf_next_item(&rest, &item))
		are_others =
			are_others ||
			(!is_us(item, w) && !pw_str_eq(item, PW_STR(TABLE("domains"))) &&
		         !pw_str_eq(item, PW_STR(SQL_TABLE("domain"))));
	if (are_others && !pw_str_eq(way, PW_STR(DELIVERY)))
		setup_note(
			w->plan,
			"mail for all of virtual_mailbox_domains (%.*s) is delivered by "
			"Dovecot from now on, and who has no mailbox in SQL is unknown: "
			"import them first, see migrate.md",
			PW_FMT(list));
}

static void note_edge(const struct work *w)
{
	struct pw_str milters = setup_postfix_value(&w->now->main, "smtpd_milters");
	struct pw_str maps = setup_postfix_value(&w->now->main, "relay_recipient_maps");

	if (milters.len > 0 &&
	    !setup_list_names(milters, PW_STR("unix:postward/origin.sock")))
		setup_note(w->plan, "milters that stay in front of postward-origin: %.*s",
		           PW_FMT(milters));
	if (maps.len > 0)
		setup_note(w->plan,
		           "relay_recipient_maps stays: who of %s is not in it (%.*s) is "
		           "refused before the inner host is asked",
		           w->wish->domain, PW_FMT(maps));
}

/* Whose mail went somewhere else till now is told so. */
static void add_notes(const struct work *w)
{
	struct pw_str list = setup_postfix_value(&w->now->main, "mydestination"), item;
	bool was_ours = false;

	while (postconf_next_item(&list, &item))
		was_ours = was_ours || is_us(item, w);
	if (was_ours && (w->wish->role & LOCAL) != 0)
		setup_note(w->plan,
		           "mail for %s went to users of this system; from now on "
		           "only to mailboxes and aliases in SQL",
		           w->wish->domain);
	if ((w->wish->role & LOCAL) != 0)
		note_other_domains(w);
	else
		note_edge(w);
}

void setup_plan_main(struct setup_plan *plan, const struct setup_wish *wish,
                     const struct setup_postfix *now)
{
	struct work w = { .plan = plan, .wish = wish, .now = now };

	if (!now->has_main)
		setup_plan_add(
			plan, &(struct setup_step){ .kind = SETUP_FILE,
		                                    .name = SETUP_MAIN_CF,
		                                    .value = "compatibility_level = 3.6\n"
		                                             "biff = no\n"
		                                             "append_dot_mydomain = no\n",
		                                    .owner = "root",
		                                    .group = "root",
		                                    .mode = 0644 });
	for (size_t i = 0; i < PW_LEN(rules); i++)
		if ((rules[i].roles & wish->role) != 0)
			apply_rule(&w, &rules[i]);
	if ((wish->role & LOCAL) != 0) {
		plan_smtpd_milters(&w);
		plan_submission_milters(&w);
	}
	add_notes(&w);
}
