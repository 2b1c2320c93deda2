#include "mail/dns_lists.h"

#include <stdlib.h>

#include "core/ascii.h"
#include "io/dns.h"

#define ARENA_BYTES ((size_t)4 * 1024 * 1024)

struct answer {
	unsigned symbol;
	struct pw_dns_codes codes;
	struct answer *next;
};

struct list {
	struct pw_str zone;
	enum pw_dns_list_about about;
	struct pw_dns_codes refusals;
	struct answer *answers;
	struct pw_dns_list_slot *slot; /* NULL: it is never asked */
};

struct pw_dns_lists {
	struct pw_arena *arena;
	struct list at[PW_DNS_LISTS_MAX];
	size_t count;
};

static const char *const abouts[PW_DNS_LIST_ABOUTS] = {
	[PW_DNS_LIST_CLIENT] = "client", [PW_DNS_LIST_NAME] = "name",
	[PW_DNS_LIST_HELO] = "helo",     [PW_DNS_LIST_SENDER] = "sender",
	[PW_DNS_LIST_FROM] = "from",     [PW_DNS_LIST_DKIM] = "dkim",
	[PW_DNS_LIST_URL] = "url",
};

/* ---- making */

enum pw_status pw_dns_lists_new(struct pw_dns_lists **out)
{
	PW_AUTO(pw_dns_lists_free) struct pw_dns_lists *lists = calloc(1, sizeof(*lists));
	enum pw_status r;

	if (lists == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_arena_new(&lists->arena, ARENA_BYTES)) != PW_OK)
		return r;
	*out = PW_TAKE(lists);
	return PW_OK;
}

void pw_dns_lists_free(struct pw_dns_lists **lists)
{
	if (*lists == NULL)
		return;
	pw_arena_free(&(*lists)->arena);
	free(*lists);
	*lists = NULL;
}

static bool parse_about(enum pw_dns_list_about *out, struct pw_str word)
{
	for (int i = 0; i < PW_DNS_LIST_ABOUTS; i++)
		if (pw_str_eq(word, pw_str_from(abouts[i]))) {
			*out = (enum pw_dns_list_about)i;
			return true;
		}
	return false;
}

static enum pw_status read_codes(struct pw_dns_codes *out, struct pw_str text,
                                 struct pw_buf *why)
{
	enum pw_status r = pw_dns_codes_parse(out, text);

	if (r == PW_ERR_LIMIT)
		pw_buf_printf(why, "more than %d codes", PW_DNS_CODES_MAX);
	else if (r != PW_OK)
		pw_buf_puts(why, PW_STR("its codes cannot be read"));
	return r;
}

enum pw_status pw_dns_lists_add(struct pw_dns_lists *lists, struct pw_str zone,
                                struct pw_str about, struct pw_str refusals,
                                struct pw_buf *why_out)
{
	struct list *list = &lists->at[lists->count];
	enum pw_status r;

	if (lists->count == PW_DNS_LISTS_MAX) {
		pw_buf_printf(why_out, "more than %d lists", PW_DNS_LISTS_MAX);
		return PW_ERR_LIMIT;
	}
	*list = (struct list){ 0 };
	if (!parse_about(&list->about, about) || !pw_dns_name_is_valid(zone)) {
		pw_buf_puts(why_out, PW_STR("no such zone, or nothing to ask about"));
		return PW_ERR_SYNTAX;
	}
	if ((r = read_codes(&list->refusals, refusals, why_out)) != PW_OK ||
	    (r = pw_arena_copy(lists->arena, zone, &list->zone)) != PW_OK)
		return r;
	lists->count++;
	return PW_OK;
}

static struct list *find(struct pw_dns_lists *lists, struct pw_str zone,
                         struct pw_str about)
{
	for (size_t i = 0; i < lists->count; i++)
		if (pw_str_eq(lists->at[i].zone, zone) &&
		    pw_str_eq(about, pw_str_from(abouts[lists->at[i].about])))
			return &lists->at[i];
	return NULL;
}

