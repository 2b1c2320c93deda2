#include "tools/edge/kit.h"

#include <string.h>

#include "core/address.h"
#include "tools/edge/pass.h"
#include "tools/setup/postfix.h"
#include "tools/setup/private.h"
#include "tools/setup/template.h"

/* clang-format off */
const struct edge_file edge_files[EDGE_FILES] = {
	{ "edge/wg0.conf",             EDGE_TEMPLATE, 0600, 0,          "/etc/wireguard/wg0.conf: this end of the tunnel" },
	{ "edge/nftables.conf",        EDGE_TEMPLATE, 0644, 0,          "/etc/nftables.conf: what may come in, and who may go inside" },
	{ "edge/haproxy.cfg",          EDGE_HAPROXY,  0644, 0,          "/etc/haproxy/haproxy.cfg: users' mail programs" },
	{ "edge/postfix.sh",           EDGE_POSTFIX,  0755, SETUP_EDGE, "Postfix's lines, as postwardctl setup --role edge writes them" },
	{ "edge/postward-origin.conf", EDGE_ORIGIN,   0644, SETUP_EDGE, "/etc/postward/postward-origin.conf, likewise" },
	{ "edge/origin.keys",          EDGE_STAMP_KEYS, 0600, 0,        "/etc/postward/origin.keys: what waits in the queue is stamped with it" },
	{ "inner/wg0.conf",            EDGE_TEMPLATE, 0600, 0,          "/etc/wireguard/wg0.conf: the other end" },
	{ "inner/nftables.conf",       EDGE_TEMPLATE, 0644, 0,          "/etc/nftables.conf: nothing comes in but through the tunnel" },
	{ "inner/postfix.sh",          EDGE_POSTFIX,  0755, SETUP_LINK, "the listener for the edge, for an inner host without postward" },
};
/* clang-format on */

/* ---- what is wanted ---- */

static enum pw_status refuse(struct pw_buf *why, const char *option, const char *what,
                             const char *value)
{
	pw_buf_printf(why, "%s: %s%s%s", option, what, value != NULL ? ": " : "",
	              value != NULL ? value : "");
	return PW_ERR_CONFIG;
}

/* In lower case; prefix: of the domain, where no name is given. */
static enum pw_status take_name(const char **name, const char *option, const char *prefix,
                                const char *domain, struct pw_arena *arena,
                                struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_str lower;
	enum pw_status r;

	if (*name != NULL)
		pw_buf_puts(&text, pw_str_from(*name));
	else if (domain != NULL)
		pw_buf_printf(&text, "%s%s", prefix, domain);
	if ((r = pw_arena_copy_lower(arena, pw_buf_str(&text), &lower)) != PW_OK)
		return r;
	*name = lower.at;
	if (!pw_domain_is_valid(lower) || !pw_str_contains(lower, PW_STR(".")))
		return refuse(why, option, "not a full domain name",
		              lower.len > 0 ? lower.at : NULL);
	return PW_OK;
}

static enum pw_status take_address(const char **address, const char *option,
                                   struct pw_arena *arena, struct pw_buf *why,
                                   struct pw_ip *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_str copy;
	enum pw_status r;

	if (*address == NULL)
		return refuse(why, option, "is missing", NULL);
	if (pw_ip_parse(out, pw_str_from(*address)) != PW_OK)
		return refuse(why, option, "not an IP address", *address);
	pw_ip_put(&text, *out);
	if ((r = pw_arena_copy(arena, pw_buf_str(&text), &copy)) != PW_OK)
		return r;
	*address = copy.at;
	return PW_OK;
}

/* Of these words one; the first where none is given. */
static enum pw_status take_word(const char **word, const char *option, const char *first,
                                const char *second, struct pw_buf *why)
{
	if (*word == NULL)
		*word = first;
	if (strcmp(*word, first) == 0 || strcmp(*word, second) == 0)
		return PW_OK;
	pw_buf_printf(why, "%s: %s or %s", option, first, second);
	return PW_ERR_CONFIG;
}

