/* The lines of master.cf: services and what they set for themselves. */
#include "tools/postconf.h"
#include "tools/setup/list.h"
#include "tools/setup/master.h"
#include "tools/setup/postfix.h"
#include "tools/setup/template.h"

#define LOCAL (SETUP_SINGLE | SETUP_INNER)
#define FAR (SETUP_INNER | SETUP_LINK)
#define NAMES_MAX 3
#define OPTIONS_MAX 24
#define LOCALHOST "127.0.0.1"

enum where {
	ANYWHERE, /* on all addresses of inet_interfaces */
	PRIVATE,  /* with --listen-private: that address and loopback; else anywhere */
	VPN,      /* --listen-private's address alone */
	LOOPBACK,
	BESIDE,  /* --listen-private's address, whatever else there is on others */
	HOLDING, /* loopback, where mail waits in the edge's queue; else nowhere */
};

enum how {
	MUST,    /* this value */
	MAY,     /* this value, unless there is one */
	FRONT,   /* a list that begins with it, or with what it lacks of it */
	NO_OTHER /* what main.cf says: this value, if there is one */
};

/* clang-format off */
/* Values hold no blanks: postconf -Pe refuses them before Postfix 3.8. */
struct option {
	const char *name, *value;
	enum how how;
};

#define SHORT_LIFE { "max_use", "10", MAY }, { "max_idle", "30s", MAY }
#define SUBMISSION                                                                        \
	{ "smtpd_tls_auth_only",            "yes",                    MUST  },            \
	{ "smtpd_sasl_auth_enable",         "yes",                    MUST  },            \
	{ "smtpd_sasl_type",                "dovecot",                NO_OTHER },         \
	{ "smtpd_sasl_path",                "private/auth",           NO_OTHER },         \
	{ "smtpd_milters",                  "$submission_milters",    MUST  },            \
	{ "smtpd_relay_restrictions",       "permit_sasl_authenticated,reject", MUST },   \
	{ "smtpd_recipient_restrictions",                                                 \
	  "reject_non_fqdn_recipient,$submission_policy",             FRONT },            \
	{ "smtpd_end_of_data_restrictions", "$submission_policy",     FRONT },            \
	{ "smtpd_client_restrictions",      "",                       MAY   },            \
	{ "smtpd_helo_restrictions",        "",                       MAY   },            \
	{ "smtpd_sender_restrictions",      "",                       MAY   },            \
	{ "milter_macro_daemon_name",       "ORIGINATING",            MAY   },            \
	SHORT_LIFE

/* Who reaches such a port says who the client is: nothing may depend on an address alone. */
#define THROUGH_EDGE                                                                      \
	{ "smtpd_upstream_proxy_protocol",  "haproxy",                MUST  },            \
	{ "mynetworks",                     "",                       MUST  },            \
	{ "smtpd_authorized_xclient_hosts", "",                       MUST  },            \
	{ "smtpd_authorized_xforward_hosts", "",                      MUST  },            \
	{ "smtpd_tls_security_level",       "encrypt",                MUST  },            \
	SUBMISSION