enum pw_status pw_dns_lists_answer(struct pw_dns_lists *lists,
                                   const struct pw_weights *weights, struct pw_str name,
                                   struct pw_str zone, struct pw_str about,
                                   struct pw_str codes, struct pw_buf *why_out)
{
	struct list *list = find(lists, zone, about);
	struct answer *answer;
	enum pw_status r;

	if (list == NULL)
		return PW_ERR_NOTFOUND;
	answer = pw_arena_alloc(lists->arena, sizeof(*answer));
	if (answer == NULL)
		return PW_ERR_NOMEM;
	if (pw_weights_find(weights, name, &answer->symbol) != PW_OK ||
	    answer->symbol < PW_SYMBOLS) {
		pw_buf_puts(why_out, PW_STR("it has no symbol of its own"));
		return PW_ERR_LIMIT;
	}
	if ((r = read_codes(&answer->codes, codes, why_out)) != PW_OK)
		return r;
	answer->next = list->answers;
	list->answers = answer;
	return PW_OK;
}

size_t pw_dns_lists_count(const struct pw_dns_lists *lists)
{
	return lists->count;
}

struct pw_str pw_dns_lists_zone(const struct pw_dns_lists *lists, size_t i)
{
	return lists->at[i].zone;
}

const char *pw_dns_lists_about(const struct pw_dns_lists *lists, size_t i)
{
	return abouts[lists->at[i].about];
}

const struct pw_dns_codes *pw_dns_lists_refusals(const struct pw_dns_lists *lists,
                                                 size_t i)
{
	return &lists->at[i].refusals;
}

void pw_dns_lists_bind(struct pw_dns_lists *lists, size_t i,
                       struct pw_dns_list_slot *slot)
{
	lists->at[i].slot = slot;
}

/* ---- asking */

struct question {
	const struct list *list;
	struct pw_str what; /* as it was asked about */
	struct pw_dns_ticket *ticket;
};

struct pw_dns_list_run {
	struct pw_arena *arena;
	struct pw_resolver *resolver;
	const struct pw_dns_lists *lists;
	const struct pw_psl *psl;
	size_t count, link_domains;
	struct question at[PW_DNS_LISTS_QUESTIONS];
};

enum pw_status pw_dns_list_run_new(struct pw_dns_list_run **out, struct pw_arena *arena,
                                   struct pw_resolver *resolver,
                                   const struct pw_dns_lists *lists,
                                   const struct pw_psl *psl)
{
	struct pw_dns_list_run *run = pw_arena_alloc(arena, sizeof(*run));

	if (run == NULL)
		return PW_ERR_NOMEM;
	run->arena = arena;
	run->resolver = resolver;
	run->lists = lists;
	run->psl = psl;
	run->count = run->link_domains = 0;
	*out = run;
	return PW_OK;
}

void pw_dns_list_run_free(struct pw_dns_list_run **run)
{
	if (*run == NULL)
		return;
	for (size_t i = 0; i < (*run)->count; i++)
		pw_dns_drop(&(*run)->at[i].ticket);
	*run = NULL;
}

static bool is_asked(const struct list *list, enum pw_dns_list_about about)
{
	return list->about == about && list->slot != NULL &&
	       atomic_load_explicit(&list->slot->state, memory_order_relaxed) ==
	               PW_DNS_LIST_GOOD;
}

static enum pw_status file(struct pw_dns_list_run *run, const struct list *list,
                           struct pw_str what, struct pw_str name)
{
	struct pw_dns_question asked = { PW_DNS_A, name };
	struct question *q = &run->at[run->count];
	enum pw_status r;

	if (run->count == PW_DNS_LISTS_QUESTIONS || !pw_dns_name_is_valid(name))
		return PW_OK;
	*q = (struct question){ list, what, NULL };
	if ((r = pw_dns_ask(run->resolver, &asked, &q->ticket)) == PW_OK)
		run->count++;
	return r;
}

