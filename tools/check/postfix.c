#include "tools/check/postfix.h"

#define RELOAD " && postfix reload"

/* ---- main.cf ---- */

struct rule {
	const char *name, *value; /* what it should be */
	unsigned int roles;
	enum check_severity severity;
	const char *why;
};

/* clang-format off */
static const struct rule rules[] = {
	{ "in_flow_delay", "0s", CHECK_EDGE, CHECK_ERROR,
	  "each message that was handed on keeps a token of the flow control, and soon every one waits a second" },
	{ "enable_long_queue_ids", "yes", CHECK_ANY, CHECK_WARNING,
	  "short queue ids repeat, and the history mixes up messages" },
};
/* clang-format on */

static bool has_value(struct pw_str value, const char *wanted)
{
	struct pw_str text = pw_str_from(wanted);

	return pw_str_eq_nocase(value, text) ||
	       (pw_str_eq(text, PW_STR("0s")) && pw_str_eq(value, PW_STR("0")));
}

static void judge_rules(struct check_report *report, const struct postconf *conf,
                        enum check_role role)
{
	for (size_t i = 0; i < PW_LEN(rules); i++) {
		const struct rule *r = &rules[i];
		struct pw_str value = postconf_value(conf, NULL, r->name);

		if ((r->roles & role) == 0 || has_value(value, r->value))
			continue;
		(r->severity == CHECK_ERROR ? check_error : check_warning)(
			report, "%s is \"%.*s\": %s", r->name, PW_FMT(value), r->why);
		check_cure(report, "postconf -e '%s = %s'" RELOAD, r->name, r->value);
	}
}

/* Postfix before 3.8.4 and 3.7.9 does not know it. */
static void judge_smuggling(struct check_report *report, const struct postconf *conf)
{
	struct pw_str value = postconf_value(conf, NULL, "smtpd_forbid_bare_newline");

	if (value.at != NULL && !pw_str_eq_nocase(value, PW_STR("no")))
		return;
	check_warning(report, "smtpd_forbid_bare_newline is not set: others can smuggle "
	                      "messages with forged senders in");
	check_cure(report, value.at == NULL ? "apt install --only-upgrade postfix"
	                                    : "postconf -e 'smtpd_forbid_bare_newline = "
	                                      "normalize'" RELOAD);
}

static void judge_domains(struct check_report *report, const struct postconf *conf,
                          enum check_role role)
{
	const char *name =
		role == CHECK_EDGE ? "relay_domains" : "virtual_mailbox_domains";
	struct pw_str domains = postconf_value(conf, NULL, name);
	struct pw_str transport = postconf_value(conf, NULL, "virtual_transport");

	if (domains.len == 0 ||
	    (role == CHECK_EDGE &&
	     pw_str_eq(domains, postconf_value(conf, NULL, "mydestination")))) {
		check_error(report, "%s is empty: mail for our domains is refused", name);
		check_cure(report, "postwardctl setup");
	}
	if (role == CHECK_EDGE || pw_str_starts(transport, PW_STR("lmtp:")))
		return;
	check_error(report,
	            "virtual_transport is \"%.*s\", not Dovecot's LMTP: mail does not "
	            "reach the mailboxes",
	            PW_FMT(transport));
	check_cure(report, "postconf -e 'virtual_transport = "
	                   "lmtp:unix:private/dovecot-lmtp'" RELOAD);
}

void judge_main_cf(struct check_report *report, const struct postconf *conf,
                   enum check_role role)
{
	judge_rules(report, conf, role);
	judge_smuggling(report, conf);
	judge_domains(report, conf, role);
}

/* Postfix looks at these before virtual_mailbox_domains. */
static const struct class
{
	const char *name, *fate;
} classes[] = {
	{ "mydestination", "goes to users of this system" },
	{ "virtual_alias_domains", "is only sent on" },
	{ "relay_domains", "is sent to another host" },
};

static bool is_line(struct pw_str lines, struct pw_str line)
{
	while (lines.len > 0)
		if (pw_str_eq_nocase(pw_str_cut(&lines, '\n'), line))
			return true;
	return false;
}

/* The list without domains of SQL; returns the first of them, or at == NULL. */
static struct pw_str put_foreign(struct pw_buf *out, struct pw_str list,
                                 struct pw_str domains)
{
	struct pw_str item, found = { 0 };

	while (postconf_next_item(&list, &item)) {
		if (!is_line(domains, item))
			pw_buf_printf(out, "%s%.*s", out->len > 0 ? ", " : "",
			              PW_FMT(item));
		else if (found.at == NULL)
			found = item;
	}
	return found;
}

void judge_destinations(struct check_report *report, const struct postconf *conf,
                        struct pw_str domains)
{
	for (size_t i = 0; i < PW_LEN(classes); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf rest = { 0 };
		struct pw_str found = put_foreign(
			&rest, postconf_value(conf, NULL, classes[i].name), domains);

		if (found.at == NULL)
			continue;
		check_error(report, "%.*s is in %s: its mail %s and not to its mailboxes",
		            PW_FMT(found), classes[i].name, classes[i].fate);
		check_cure(report, "postconf -e '%s = %s'" RELOAD, classes[i].name,
		           pw_buf_text(&rest));
	}
}
