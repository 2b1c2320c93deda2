#include "score/rules.h"

#include <stdlib.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/map.h"
#include "core/score_text.h"
#include "score/list_health.h"

#define DOMAINS_MAX 1000000
#define ARENA_BYTES ((size_t)256 * 1024 * 1024)

const struct pw_snapshot_query rules_queries[RULES_QUERIES] = {
	[RULES_SYMBOLS] = { "SELECT name, weight, enabled, dry_run, grp FROM "
	                    "mail.snapshot_symbols",
	                    5 },
	[RULES_GROUPS] = { "SELECT grp, max_score FROM mail.snapshot_groups", 2 },
	[RULES_ACTIONS] = { "SELECT action, threshold, dry_run FROM "
	                    "mail.snapshot_actions",
	                    3 },
	[RULES_DOMAINS] = { "SELECT name FROM mail.snapshot_domains", 1 },
	[RULES_SEALERS] = { "SELECT domain FROM mail.snapshot_arc_sealers", 1 },
	[RULES_OVERRIDES] = { "SELECT domain, disposition FROM "
	                      "mail.snapshot_dmarc_overrides",
	                      2 },
	[RULES_OWN] = { "SELECT name, kind, field, pattern, flags FROM "
	                "mail.snapshot_score_rules",
	                5 },
	[RULES_MAPS] = { "SELECT name, property, authenticated FROM "
	                 "mail.snapshot_score_maps",
	                 3 },
	[RULES_MAP_ENTRIES] = { "SELECT map, entry FROM mail.snapshot_score_map_entries",
	                        2 },
	[RULES_DNS_LISTS] = { "SELECT zone, about, refusals, test_listed, test_unlisted "
	                      "FROM mail.snapshot_dns_lists",
	                      5 },
	[RULES_DNS_ANSWERS] = { "SELECT name, zone, about, codes FROM "
	                        "mail.snapshot_dns_list_answers",
	                        4 },
	[RULES_COMPOSITES] = { "SELECT name, expression, parts FROM "
	                       "mail.snapshot_score_composites",
	                       3 },
};

struct rules {
	struct pw_weights weights;
	struct pw_arena *arena;
	struct pw_map *domains, *sealers, *overrides;
	enum pw_dmarc_policy dispositions[PW_DMARC_POLICIES]; /* what overrides lead to */
	struct pw_own_rules *own;
	struct pw_own_maps *maps;
	struct pw_dns_lists *dns_lists;
	struct pw_composites *composites;
	struct pw_buf problems; /* of own rules */
	uint8_t *told;          /* a symbol each: was its rule complained about? */
};

enum pw_status rules_new(struct rules **out)
{
	/* Admins name their domains themselves: nobody gains from colliding names. */
	static const uint8_t seed[16] = "postward-score";
	PW_AUTO(rules_free) struct rules *rules = calloc(1, sizeof(*rules));
	enum pw_status r;

	if (rules == NULL)
		return PW_ERR_NOMEM;
	pw_weights_default(&rules->weights);
	for (size_t i = 0; i < PW_DMARC_POLICIES; i++)
		rules->dispositions[i] = (enum pw_dmarc_policy)i;
	if ((r = pw_arena_new(&rules->arena, ARENA_BYTES)) != PW_OK ||
	    (r = pw_map_new(&rules->domains, seed, DOMAINS_MAX)) != PW_OK ||
	    (r = pw_map_new(&rules->sealers, seed, DOMAINS_MAX)) != PW_OK ||
	    (r = pw_map_new(&rules->overrides, seed, DOMAINS_MAX)) != PW_OK ||
	    (r = pw_own_rules_new(&rules->own)) != PW_OK ||
	    (r = pw_own_maps_new(&rules->maps)) != PW_OK ||
	    (r = pw_dns_lists_new(&rules->dns_lists)) != PW_OK ||
	    (r = pw_composites_new(&rules->composites)) != PW_OK)
		return r;
	if ((rules->told = calloc(PW_SYMBOLS_ALL, 1)) == NULL)
		return PW_ERR_NOMEM;
	pw_buf_puts(&rules->problems, PW_STR("[]"));
	*out = PW_TAKE(rules);
	return PW_OK;
}