enum pw_status pw_dns_list_ask_address(struct pw_dns_list_run *run,
                                       enum pw_dns_list_about about, struct pw_ip ip)
{
	enum pw_status r = PW_OK;

	if (ip.family == PW_IP_NONE || pw_ip_is_private(ip))
		return PW_OK;
	for (size_t i = 0; i < run->lists->count && r == PW_OK; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
		const struct list *list = &run->lists->at[i];
		struct pw_str what;

		if (!is_asked(list, about))
			continue;
		pw_dns_list_put_name(&name, ip, list->zone);
		pw_ip_put(&text, ip);
		if ((r = pw_buf_status(&name)) == PW_OK &&
		    (r = pw_arena_copy(run->arena, pw_buf_str(&text), &what)) == PW_OK)
			r = file(run, list, what, pw_buf_str(&name));
	}
	return r;
}

static bool was_asked(const struct pw_dns_list_run *run, enum pw_dns_list_about about,
                      struct pw_str domain)
{
	for (size_t i = 0; i < run->count; i++)
		if (run->at[i].list->about == about && pw_str_eq(run->at[i].what, domain))
			return true;
	return false;
}

enum pw_status pw_dns_list_ask_domain(struct pw_dns_list_run *run,
                                      enum pw_dns_list_about about, struct pw_str name)
{
	char room[256];
	struct pw_str domain = pw_psl_org(run->psl, name, room);
	enum pw_status r = PW_OK;

	if (domain.len == 0 || pw_str_find(domain, '.') == domain.len ||
	    was_asked(run, about, domain) ||
	    (about == PW_DNS_LIST_URL &&
	     run->link_domains++ >= PW_DNS_LISTS_LINK_DOMAINS))
		return PW_OK;
	if ((r = pw_arena_copy(run->arena, domain, &domain)) != PW_OK)
		return r;
	for (size_t i = 0; i < run->lists->count && r == PW_OK; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf asked = { 0 };
		const struct list *list = &run->lists->at[i];

		if (!is_asked(list, about))
			continue;
		pw_buf_puts(&asked, domain);
		pw_buf_putc(&asked, '.');
		pw_buf_puts(&asked, list->zone);
		if ((r = pw_buf_status(&asked)) == PW_OK)
			r = file(run, list, domain, pw_buf_str(&asked));
	}
	return r;
}

/* ---- hearing */

static void fire(const struct list *list, const struct pw_dns_answer *answer,
                 struct pw_str what, struct pw_hits *hits)
{
	for (const struct answer *a = list->answers; a != NULL; a = a->next)
		for (size_t i = 0; i < answer->count; i++)
			if (pw_dns_codes_match(&a->codes, answer->records[i].ip))
				pw_hits_add(hits, a->symbol, 1000, what);
}

static void hear(const struct question *q, const struct pw_dns_answer *answer,
                 struct pw_hits *hits)
{
	struct pw_dns_list_slot *slot = q->list->slot;
	enum pw_dns_list_word word = pw_dns_list_read(answer, &q->list->refusals);

	if (word == PW_DNS_LIST_NO_ANSWER) {
		if (atomic_fetch_add(&slot->silent, 1) + 1 == PW_DNS_LISTS_SILENT_MAX)
			atomic_store(&slot->state, PW_DNS_LIST_AWAY);
		return;
	}
	atomic_store(&slot->silent, 0);
	if (word == PW_DNS_LIST_REFUSED)
		atomic_store(&slot->state, PW_DNS_LIST_REFUSES);
	else if (word == PW_DNS_LIST_LISTED)
		fire(q->list, answer, q->what, hits);
}

enum pw_status pw_dns_list_run_end(struct pw_dns_list_run *run, int64_t deadline_ms,
                                   struct pw_hits *hits)
{
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < run->count && r == PW_OK; i++) {
		struct pw_dns_answer answer;

		r = pw_dns_wait(&run->at[i].ticket, deadline_ms, run->arena, &answer);
		if (r == PW_OK)
			hear(&run->at[i], &answer, hits);
	}
	return r;
}
