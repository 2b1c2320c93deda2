#include "io/clock.h"
#include "tools/check/check.h"
#include "tools/settings_file.h"

#define READ_TIMEOUT_MS 10000

/* ---- what setup was told ---- */

static enum pw_status remember(struct pw_str *out, struct pw_arena *arena,
                               const char *name)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };

	settings_file_value_of(&value, SETUP_CONF, name, "");
	return pw_arena_copy(arena, pw_buf_str(&value), out);
}

/* Without setup.conf Postfix's settings tell which kind of host this is. */
static enum check_role guess_role(const struct postconf *conf)
{
	enum check_role role = CHECK_SINGLE;

	for (size_t i = 0; i < conf->count; i++) {
		const struct postconf_service *s = &conf->services[i];
		struct pw_str list = postconf_value(conf, s, "smtpd_milters"), item;
		struct postconf_endpoint endpoint;

		if (!postconf_is_public(s))
			continue;
		if (postconf_value(conf, s, "smtpd_authorized_xclient_hosts").len > 0)
			role = CHECK_INNER;
		while (postconf_next_item(&list, &item)) {
			postconf_endpoint(&endpoint, item);
			if (postconf_is_socket(&endpoint, "origin.sock"))
				return CHECK_EDGE;
		}
	}
	return role;
}

static enum check_role role_of(struct pw_str name, const struct postconf *conf)
{
	static const struct {
		const char *name;
		enum check_role role;
	} roles[] = { { "single", CHECK_SINGLE },
		      { "edge", CHECK_EDGE },
		      { "inner", CHECK_INNER } };

	for (size_t i = 0; i < PW_LEN(roles); i++)
		if (pw_str_eq(name, pw_str_from(roles[i].name)))
			return roles[i].role;
	return guess_role(conf);
}

/* ---- what the servers are told ---- */

static int64_t read_timeout(const struct check_options *opt)
{
	return opt->timeout_ms < READ_TIMEOUT_MS ? opt->timeout_ms : READ_TIMEOUT_MS;
}

static enum pw_status read_postfix(struct check_context *c)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	if (postconf_read(&c->postfix, read_timeout(c->opt), &why) != PW_OK)
		c->postfix.count = 0;
	else if (c->postfix.count == 0)
		pw_buf_puts(&why, PW_STR("master.cf has no service"));
	return pw_arena_copy(c->arena, pw_buf_str(&why), &c->postfix_why);
}

static enum pw_status read_dovecot(struct check_context *c)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r =
		doveconf_read(&c->dovecot, c->arena, read_timeout(c->opt), &why);

	if (r != PW_OK)
		c->dovecot.major = 0;
	else if (c->dovecot.major == 0)
		pw_buf_puts(&why, PW_STR("doveconf does not say its version"));
	return pw_arena_copy(c->arena, pw_buf_str(&why), &c->dovecot_why);
}

enum pw_status check_context_init(struct check_context *out,
                                  const struct check_options *opt)
{
	struct pw_str role;
	enum pw_status r;

	*out = (struct check_context){ .opt = opt };
	if ((r = pw_arena_new(&out->arena, 0)) != PW_OK ||
	    (r = remember(&role, out->arena, "role")) != PW_OK ||
	    (r = remember(&out->hostname, out->arena, "hostname")) != PW_OK ||
	    (r = remember(&out->listen_private, out->arena, "listen_private")) != PW_OK ||
	    (r = remember(&out->peer, out->arena, "peer")) != PW_OK ||
	    (r = read_postfix(out)) != PW_OK)
		return r;
	out->is_set_up = role.len > 0;
	out->role = role_of(role, &out->postfix);
	if (out->hostname.len == 0)
		out->hostname = postconf_value(&out->postfix, NULL, "myhostname");
	if (out->role != CHECK_EDGE && (r = read_dovecot(out)) != PW_OK)
		return r;
	out->deadline_ms = pw_clock_mono_ms() + opt->timeout_ms;
	return PW_OK;
}

void check_context_done(struct check_context *context)
{
	postconf_done(&context->postfix);
	doveconf_done(&context->dovecot);
	pw_arena_free(&context->arena);
}

void check_put_conninfo(struct pw_buf *out, const struct check_context *context)
{
	if (context->opt->database != NULL)
		pw_buf_puts(out, pw_str_from(context->opt->database));
	else
		settings_file_value(out, "postward", "database", CHECK_CONNINFO);
}
