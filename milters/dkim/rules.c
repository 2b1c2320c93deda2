#include "dkim/rules.h"

#include <stdlib.h>

#include "core/map.h"
#include "core/punycode.h"

#define PATTERNS_MAX 1000000
#define BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define EXPIRES_MAX_S (INT64_C(10) * 366 * 86400)

struct rules {
	struct pw_map *patterns; /* first struct rule by pattern */
	struct pw_arena *arena;
	bool has_adds;
};

enum pw_status rules_new(struct rules **out, const uint8_t seed[16])
{
	PW_AUTO(rules_free) struct rules *rules = calloc(1, sizeof(*rules));
	enum pw_status r;

	if (!rules)
		return PW_ERR_NOMEM;
	if ((r = pw_map_new(&rules->patterns, seed, PATTERNS_MAX)) != PW_OK ||
	    (r = pw_arena_new(&rules->arena, BYTES_MAX)) != PW_OK)
		return r;
	*out = PW_TAKE(rules);
	return PW_OK;
}

void rules_free(struct rules **rules)
{
	if (!*rules)
		return;
	pw_map_free(&(*rules)->patterns);
	pw_arena_free(&(*rules)->arena);
	free(*rules);
	*rules = NULL;
}

static bool is_pattern(struct pw_str s)
{
	size_t at = pw_str_find(s, '@');

	if (pw_str_eq(s, PW_STR("*")))
		return true;
	if (at < s.len)
		return at > 0;
	if (pw_str_starts(s, PW_STR(".")))
		s = pw_str_sub(s, 1, s.len);
	return pw_domain_is_valid(s);
}

/* What stands behind the last @ goes into the signature as it is. */
static bool is_identity(struct pw_str s)
{
	size_t at = pw_str_rfind(s, '@');

	return s.len == 0 || pw_str_eq(s, PW_STR("author")) ||
	       pw_str_eq(s, PW_STR("author_domain")) ||
	       (at < s.len && pw_domain_is_valid(pw_str_sub(s, at + 1, s.len)));
}

/* No sign; nothing is 0. */
static enum pw_status read_seconds(int64_t *out, struct pw_str text)
{
	*out = 0;
	if (text.len == 0)
		return PW_OK;
	return text.at[0] == '-' ? PW_ERR_SYNTAX
	                         : pw_str_to_int64(text, 0, EXPIRES_MAX_S, out);
}

/* Where the domain of an address begins; of a domain alone at its start. */
static size_t domain_start(struct pw_str name)
{
	size_t at = pw_str_rfind(name, '@');

	return at < name.len ? at + 1 : 0;
}

/* An address, a domain or ".domain", its domain as DNS has it. */
static enum pw_status copy_as_dns(struct pw_arena *arena, struct pw_str name,
                                  struct pw_str *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	size_t at = domain_start(name);
	enum pw_status r;

	pw_buf_puts(&text, pw_str_sub(name, 0, at));
	if (at < name.len &&
	    (r = pw_domain_to_ascii(&text, pw_str_sub(name, at, name.len))) != PW_OK)
		return r == PW_ERR_LIMIT ? PW_ERR_SYNTAX : r;
	if (pw_buf_status(&text) != PW_OK)
		return pw_buf_status(&text);
	return pw_arena_copy(arena, pw_buf_str(&text), out);
}

static enum pw_status read_row(struct rule *rule, struct pw_arena *arena,
                               const struct rule_row *row)
{
	enum pw_status r;

	rule->is_unsigned = pw_str_eq(row->action, PW_STR("unsigned"));
	rule->adds = pw_str_eq(row->adds, PW_STR("t"));
	if (!is_pattern(row->pattern) || !is_identity(row->identity) ||
	    (!rule->is_unsigned && !pw_str_eq(row->action, PW_STR("sign"))) ||
	    (row->domain.len > 0 && !pw_domain_is_valid(row->domain)))
		return PW_ERR_SYNTAX;
	if ((r = read_seconds(&rule->expires_s, row->expires_s)) != PW_OK ||
	    (r = copy_as_dns(arena, row->pattern, &rule->pattern)) != PW_OK ||
	    (r = copy_as_dns(arena, row->domain, &rule->domain)) != PW_OK ||
	    (r = pw_arena_copy(arena, row->identity, &rule->identity)) != PW_OK)
		return r;
	if (row->headers.len == 0 && row->oversign.len == 0)
		return PW_OK;
	return pw_dkim_names_parse(&rule->names, arena, row->headers, row->oversign);
}

