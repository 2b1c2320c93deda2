#include "tools/dns/authority.h"

/* How it works, some records at a time: climb from the name of the record to the first
 * one that has NS records (its zone), find an address of every name server, ask each of
 * them. A server is asked through a resolver that forwards to it alone. */

#define SERVERS_MAX 13   /* name servers of one zone */
#define RESOLVERS_MAX 64 /* different ones in all */
#define AT_ONCE 200

struct server {
	struct pw_str host;
	struct dns_asked four, six, key;
};

struct climb {
	struct dns_record *record;
	struct pw_str name; /* of the record, where aliases led */
	struct pw_str zone;
	struct dns_asked ns;
	bool is_at_top;
	struct server *servers;
	size_t count;
};

struct work {
	struct pw_resolver *resolver;
	struct pw_arena *arena;
	int64_t deadline_ms;
	struct pw_ip ips[RESOLVERS_MAX];
	struct pw_resolver *at[RESOLVERS_MAX];
	size_t count;
	struct climb climbs[AT_ONCE];
	size_t climb_count;
};

static void forget_climbs(struct work *w)
{
	for (size_t i = 0; i < w->climb_count; i++) {
		struct climb *c = &w->climbs[i];

		pw_dns_drop(&c->ns.ticket);
		for (size_t k = 0; k < c->count; k++) {
			pw_dns_drop(&c->servers[k].four.ticket);
			pw_dns_drop(&c->servers[k].six.ticket);
			pw_dns_drop(&c->servers[k].key.ticket);
		}
	}
	w->climb_count = 0;
}

static void work_done(struct work *w)
{
	forget_climbs(w); /* tickets before the resolvers */
	for (size_t i = 0; i < w->count; i++)
		pw_resolver_close(&w->at[i]);
}

static enum pw_status ask(struct pw_resolver *resolver, struct dns_asked *out,
                          enum pw_dns_type type, struct pw_str name)
{
	const struct pw_dns_question question = { type, name };

	*out = (struct dns_asked){ .is_asked = true };
	return pw_dns_ask(resolver, &question, &out->ticket);
}

static enum pw_status wait_for(const struct work *w, struct dns_asked *asked)
{
	return asked->ticket == NULL ? PW_OK
	                             : pw_dns_wait(&asked->ticket, w->deadline_ms,
	                                           w->arena, &asked->answer);
}

/* ---- which zone ---- */

/* A name with NS records, or an answer that cannot be had, or nothing above: the end. */
static void step_up(struct climb *c)
{
	c->is_at_top = c->ns.answer.count > 0 || pw_dns_is_error(&c->ns.answer);
	if (c->is_at_top)
		return;
	(void)pw_str_cut(&c->zone, '.');
	c->is_at_top = c->zone.len == 0;
}

static enum pw_status find_zones(struct work *w)
{
	bool is_open = true;
	enum pw_status r = PW_OK;

	while (is_open && r == PW_OK) {
		is_open = false;
		for (size_t i = 0; r == PW_OK && i < w->climb_count; i++)
			if (!w->climbs[i].is_at_top)
				r = ask(w->resolver, &w->climbs[i].ns, PW_DNS_NS,
				        w->climbs[i].zone);
		for (size_t i = 0; r == PW_OK && i < w->climb_count; i++) {
			if (w->climbs[i].is_at_top)
				continue;
			r = wait_for(w, &w->climbs[i].ns);
			step_up(&w->climbs[i]);
			is_open = is_open || !w->climbs[i].is_at_top;
		}
	}
	return r;
}

/* ---- which servers ---- */

static enum pw_status find_hosts(struct work *w, struct climb *c)
{
	size_t wanted =
		c->ns.answer.count < SERVERS_MAX ? c->ns.answer.count : SERVERS_MAX;
	enum pw_status r = PW_OK;

	if ((c->servers = pw_arena_array(w->arena, wanted + 1, sizeof(*c->servers))) ==
	    NULL)
		return PW_ERR_NOMEM;
	for (size_t i = 0; r == PW_OK && i < wanted; i++) {
		struct server *server = &c->servers[c->count++];

		server->host = c->ns.answer.records[i].text;
		r = ask(w->resolver, &server->four, PW_DNS_A, server->host);
		if (r == PW_OK)
			r = ask(w->resolver, &server->six, PW_DNS_AAAA, server->host);
	}
	return r;
}

/* The resolver that asks one server; NULL: there are too many, or it cannot be opened. */
static struct pw_resolver *resolver_of(struct work *w, struct pw_ip ip)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	for (size_t i = 0; i < w->count; i++)
		if (pw_ip_eq(w->ips[i], ip))
			return w->at[i];
	pw_ip_put(&text, ip);
	if (w->count == RESOLVERS_MAX || pw_buf_status(&text) != PW_OK ||
	    pw_dns_open(&w->at[w->count], pw_buf_str(&text)) != PW_OK)
		return NULL;
	w->ips[w->count] = ip;
	return w->at[w->count++];
}