void rules_free(struct rules **rules)
{
	if (*rules == NULL)
		return;
	pw_map_free(&(*rules)->domains);
	pw_map_free(&(*rules)->sealers);
	pw_map_free(&(*rules)->overrides);
	pw_own_rules_free(&(*rules)->own);
	pw_own_maps_free(&(*rules)->maps);
	pw_dns_lists_free(&(*rules)->dns_lists);
	pw_composites_free(&(*rules)->composites);
	pw_buf_done(&(*rules)->problems);
	free((*rules)->told);
	pw_arena_free(&(*rules)->arena);
	free(*rules);
	*rules = NULL;
}

const struct pw_weights *rules_weights(const struct rules *rules)
{
	return &rules->weights;
}

const struct pw_own_rules *rules_own(const struct rules *rules)
{
	return rules->own;
}

const struct pw_own_maps *rules_maps(const struct rules *rules)
{
	return rules->maps;
}

const struct pw_composites *rules_composites(const struct rules *rules)
{
	return rules->composites;
}

const struct pw_dns_lists *rules_dns_lists(const struct rules *rules)
{
	return rules->dns_lists;
}

struct pw_str rules_problems(const struct rules *rules)
{
	return pw_buf_str(&rules->problems);
}

bool rules_tell_once(const struct rules *rules, unsigned symbol)
{
	return __atomic_exchange_n(&rules->told[symbol], 1, __ATOMIC_RELAXED) == 0;
}

static bool has(struct pw_map *names, struct pw_str domain)
{
	PW_AUTO(pw_buf_done) struct pw_buf lower = { 0 };

	pw_buf_put_lower(&lower, domain);
	return pw_map_get(names, pw_buf_str(&lower)) != NULL;
}

bool rules_is_local(const void *user, struct pw_str domain)
{
	const struct rules *rules = user;

	return has(rules->domains, domain);
}

bool rules_is_sealer(const void *user, struct pw_str domain)
{
	const struct rules *rules = user;

	return has(rules->sealers, domain);
}

bool rules_dmarc_override(const void *user, struct pw_str domain,
                          enum pw_dmarc_policy *disposition_out)
{
	const struct rules *rules = user;
	PW_AUTO(pw_buf_done) struct pw_buf lower = { 0 };
	const enum pw_dmarc_policy *found;
	struct pw_str name;

	pw_buf_put_lower(&lower, domain);
	name = pw_buf_str(&lower);
	found = pw_map_get(rules->overrides, name);
	for (size_t dot = pw_str_find(name, '.'); found == NULL && dot < name.len;
	     dot = pw_str_find(name, '.')) {
		name = pw_str_sub(name, dot, name.len);
		found = pw_map_get(rules->overrides, name);
		name = pw_str_sub(name, 1, name.len);
	}
	if (found == NULL)
		return false;
	*disposition_out = *found;
	return true;
}

static void complain(struct pw_buf *out, struct pw_str name, enum pw_status status)
{
	pw_buf_puts(out, name);
	pw_buf_printf(out, ": %s\n", pw_status_text(status));
}

/* A symbol that is not built in is the admin's own: its name and group stay in the arena.
 */
static enum pw_status declare(struct rules *rules, const struct pw_snapshot_data *data,
                              size_t row)
{
	struct pw_str name = pw_snapshot_value(data, RULES_SYMBOLS, row, 0);
	struct pw_str group = pw_snapshot_value(data, RULES_SYMBOLS, row, 4);
	unsigned symbol;
	enum pw_status r;

	if (pw_weights_find(&rules->weights, name, &symbol) == PW_OK)
		return PW_OK;
	if (group.len == 0)
		group = PW_STR("own");
	if ((r = pw_arena_copy(rules->arena, name, &name)) != PW_OK ||
	    (r = pw_arena_copy(rules->arena, group, &group)) != PW_OK)
		return r;
	return pw_weights_own(&rules->weights, name, group, &symbol);
}

static enum pw_status read_symbol(struct rules *rules,
                                  const struct pw_snapshot_data *data, size_t row)
{
	int64_t milli;
	enum pw_status r;

	if ((r = pw_milli_parse(
		     &milli, pw_snapshot_value(data, RULES_SYMBOLS, row, 1))) != PW_OK ||
	    (r = declare(rules, data, row)) != PW_OK)
		return r;
	return pw_weights_symbol(&rules->weights,
	                         pw_snapshot_value(data, RULES_SYMBOLS, row, 0), milli,
	                         pw_snapshot_bool(data, RULES_SYMBOLS, row, 2),
	                         pw_snapshot_bool(data, RULES_SYMBOLS, row, 3));
}