static const struct service {
	unsigned int roles;
	const char *names[NAMES_MAX]; /* the first is ours, the others are the same port */
	enum where where;
	struct option options[OPTIONS_MAX];
} services[] = {
	{ SETUP_EDGE, { "smtp", "25" }, ANYWHERE, { { NULL, NULL, MUST } } },
	/* an smtpd remembers for its life that looking somebody up failed */
	{ SETUP_SINGLE, { "smtp", "25" }, ANYWHERE, { SHORT_LIFE } },
	{ FAR, { "smtp", "25" }, VPN, {
		{ "mynetworks",                    "",                          MUST },
		{ "smtpd_sasl_auth_enable",        "no",                        MUST },
		{ "smtpd_relay_restrictions",      "reject_unauth_destination", MUST },
		{ "smtpd_authorized_xclient_hosts", "@peer_host@",              MUST },
		SHORT_LIFE,
	} },
	{ SETUP_INNER, { "smtp", "25" }, LOOPBACK, { SHORT_LIFE } },
	{ LOCAL, { "submission", "587" }, PRIVATE, {
		{ "syslog_name",              "postfix/submission", MAY  },
		{ "smtpd_tls_security_level", "encrypt",            MUST },
		SUBMISSION,
	} },
	{ LOCAL, { "submissions", "smtps", "465" }, PRIVATE, {
		{ "syslog_name",              "postfix/submissions", MAY  },
		{ "smtpd_tls_wrappermode",    "yes",                 MUST },
		{ "smtpd_tls_security_level", "encrypt",             MUST },
		SUBMISSION,
	} },
	/* passed on by the edge from its public ports, the client's address in front */
	{ SETUP_INNER, { "10587" }, VPN, {
		{ "syslog_name",              "postfix/submission",  MAY  },
		THROUGH_EDGE,
	} },
	{ SETUP_INNER, { "10465" }, VPN, {
		{ "syslog_name",              "postfix/submissions", MAY  },
		{ "smtpd_tls_wrappermode",    "yes",                 MUST },
		THROUGH_EDGE,
	} },
	{ SETUP_EDGE, { "2525" }, BESIDE, {
		{ "smtpd_milters",             "",                         MUST },
		{ "smtpd_proxy_filter",        "",                         MUST },
		{ "mynetworks",                "@peer_host@/@peer_bits@",  MUST },
		{ "smtpd_relay_restrictions",  "permit_mynetworks,reject", MUST },
		{ "smtpd_client_restrictions", "",                         MUST },
		{ "smtpd_helo_restrictions",   "",                         MUST },
		{ "smtpd_sender_restrictions", "",                         MUST },
		{ "smtpd_recipient_restrictions", "",                      MUST },
	} },
	/* what the inner host refuses late and nobody may be told of: postward-origin brings it
	 * back here, to be looked at */
	{ SETUP_EDGE, { "10027" }, HOLDING, {
		{ "syslog_name",               "postfix/hold",             MAY  },
		{ "smtpd_milters",             "",                         MUST },
		{ "smtpd_proxy_filter",        "",                         MUST },
		{ "smtpd_tls_security_level",  "none",                     MUST },
		{ "smtpd_authorized_xforward_hosts", "127.0.0.1",          MUST },
		{ "mynetworks",                "127.0.0.1/32",             MUST },
		{ "smtpd_relay_restrictions",  "permit_mynetworks,reject", MUST },
		{ "smtpd_client_restrictions", "",                         MUST },
		{ "smtpd_helo_restrictions",   "",                         MUST },
		{ "smtpd_sender_restrictions", "",                         MUST },
		{ "smtpd_recipient_restrictions", "check_recipient_access,static:HOLD", MUST },
		{ "smtpd_data_restrictions",   "",                         MUST },
		{ "smtpd_end_of_data_restrictions", "",                    MUST },
	} },
};

/* clang-format on */

static const char *expand(const struct master_work *w, const char *text)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	size_t count;
	const struct setup_name *names = setup_postfix_names(w->plan, w->wish, &count);

	setup_expand(&out, pw_str_from(text), names, count);
	return setup_text_of(w->plan, &out);
}

/* With commas alone, since blanks are refused. */
static void put_item(struct pw_buf *out, struct pw_str item)
{
	pw_buf_printf(out, "%s%.*s", out->len > 0 ? "," : "", PW_FMT(item));
}

/* How much of value has to be in front: all up to the last item that the list lacks. */
static struct pw_str front_of(struct pw_str value, struct pw_str list)
{
	struct pw_str rest = value, item;
	size_t end = 0;

	while (postconf_next_item(&rest, &item))
		if (!setup_list_names(list, item))
			end = (size_t)(item.at - value.at) + item.len;
	return pw_str_sub(value, 0, end);
}

/* NULL = the list has all of value. */
static const char *in_front(const struct master_work *w, const char *value,
                            struct pw_str list)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_str front = front_of(pw_str_from(value), list), item;

	if (front.len == 0)
		return NULL;
	pw_buf_puts(&out, front);
	while (postconf_next_item(&list, &item))
		if (!setup_list_names(front, item))
			put_item(&out, item);
	return setup_text_of(w->plan, &out);
}

/* What an option should be; NULL = as it is. */
static const char *wanted(const struct master_work *w, const struct option *option,
                          struct pw_str before)
{
	const char *value = expand(w, option->value);

	if (before.at == NULL)
		return option->how == NO_OTHER ? NULL : value;
	if (option->how == MAY || pw_str_eq(before, pw_str_from(value)))
		return NULL;
	return option->how == FRONT ? in_front(w, value, before) : value;
}

/* A service that is there: option by option, all others stay. */
static void plan_options(const struct master_work *w, const struct service *service,
                         struct pw_str name)
{
	for (size_t i = 0; i < OPTIONS_MAX && service->options[i].name != NULL; i++) {
		const struct option *option = &service->options[i];
		const char *field =
			setup_text(w->plan, "%.*s/inet/%s", PW_FMT(name), option->name);
		struct pw_str before = setup_postfix_value(&w->now->options, field);
		const char *value = wanted(w, option, before);

		if (value != NULL)
			setup_plan_add(
				w->plan,
				&(struct setup_step){
					.kind = SETUP_OPTION,
					.name = field,
					.value = value,
					.before = before.at == NULL
			                                  ? NULL
			                                  : setup_text(w->plan, "%.*s",
			                                               PW_FMT(before)) });
	}
}