static enum pw_status ask_server(struct work *w, const struct climb *c,
                                 struct server *server)
{
	const struct pw_dns_answer *found;
	struct pw_resolver *resolver;
	enum pw_status r;

	if ((r = wait_for(w, &server->four)) != PW_OK ||
	    (r = wait_for(w, &server->six)) != PW_OK)
		return r;
	found = server->four.answer.count > 0 ? &server->four.answer
	                                      : &server->six.answer;
	resolver = found->count > 0 ? resolver_of(w, found->records[0].ip) : NULL;
	if (resolver != NULL)
		return ask(resolver, &server->key, PW_DNS_TXT, c->name);
	server->key.answer = (struct pw_dns_answer){ .rcode = PW_DNS_SERVFAIL };
	return PW_OK;
}

static enum pw_status ask_servers(struct work *w)
{
	enum pw_status r = PW_OK;

	for (size_t i = 0; r == PW_OK && i < w->climb_count; i++)
		r = find_hosts(w, &w->climbs[i]);
	for (size_t i = 0; r == PW_OK && i < w->climb_count; i++)
		for (size_t k = 0; r == PW_OK && k < w->climbs[i].count; k++)
			r = ask_server(w, &w->climbs[i], &w->climbs[i].servers[k]);
	for (size_t i = 0; r == PW_OK && i < w->climb_count; i++)
		for (size_t k = 0; r == PW_OK && k < w->climbs[i].count; k++)
			r = wait_for(w, &w->climbs[i].servers[k].key);
	return r;
}

/* ---- what that means ---- */

static enum pw_status say(struct dns_record *r, struct pw_arena *arena,
                          enum dns_state state, struct pw_str server,
                          struct pw_str problem)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	r->state = state;
	if (!r->needed && state != DNS_SEEN_UNKNOWN)
		return PW_OK;
	pw_buf_printf(&text, "name server %.*s: %.*s", PW_FMT(server), PW_FMT(problem));
	if (pw_buf_status(&text) != PW_OK)
		return PW_ERR_NOMEM;
	return pw_arena_copy(arena, pw_buf_str(&text), &r->problem);
}

/* A definite answer that is wrong weighs more than one that is not there. */
static enum pw_status judge(struct climb *c, struct pw_arena *arena)
{
	enum pw_status r = PW_OK;

	if (pw_dns_is_error(&c->ns.answer))
		return say(c->record, arena, DNS_SEEN_UNKNOWN, c->zone,
		           PW_STR("DNS does not say which they are"));
	for (size_t i = 0; r == PW_OK && i < c->count; i++) {
		struct dns_record seen = *c->record;

		seen.asked.answer = c->servers[i].key.answer;
		seen.needed = true;
		if ((r = dns_judge(&seen, arena)) != PW_OK || seen.state == DNS_SEEN_OK)
			continue;
		if (c->record->state == DNS_SEEN_OK || seen.state != DNS_SEEN_UNKNOWN)
			r = say(c->record, arena, seen.state, c->servers[i].host,
			        seen.problem);
	}
	return r;
}

static enum pw_status confirm_some(struct work *w)
{
	enum pw_status r;

	if ((r = find_zones(w)) == PW_OK)
		r = ask_servers(w);
	for (size_t i = 0; r == PW_OK && i < w->climb_count; i++)
		r = judge(&w->climbs[i], w->arena);
	forget_climbs(w);
	return r;
}

static bool is_wanted(const struct dns_record *r)
{
	return pw_str_eq(r->kind, PW_STR("dkim")) && r->state == DNS_SEEN_OK;
}

enum pw_status dns_authority_confirm(struct dns_survey *survey,
                                     struct pw_resolver *resolver, int64_t deadline_ms)
{
	PW_AUTO(work_done)
	struct work w = { .resolver = resolver,
		          .arena = survey->arena,
		          .deadline_ms = deadline_ms };
	enum pw_status r = PW_OK;

	for (size_t i = 0; r == PW_OK && i < survey->count; i++) {
		struct dns_record *record = &survey->at[i];
		struct pw_str name = record->asked.answer.canonical;

		if (!is_wanted(record))
			continue;
		if (name.len == 0)
			name = record->name;
		w.climbs[w.climb_count++] =
			(struct climb){ .record = record, .name = name, .zone = name };
		if (w.climb_count == AT_ONCE)
			r = confirm_some(&w);
	}
	return r == PW_OK ? confirm_some(&w) : r;
}