static enum pw_status read_group(struct rules *rules, const struct pw_snapshot_data *data,
                                 size_t row)
{
	int64_t milli;
	enum pw_status r;

	r = pw_milli_parse(&milli, pw_snapshot_value(data, RULES_GROUPS, row, 1));
	if (r != PW_OK)
		return r;
	return pw_weights_group(&rules->weights,
	                        pw_snapshot_value(data, RULES_GROUPS, row, 0), milli);
}

static enum pw_status read_action(struct rules *rules,
                                  const struct pw_snapshot_data *data, size_t row)
{
	int64_t milli;
	enum pw_status r;

	r = pw_milli_parse(&milli, pw_snapshot_value(data, RULES_ACTIONS, row, 1));
	if (r != PW_OK)
		return r;
	return pw_weights_action(&rules->weights,
	                         pw_snapshot_value(data, RULES_ACTIONS, row, 0), milli,
	                         pw_snapshot_bool(data, RULES_ACTIONS, row, 2));
}

static enum pw_status read_names(struct rules *rules, struct pw_map *names,
                                 const struct pw_snapshot_data *data, size_t query)
{
	struct pw_str copy;
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < pw_snapshot_rows(data, query) && r == PW_OK; i++) {
		r = pw_arena_copy(rules->arena, pw_snapshot_value(data, query, i, 0),
		                  &copy);
		if (r == PW_OK)
			r = pw_map_put(names, copy, rules);
	}
	return r;
}

static enum pw_status read_overrides(struct rules *rules,
                                     const struct pw_snapshot_data *data)
{
	enum pw_status r = PW_OK;
	struct pw_str copy;

	for (size_t i = 0; i < pw_snapshot_rows(data, RULES_OVERRIDES) && r == PW_OK;
	     i++) {
		struct pw_str word = pw_snapshot_value(data, RULES_OVERRIDES, i, 1);
		size_t d = 0;

		while (d < PW_DMARC_POLICIES &&
		       !pw_str_eq(word, pw_str_from(pw_dmarc_policy_text(
						rules->dispositions[d]))))
			d++;
		if (d == PW_DMARC_POLICIES)
			continue; /* a word of a later schema */
		r = pw_arena_copy(rules->arena,
		                  pw_snapshot_value(data, RULES_OVERRIDES, i, 0), &copy);
		if (r == PW_OK)
			r = pw_map_put(rules->overrides, copy, &rules->dispositions[d]);
	}
	return r;
}

static void put_problem(struct pw_buf *out, struct pw_str name, struct pw_str why)
{
	pw_buf_truncate(out, out->len - 1); /* the ']' */
	pw_buf_puts(out, out->len > 1 ? PW_STR(", {\"name\": ") : PW_STR("{\"name\": "));
	pw_json_put_string(out, name);
	pw_buf_puts(out, PW_STR(", \"problem\": "));
	pw_json_put_string(out, why);
	pw_buf_puts(out, PW_STR("}]"));
}

static void leave_out(struct rules *rules, struct pw_str name, const struct pw_buf *why,
                      struct pw_buf *complaints)
{
	put_problem(&rules->problems, name, pw_buf_str(why));
	pw_buf_puts(complaints, name);
	pw_buf_printf(complaints, ": %s\n", pw_buf_text(why));
}

/* One that cannot be used is told; the others serve.
 *
 * Errors  PW_ERR_NOMEM */
static enum pw_status read_own(struct rules *rules, const struct pw_snapshot_data *data,
                               struct pw_buf *complaints)
{
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < pw_snapshot_rows(data, RULES_OWN) && r != PW_ERR_NOMEM;
	     i++) {
		PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
		struct pw_own_rule rule = {
			.name = pw_snapshot_value(data, RULES_OWN, i, 0),
			.kind = pw_snapshot_value(data, RULES_OWN, i, 1),
			.field = pw_snapshot_value(data, RULES_OWN, i, 2),
			.pattern = pw_snapshot_value(data, RULES_OWN, i, 3),
			.flags = pw_snapshot_value(data, RULES_OWN, i, 4),
		};

		r = pw_own_rules_add(rules->own, &rules->weights, &rule, &why);
		if (r == PW_OK || r == PW_ERR_NOMEM)
			continue;
		leave_out(rules, rule.name, &why, complaints);
	}
	return r == PW_ERR_NOMEM ? r : pw_buf_status(&rules->problems);
}

