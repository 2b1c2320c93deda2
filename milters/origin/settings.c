#include "origin/settings.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "origin/engine/pool.h"
#include "origin/engine/tls.h"
#include "origin/stamp/keyfile.h"

static const struct pw_setting rows[] = {
#define PW(...) PW_SETTING_ROW(struct settings, __VA_ARGS__)
#include "origin/settings.def"
#undef PW
};

/* Whoever may connect there may call himself anybody: on a port that is everybody on this
 * host. */
static void check_local(struct pw_str spec, const char *name, struct pw_buf *why_out)
{
	if (spec.len && !pw_str_starts(spec, PW_STR("unix:")) &&
	    !pw_str_starts(spec, PW_STR("fd:")))
		pw_buf_printf(why_out, "%s: must be unix:/path, fd:NAME or empty\n",
		              name);
}

static bool settings_check(const void *settings, struct pw_buf *why_out)
{
	const struct settings *set = settings;
	bool is_inner = set->role == ROLE_INNER;

	if (!is_inner && !set->inner[0])
		pw_buf_puts(why_out,
		            PW_STR("inner: must name the inner server, HOST:PORT\n"));
	if (is_inner && !set->trusted_edges[0])
		pw_buf_puts(why_out, PW_STR("trusted_edges: must name the addresses of "
		                            "the edges\n"));
	if ((is_inner || set->carry == CARRY_STAMP) && !set->stamp_keys[0])
		pw_buf_puts(why_out, PW_STR("stamp_keys: must name the file of keys\n"));
	check_local(pw_str_from(set->queue_socket), "queue_socket", why_out);
	check_local(pw_str_from(set->proxy_socket), "proxy_socket", why_out);
	return why_out->len == 0;
}

const struct pw_settings_schema settings_schema = {
	"postward-origin",
	"Carries the originating client from an edge Postfix to the inner one.",
	rows,
	PW_LEN(rows),
	sizeof(struct settings),
	settings_check,
};

static void free_addresses(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

/* "HOST:PORT" or "[v6]:PORT"; either may be empty. */
static void split_inner(struct pw_str inner, struct pw_buf *host, struct pw_buf *port)
{
	size_t colon = pw_str_rfind(inner, ':');
	struct pw_str name = pw_str_sub(inner, 0, colon);

	if (name.len > 2 && name.at[0] == '[' && name.at[name.len - 1] == ']')
		name = pw_str_sub(name, 1, name.len - 2);
	pw_buf_puts(host, name);
	pw_buf_puts(port, pw_str_sub(inner, colon + 1, inner.len));
}

/* The addresses to try. */
static enum pw_status find_inner(struct upstream_target *target, const char *inner,
                                 struct pw_buf *why_out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		                  .ai_flags = AI_NUMERICSERV };
	PW_AUTO(free_addresses) struct addrinfo *list = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf host = { 0 }, port = { 0 };
	int error = EAI_NONAME;

	split_inner(pw_str_from(inner), &host, &port);
	if (host.len && port.len)
		error = getaddrinfo(pw_buf_text(&host), pw_buf_text(&port), &hints,
		                    &list);
	if (error != 0) {
		pw_buf_printf(why_out, "inner = %s: %s", inner, gai_strerror(error));
		return PW_ERR_CONFIG;
	}
	for (struct addrinfo *a = list; a && target->count < UPSTREAM_ADDRESSES;
	     a = a->ai_next) {
		memcpy(&target->addresses[target->count].address, a->ai_addr,
		       a->ai_addrlen);
		target->addresses[target->count++].len = a->ai_addrlen;
	}
	return PW_OK;
}

static enum pw_status prepare_tls(struct upstream_target *target,
                                  const struct settings *set, struct pw_buf *why_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf host = { 0 }, port = { 0 };

	if (!set->inner_tls)
		return PW_OK;
	split_inner(pw_str_from(set->inner), &host, &port);
	return tls_context_new(&target->tls,
	                       set->inner_tls_name[0] ? set->inner_tls_name
	                                              : pw_buf_text(&host),
	                       set->inner_tls_ca, why_out);
}

static enum pw_status add_own(struct gate *gate, const struct sockaddr *address)
{
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a;
	struct pw_net net = { 0 };
	enum pw_status r = PW_ERR_SYNTAX;

	if (address && address->sa_family == AF_INET) {
		memcpy(&a.v4, address, sizeof(a.v4));
		r = pw_ip_from_bytes(&net.ip, &a.v4.sin_addr, 4);
		net.bits = 32;
	} else if (address && address->sa_family == AF_INET6) {
		memcpy(&a.v6, address, sizeof(a.v6));
		r = pw_ip_from_bytes(&net.ip, &a.v6.sin6_addr, 16);
		net.bits = 128;
	}
	return r == PW_OK ? gate_add(gate, net)
	                  : PW_OK; /* other families are no matter here */
}