enum pw_status edge_wish_check(struct edge_wish *wish, struct pw_arena *arena,
                               struct pw_buf *why)
{
	struct pw_ip edge, inner, endpoint;
	enum pw_status r;

	if (wish->edge == NULL && wish->inner == NULL) {
		wish->edge = "10.9.0.1";
		wish->inner = "10.9.0.2";
	}
	if ((r = take_name(&wish->domain, "--domain", "", NULL, arena, why)) != PW_OK ||
	    (r = take_name(&wish->hostname, "--hostname", "mx.", wish->domain, arena,
	                   why)) != PW_OK ||
	    (r = take_name(&wish->inner_hostname, "--inner-hostname", "inner.",
	                   wish->domain, arena, why)) != PW_OK ||
	    (r = take_address(&wish->endpoint, "--public", arena, why, &endpoint)) !=
	            PW_OK ||
	    (r = take_address(&wish->edge, "--edge-address", arena, why, &edge)) !=
	            PW_OK ||
	    (r = take_address(&wish->inner, "--inner-address", arena, why, &inner)) !=
	            PW_OK ||
	    (r = take_word(&wish->fallback, "--fallback", "defer", "queue", why)) !=
	            PW_OK ||
	    (r = take_word(&wish->postscreen, "--postscreen", "yes", "no", why)) != PW_OK)
		return r;
	if (edge.family != inner.family || pw_ip_eq(edge, inner))
		return refuse(why, "--edge-address and --inner-address",
		              "have to be two addresses of one kind", wish->inner);
	if (pw_ip_eq(endpoint, edge) || pw_ip_eq(endpoint, inner))
		return refuse(why, "--public", "is an address of the tunnel",
		              wish->endpoint);
	return PW_OK;
}

/* ---- texts ---- */

static void put_networks(struct pw_buf *out, const struct edge_wish *wish, uint8_t family)
{
	size_t count = 0;

	for (size_t i = 0; i < wish->admin_count; i++) {
		const struct pw_net *net = &wish->admins[i];

		if (net->ip.family != family)
			continue;
		pw_buf_puts(out, count++ == 0 ? PW_STR(" elements = { ") : PW_STR(", "));
		pw_ip_put(out, net->ip);
		pw_buf_printf(out, "/%u", net->bits);
	}
	if (count > 0)
		pw_buf_puts(out, PW_STR(" };"));
}

/* IPv6 has no such question. */
static void put_clock(struct pw_buf *out, const struct edge_wish *wish)
{
	if (strchr(wish->edge, ':') == NULL)
		pw_buf_printf(out,
		              "\t\tiifname \"wg0\" ip saddr %s icmp type "
		              "timestamp-request accept\n",
		              wish->edge);
}

static void put_template(struct pw_buf *out, struct pw_str template,
                         const struct edge_wish *wish, const struct edge_keys *keys)
{
	PW_AUTO(pw_buf_done)
	struct pw_buf endpoint = { 0 }, admins = { 0 }, admins6 = { 0 }, clock = { 0 };
	bool is_v6 = strchr(wish->edge, ':') != NULL;
	const struct setup_name names[] = {
		{ "domain", wish->domain },
		{ "hostname", wish->hostname },
		{ "inner_hostname", wish->inner_hostname },
		{ "edge", wish->edge },
		{ "inner", wish->inner },
		{ "endpoint",
		  (setup_put_host(&endpoint, wish->endpoint), pw_buf_text(&endpoint)) },
		{ "ip", is_v6 ? "ip6" : "ip" },
		{ "bits", is_v6 ? "128" : "32" },
		{ "admins",
		  (put_networks(&admins, wish, PW_IP_V4), pw_buf_text(&admins)) },
		{ "admins6",
		  (put_networks(&admins6, wish, PW_IP_V6), pw_buf_text(&admins6)) },
		{ "clock", (put_clock(&clock, wish), pw_buf_text(&clock)) },
		{ "edge_key", keys->edge },
		{ "edge_public", keys->edge_public },
		{ "inner_key", keys->inner },
		{ "inner_public", keys->inner_public },
		{ "shared_key", keys->shared },
	};

	setup_expand(out, template, names, PW_LEN(names));
}