/* As read_own. */
static enum pw_status read_maps(struct rules *rules, const struct pw_snapshot_data *data,
                                struct pw_buf *complaints)
{
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < pw_snapshot_rows(data, RULES_MAPS) && r != PW_ERR_NOMEM;
	     i++) {
		PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
		struct pw_str name = pw_snapshot_value(data, RULES_MAPS, i, 0);

		r = pw_own_maps_add(rules->maps, &rules->weights, name,
		                    pw_snapshot_value(data, RULES_MAPS, i, 1),
		                    pw_snapshot_bool(data, RULES_MAPS, i, 2), &why);
		if (r != PW_OK && r != PW_ERR_NOMEM)
			leave_out(rules, name, &why, complaints);
	}
	for (size_t i = 0;
	     i < pw_snapshot_rows(data, RULES_MAP_ENTRIES) && r != PW_ERR_NOMEM; i++) {
		struct pw_str entry = pw_snapshot_value(data, RULES_MAP_ENTRIES, i, 1);

		r = pw_own_maps_put(rules->maps,
		                    pw_snapshot_value(data, RULES_MAP_ENTRIES, i, 0),
		                    entry);
		if (r == PW_ERR_SYNTAX || r == PW_ERR_LIMIT)
			complain(complaints, entry, r);
	}
	return r == PW_ERR_NOMEM ? r : pw_buf_status(&rules->problems);
}

/* As read_own. */
static enum pw_status read_dns_lists(struct rules *rules,
                                     const struct pw_snapshot_data *data,
                                     struct pw_buf *complaints)
{
	enum pw_status r = PW_OK;

	for (size_t i = 0;
	     i < pw_snapshot_rows(data, RULES_DNS_LISTS) && r != PW_ERR_NOMEM; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
		struct pw_str zone = pw_snapshot_value(data, RULES_DNS_LISTS, i, 0);

		r = pw_dns_lists_add(rules->dns_lists, zone,
		                     pw_snapshot_value(data, RULES_DNS_LISTS, i, 1),
		                     pw_snapshot_value(data, RULES_DNS_LISTS, i, 2),
		                     &why);
		if (r != PW_OK && r != PW_ERR_NOMEM)
			leave_out(rules, zone, &why, complaints);
	}
	for (size_t i = 0;
	     i < pw_snapshot_rows(data, RULES_DNS_ANSWERS) && r != PW_ERR_NOMEM; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
		struct pw_str name = pw_snapshot_value(data, RULES_DNS_ANSWERS, i, 0);

		r = pw_dns_lists_answer(rules->dns_lists, &rules->weights, name,
		                        pw_snapshot_value(data, RULES_DNS_ANSWERS, i, 1),
		                        pw_snapshot_value(data, RULES_DNS_ANSWERS, i, 2),
		                        pw_snapshot_value(data, RULES_DNS_ANSWERS, i, 3),
		                        &why);
		if (r == PW_ERR_SYNTAX || r == PW_ERR_LIMIT)
			leave_out(rules, name, &why, complaints);
	}
	return r == PW_ERR_NOMEM ? r : pw_buf_status(&rules->problems);
}

/* As read_own. */
static enum pw_status read_composites(struct rules *rules,
                                      const struct pw_snapshot_data *data,
                                      struct pw_buf *complaints)
{
	size_t rows = pw_snapshot_rows(data, RULES_COMPOSITES);
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < rows; i++) /* one without a symbol is told below */
		(void)!pw_composites_name(
			&rules->weights, pw_snapshot_value(data, RULES_COMPOSITES, i, 0));
	for (size_t i = 0; i < rows && r != PW_ERR_NOMEM; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
		struct pw_str name = pw_snapshot_value(data, RULES_COMPOSITES, i, 0);

		r = pw_composites_add(rules->composites, &rules->weights, name,
		                      pw_snapshot_value(data, RULES_COMPOSITES, i, 1),
		                      pw_snapshot_value(data, RULES_COMPOSITES, i, 2),
		                      &why);
		if (r == PW_ERR_SYNTAX || r == PW_ERR_LIMIT)
			leave_out(rules, name, &why, complaints);
	}
	return r == PW_ERR_NOMEM ? r : pw_buf_status(&rules->problems);
}

enum pw_status rules_bind(struct rules *rules, const struct pw_snapshot_data *data,
                          struct list_health *health)
{
	enum pw_status r = PW_OK;