static void free_interfaces(struct ifaddrs **list)
{
	if (*list)
		freeifaddrs(*list);
}

static enum pw_status fill_gate(struct gate *gate, struct pw_str networks,
                                struct pw_buf *why_out)
{
	PW_AUTO(free_interfaces) struct ifaddrs *list = NULL;
	struct pw_str bad = { NULL, 0 };
	enum pw_status r;

	if ((r = gate_add_list(gate, networks, &bad)) != PW_OK) {
		pw_buf_printf(why_out, "private_networks: %s: %.*s", pw_status_text(r),
		              PW_FMT(bad));
		return PW_ERR_CONFIG;
	}
	if (getifaddrs(&list) != 0)
		return PW_ERR_IO;
	for (struct ifaddrs *i = list; i; i = i->ifa_next)
		if ((r = add_own(gate, i->ifa_addr)) != PW_OK)
			return r;
	return PW_OK;
}

static enum pw_status find_edges(struct pw_nets *edges, struct pw_str networks,
                                 struct pw_buf *why_out)
{
	struct pw_str bad = { NULL, 0 };
	enum pw_status r = pw_nets_parse(edges, networks, &bad);

	if (r == PW_OK)
		return PW_OK;
	pw_buf_printf(why_out, "trusted_edges: %s: %.*s", pw_status_text(r), PW_FMT(bad));
	return PW_ERR_CONFIG;
}

/* What role edge needs. */
static enum pw_status derive_edge(struct derived *d, const struct settings *set,
                                  struct pw_buf *why_out)
{
	enum pw_status r = find_inner(&d->target, set->inner, why_out);

	if (r != PW_OK || (r = fill_gate(&d->gate, pw_str_from(set->private_networks),
	                                 why_out)) != PW_OK)
		return r;
	return prepare_tls(&d->target, set, why_out);
}

/* Only asked for where a socket of ours needs it. */
static enum pw_status find_mail_owner(uid_t *out, const struct settings *set,
                                      struct pw_buf *why_out)
{
	struct passwd entry, *found = NULL;
	char text[4096];
	int error = getpwnam_r(set->mail_owner, &entry, text, sizeof(text), &found);

	*out = found ? found->pw_uid : (uid_t)-1;
	if (found || (!set->queue_socket[0] && !set->proxy_socket[0]))
		return PW_OK;
	pw_buf_printf(why_out, "mail_owner = %s: %s", set->mail_owner,
	              error ? strerror(error) : "no such user");
	return PW_ERR_CONFIG;
}

enum pw_status derived_new(void **out, const void *settings, struct pw_buf *why_out)
{
	const struct settings *set = settings;
	PW_AUTO(derived_free) void *made = calloc(1, sizeof(struct derived));
	struct derived *d = made;
	enum pw_status r;

	if (!d)
		return PW_ERR_NOMEM;
	d->target.hello = d->name;
	d->target.connect_ms = set->connect_timeout_ms;
	d->target.command_ms = set->command_timeout_ms;
	d->target.dot_ms = set->dot_timeout_ms;
	if (set->trace_name[0])
		memcpy(d->name, set->trace_name, strlen(set->trace_name));
	else if (gethostname(d->name, sizeof(d->name) - 1) != 0)
		return PW_ERR_IO;
	if (set->role == ROLE_EDGE && (r = derive_edge(d, set, why_out)) != PW_OK)
		return r;
	if ((r = find_edges(&d->edges, pw_str_from(set->trusted_edges), why_out)) !=
	            PW_OK ||
	    (r = keyfile_load(&d->keys, set->stamp_keys, why_out)) != PW_OK ||
	    (r = find_mail_owner(&d->mail_owner, set, why_out)) != PW_OK)
		return r;
	/* last: it takes the place of the one before, which must not be for nothing */
	if (set->role == ROLE_EDGE &&
	    (r = pool_open(&d->target.pool, &d->target, (size_t)set->pool_size,
	                   set->pool_age_ms)) != PW_OK)
		return r;
	*out = PW_TAKE(made);
	return PW_OK;
}

void derived_free(void **derived)
{
	struct derived *d = *derived;

	if (!d)
		return;
	pool_close(&d->target.pool);
	tls_context_free(&d->target.tls);
	pw_stamp_keys_done(&d->keys);
	free(d);
	*derived = NULL;
}