enum pw_status rules_add(struct rules *rules, const struct rule_row *row)
{
	struct rule *rule = pw_arena_alloc(rules->arena, sizeof(*rule));
	struct rule *last;
	enum pw_status r;

	if (!rule)
		return PW_ERR_NOMEM;
	if ((r = read_row(rule, rules->arena, row)) != PW_OK)
		return r;
	rules->has_adds = rules->has_adds || rule->adds;
	last = pw_map_get(rules->patterns, rule->pattern);
	if (!last)
		return pw_map_put(rules->patterns, rule->pattern, rule);
	while (last->next)
		last = last->next;
	last->next = rule;
	return PW_OK;
}

struct choice {
	const struct rules *rules;
	const struct rule **chosen;
	size_t count;
	bool adds; /* which kind is looked for */
};

static void take(struct choice *c, const struct rule *rule)
{
	if (c->count < RULES_CHOSEN_MAX)
		c->chosen[c->count++] = rule;
}

/* The rules of one pattern; false: there are none of this kind. */
static bool take_pattern(struct choice *c, struct pw_str pattern)
{
	const struct rule *rule = pw_map_get(c->rules->patterns, pattern);
	bool any = false;

	for (; rule; rule = rule->next) {
		if (rule->adds != c->adds)
			continue;
		take(c, rule);
		any = true;
	}
	return any;
}

/* The domain and those above it: ".sub.example.org" is above "a.sub.example.org". False:
 * none has rules. `all`: do not stop at the first that has. */
static bool take_above(struct choice *c, struct pw_str domain, bool all)
{
	bool any = false;

	for (size_t dot = pw_str_find(domain, '.'); dot < domain.len && (all || !any);
	     dot = pw_str_find(domain, '.')) {
		any = take_pattern(c, pw_str_sub(domain, dot, domain.len)) || any;
		domain = pw_str_sub(domain, dot + 1, domain.len);
	}
	return any;
}

size_t rules_choose(const struct rule *chosen[RULES_CHOSEN_MAX],
                    const struct rules *rules, struct pw_str address,
                    struct pw_str domain, bool has_keys)
{
	struct choice c = { rules, chosen, 0, false };

	if (!take_pattern(&c, address) && !take_pattern(&c, domain)) {
		if (has_keys)
			take(&c, NULL);
		else if (!take_above(&c, domain, false))
			(void)take_pattern(&c, PW_STR("*"));
	}
	if (!rules->has_adds)
		return c.count;
	c.adds = true;
	(void)take_pattern(&c, address);
	(void)take_pattern(&c, domain);
	(void)take_above(&c, domain, true);
	(void)take_pattern(&c, PW_STR("*"));
	return c.count;
}

static bool is_inside(struct pw_str domain, struct pw_str parent)
{
	if (!pw_str_ends_nocase(domain, parent))
		return false;
	return domain.len == parent.len || domain.at[domain.len - parent.len - 1] == '.';
}

enum pw_status rule_identity(struct pw_str *out, struct pw_arena *arena,
                             const struct rule *rule, struct pw_str signing_domain,
                             struct pw_str address, struct pw_str domain)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_str identity = rule ? rule->identity : PW_STR("");

	if (pw_str_eq(identity, PW_STR("author"))) {
		identity = address;
	} else if (pw_str_eq(identity, PW_STR("author_domain"))) {
		pw_buf_printf(&text, "@%.*s", PW_FMT(domain));
		if (pw_buf_status(&text) != PW_OK)
			return pw_buf_status(&text);
		identity = pw_buf_str(&text);
	}
	if (!is_inside(pw_str_sub(identity, domain_start(identity), identity.len),
	               signing_domain))
		identity = PW_STR(""); /* RFC 6376 3.5: verifiers would ignore it all */
	return pw_arena_copy(arena, identity, out);
}