/* What setup would be told on that host. */
static struct setup_wish wish_of(const struct edge_wish *wish, enum setup_role role)
{
	bool is_edge = role == SETUP_EDGE;

	return (struct setup_wish){
		.role = role,
		.domain = wish->domain,
		.hostname = is_edge ? wish->hostname : wish->inner_hostname,
		.listen = is_edge ? wish->edge : wish->inner,
		.peer = is_edge ? wish->inner : wish->edge,
		.fallback = is_edge ? wish->fallback : NULL,
		.postscreen = is_edge ? wish->postscreen : NULL,
	};
}

/* Setup's own steps for a Postfix of which nothing is known. */
static enum pw_status put_postfix(struct pw_buf *out, const struct edge_wish *wish,
                                  enum setup_role role, struct pw_arena *arena)
{
	PW_AUTO(setup_postfix_done) struct setup_postfix now = { .has_main = true };
	struct setup_wish setup = wish_of(wish, role);
	struct setup_plan plan = { .arena = arena };

	/* the certificate stays the one that is there */
	pw_buf_puts(&now.main, PW_STR("compatibility_level = 3.6\nsmtpd_tls_cert_file =\n"
	                              "smtpd_tls_key_file =\n"));
	pw_buf_puts(&now.known, PW_STR("smtpd_forbid_bare_newline = no\n"
	                               "smtpd_forbid_unauth_pipelining = no\n"));
	setup_plan_main(&plan, &setup, &now);
	setup_plan_master(&plan, &setup, &now);
	pw_buf_printf(out,
	              "#!/bin/sh\n"
	              "# %s: %s, for who does without postwardctl setup. Each line\n"
	              "# replaces the setting it names; then: postfix reload\n"
	              "set -e\n",
	              setup.hostname,
	              role == SETUP_EDGE ? "Postfix of the edge"
	                                 : "Postfix's listener for the edge");
	for (size_t i = 0; i < plan.count; i++)
		if (plan.at[i].kind != SETUP_NOTE)
			setup_step_print(out, &plan.at[i]);
	pw_buf_puts(out, PW_STR("postfix check\n"));
	return plan.status;
}

static enum pw_status put_origin(struct pw_buf *out, const struct edge_wish *wish,
                                 struct pw_arena *arena)
{
	struct setup_wish setup = wish_of(wish, SETUP_EDGE);
	struct setup_plan plan = { .arena = arena };

	pw_buf_puts(out, pw_str_from(setup_origin_text(&plan, &setup, "")));
	return plan.status;
}

static enum pw_status put_haproxy(struct pw_buf *out, const struct edge_wish *wish)
{
	struct pw_ip inner;
	enum pw_status r = pw_ip_parse(&inner, pw_str_from(wish->inner));

	if (r == PW_OK)
		edge_put_haproxy(out, inner);
	return r;
}

enum pw_status edge_file_text(struct pw_buf *out, const struct edge_file *file,
                              struct pw_str template, const struct edge_wish *wish,
                              const struct edge_keys *keys)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	enum pw_status r = pw_arena_new(&arena, 0);

	if (r == PW_OK && file->kind == EDGE_TEMPLATE)
		put_template(out, template, wish, keys);
	else if (r == PW_OK && file->kind == EDGE_STAMP_KEYS)
		pw_buf_puts(out, pw_str_from(keys->stamps));
	else if (r == PW_OK && file->kind == EDGE_HAPROXY)
		r = put_haproxy(out, wish);
	else if (r == PW_OK && file->kind == EDGE_POSTFIX)
		r = put_postfix(out, wish, file->role, arena);
	else if (r == PW_OK)
		r = put_origin(out, wish, arena);
	return r == PW_OK ? pw_buf_status(out) : r;
}