	list_health_begin(health);
	for (size_t i = 0; i < pw_dns_lists_count(rules->dns_lists) && r == PW_OK; i++) {
		struct pw_str zone = pw_dns_lists_zone(rules->dns_lists, i);
		struct pw_str about =
			pw_str_from(pw_dns_lists_about(rules->dns_lists, i));

		for (size_t row = 0; row < pw_snapshot_rows(data, RULES_DNS_LISTS); row++)
			if (pw_str_eq(pw_snapshot_value(data, RULES_DNS_LISTS, row, 0),
			              zone) &&
			    pw_str_eq(pw_snapshot_value(data, RULES_DNS_LISTS, row, 1),
			              about))
				r = list_health_bind(
					health, rules->dns_lists, i,
					pw_snapshot_value(data, RULES_DNS_LISTS, row, 3),
					pw_snapshot_value(data, RULES_DNS_LISTS, row, 4));
	}
	return r;
}

enum pw_status rules_read(struct rules **out, const struct pw_snapshot_data *data,
                          struct pw_buf *complaints)
{
	/* clang-format off */
	static const struct {
		size_t query;
		enum pw_status (*read)(struct rules *rules,
		                       const struct pw_snapshot_data *data, size_t row);
	} tables[] = {
		{ RULES_SYMBOLS, read_symbol },
		{ RULES_GROUPS,  read_group },
		{ RULES_ACTIONS, read_action },
	};
	/* clang-format on */
	PW_AUTO(rules_free) struct rules *rules = NULL;
	enum pw_status r;

	if ((r = rules_new(&rules)) != PW_OK)
		return r;
	for (size_t t = 0; t < PW_LEN(tables); t++)
		for (size_t i = 0; i < pw_snapshot_rows(data, tables[t].query); i++) {
			r = tables[t].read(rules, data, i);
			if (r != PW_OK)
				complain(complaints,
				         pw_snapshot_value(data, tables[t].query, i, 0),
				         r);
		}
	if ((r = read_names(rules, rules->domains, data, RULES_DOMAINS)) != PW_OK ||
	    (r = read_names(rules, rules->sealers, data, RULES_SEALERS)) != PW_OK ||
	    (r = read_overrides(rules, data)) != PW_OK ||
	    (r = read_own(rules, data, complaints)) != PW_OK ||
	    (r = read_maps(rules, data, complaints)) != PW_OK ||
	    (r = read_dns_lists(rules, data, complaints)) != PW_OK ||
	    (r = read_composites(rules, data, complaints)) != PW_OK)
		return r;
	*out = PW_TAKE(rules);
	return PW_OK;
}

static void put_pair(struct pw_buf *out, const char *key, const char *text)
{
	pw_buf_printf(out, "\"%s\": ", key);
	pw_json_put_string(out, pw_str_from(text));
	pw_buf_puts(out, PW_STR(", "));
}

void rules_put_offer(struct pw_buf *out)
{
	/* large: off the stack of whoever calls */
	struct pw_weights *defaults = calloc(1, sizeof(*defaults));

	if (defaults == NULL)
		return;
	pw_weights_default(defaults);
	pw_buf_puts(out, PW_STR("{\"symbols\": ["));
	for (size_t i = 0; i < PW_SYMBOLS; i++) {
		enum pw_symbol symbol = (enum pw_symbol)i;

		pw_buf_puts(out, i > 0 ? PW_STR(", {") : PW_STR("{"));
		put_pair(out, "name", pw_symbol_text(symbol));
		put_pair(out, "group", pw_group_text(pw_symbol_group(symbol)));
		put_pair(out, "description", pw_symbol_help(symbol));
		pw_buf_puts(out, PW_STR("\"weight\": "));
		pw_milli_put(out, defaults->symbols[i].weight_milli);
		pw_buf_putc(out, '}');
	}
	pw_buf_puts(out, PW_STR("], \"groups\": ["));
	for (size_t i = 0; i < PW_GROUPS; i++) {
		enum pw_group group = (enum pw_group)i;

		pw_buf_puts(out, i > 0 ? PW_STR(", {") : PW_STR("{"));
		put_pair(out, "name", pw_group_text(group));
		put_pair(out, "description", pw_group_help(group));
		pw_buf_puts(out, PW_STR("\"max\": "));
		pw_milli_put(out, defaults->group_max_milli[i]);
		pw_buf_putc(out, '}');
	}
	pw_buf_puts(out, PW_STR("]}"));
	free(defaults);
}
