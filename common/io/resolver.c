#include "io/resolver.h"

#include <stdlib.h>

/* ---- the answer "there is no such name", for names that nobody can ask for ---- */

static enum pw_status nowhere_wait(struct pw_dns_ticket *ticket, int64_t deadline_ms,
                                   struct pw_arena *arena, struct pw_dns_answer *out)
{
	(void)ticket;
	(void)deadline_ms;
	(void)arena;
	*out = (struct pw_dns_answer){ .rcode = PW_DNS_NXDOMAIN };
	return PW_OK;
}

static void nowhere_drop(struct pw_dns_ticket *ticket)
{
	free(ticket);
}

static enum pw_status nowhere_ask(struct pw_dns_ticket **out)
{
	static const struct pw_resolver_kind nowhere = { .wait = nowhere_wait,
		                                         .drop = nowhere_drop };
	struct pw_dns_ticket *ticket = malloc(sizeof(*ticket));

	if (ticket == NULL)
		return PW_ERR_NOMEM;
	ticket->kind = &nowhere;
	*out = ticket;
	return PW_OK;
}

/* ---- dispatch ---- */

enum pw_status pw_dns_ask(struct pw_resolver *resolver,
                          const struct pw_dns_question *question,
                          struct pw_dns_ticket **out)
{
	if (!pw_dns_name_is_valid(question->name))
		return nowhere_ask(out);
	return resolver->kind->ask(resolver, question, out);
}

enum pw_status pw_dns_wait(struct pw_dns_ticket **ticket, int64_t deadline_ms,
                           struct pw_arena *arena, struct pw_dns_answer *out)
{
	enum pw_status r = (*ticket)->kind->wait(*ticket, deadline_ms, arena, out);

	pw_dns_drop(ticket);
	return r;
}

void pw_dns_drop(struct pw_dns_ticket **ticket)
{
	if (*ticket == NULL)
		return;
	(*ticket)->kind->drop(*ticket);
	*ticket = NULL;
}

enum pw_status pw_dns_lookup(struct pw_resolver *resolver,
                             const struct pw_dns_question *question, int64_t deadline_ms,
                             struct pw_arena *arena, struct pw_dns_answer *out)
{
	PW_AUTO(pw_dns_drop) struct pw_dns_ticket *ticket = NULL;
	enum pw_status r;

	if ((r = pw_dns_ask(resolver, question, &ticket)) != PW_OK)
		return r;
	return pw_dns_wait(&ticket, deadline_ms, arena, out);
}

void pw_resolver_close(struct pw_resolver **resolver)
{
	if (*resolver == NULL)
		return;
	(*resolver)->kind->close(*resolver);
	*resolver = NULL;
}