/* A service that is not there comes in one step, never without what protects it. */
static void plan_new(const struct master_work *w, const struct service *service,
                     const char *address)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
	struct setup_step step = { .kind = SETUP_SERVICE };
	const char *name = setup_text(w->plan, "%s%s%s", address,
	                              address[0] != '\0' ? ":" : "", service->names[0]);

	pw_buf_printf(&line, "%s inet n - y - - smtpd", name);
	for (size_t i = 0; i < OPTIONS_MAX && service->options[i].name != NULL; i++)
		if (service->options[i].how != NO_OTHER)
			pw_buf_printf(&line, " -o %s=%s", service->options[i].name,
			              expand(w, service->options[i].value));
	step.name = setup_text(w->plan, "%s/inet", name);
	step.value = setup_text_of(w->plan, &line);
	setup_plan_add(w->plan, &step);
}

static void plan_removal(const struct master_work *w, struct pw_str name)
{
	setup_plan_add(w->plan,
	               &(struct setup_step){
			       .kind = SETUP_SERVICE_GONE,
			       .name = setup_text(w->plan, "%.*s/inet", PW_FMT(name)) });
}

/* On one address, under the name it is served there already, else ours. */
static void plan_address(const struct master_work *w, const struct service *service,
                         const char *address)
{
	struct pw_str rest = pw_buf_str(&w->now->services), fields[FIELDS];

	while (master_next(&rest, service->names, NAMES_MAX, fields)) {
		if (!pw_str_eq(master_address(fields[FIELD_NAME]), pw_str_from(address)))
			continue;
		if (master_is_smtpd(fields))
			plan_options(w, service, fields[FIELD_NAME]);
		return;
	}
	plan_new(w, service, address);
}

/* On all addresses, or on those the administrator has chosen; those that nobody reaches
 * from elsewhere are in the way. */
static void plan_anywhere(const struct master_work *w, const struct service *service)
{
	struct pw_str rest = pw_buf_str(&w->now->services), fields[FIELDS];
	bool is_served = false;

	while (master_next(&rest, service->names, NAMES_MAX, fields))
		is_served = is_served ||
		            !master_is_loopback(master_address(fields[FIELD_NAME]));
	if (!is_served)
		plan_new(w, service, "");
	rest = pw_buf_str(&w->now->services);
	while (master_next(&rest, service->names, NAMES_MAX, fields)) {
		if (!is_served)
			plan_removal(w, fields[FIELD_NAME]);
		else if (master_is_smtpd(fields))
			plan_options(w, service, fields[FIELD_NAME]);
	}
}

/* What is served on other addresses than the VPN's and loopback is to go. */
static void plan_others(const struct master_work *w, const struct service *service,
                        enum where where, struct pw_str vpn)
{
	struct pw_str rest = pw_buf_str(&w->now->services), fields[FIELDS];

	while (master_next(&rest, service->names, NAMES_MAX, fields)) {
		struct pw_str address = master_address(fields[FIELD_NAME]);

		if (!pw_str_eq(address, vpn) && !pw_str_eq(address, PW_STR(LOCALHOST)) &&
		    (where != BESIDE || address.len == 0))
			plan_removal(w, fields[FIELD_NAME]);
	}
}

static void plan_nowhere(const struct master_work *w, const struct service *service)
{
	struct pw_str rest = pw_buf_str(&w->now->services), fields[FIELDS];

	while (master_next(&rest, service->names, NAMES_MAX, fields))
		plan_removal(w, fields[FIELD_NAME]);
}

static void plan_places(const struct master_work *w, const struct service *service)
{
	const char *vpn = expand(w, "@listen_host@");
	enum where where = service->where;

	if (where == HOLDING) {
		if (setup_wish_queues(w->wish))
			plan_address(w, service, LOCALHOST);
		else
			plan_nowhere(w, service);
		return;
	}
	if (where == ANYWHERE || (where == PRIVATE && w->wish->listen == NULL)) {
		plan_anywhere(w, service);
		return;
	}
	if (where != LOOPBACK)
		plan_address(w, service, vpn);
	if (where == LOOPBACK || where == PRIVATE)
		plan_address(w, service, LOCALHOST);
	/* the inner host has two rows for port 25, one of them says it */
	if (where != LOOPBACK)
		plan_others(w, service, where, pw_str_from(vpn));
}

void setup_plan_master(struct setup_plan *plan, const struct setup_wish *wish,
                       const struct setup_postfix *now)
{
	const struct master_work w = { .plan = plan, .wish = wish, .now = now };

	for (size_t i = 0; i < PW_LEN(services); i++)
		if ((services[i].roles & wish->role) != 0)
			plan_places(&w, &services[i]);
	if (wish->role == SETUP_EDGE)
		master_plan_lines(&w);
}
