#include "policyd/rules.h"

#include <stdlib.h>
#include <string.h>

#include "core/map.h"
#include "policyd/rule_row.h"

/* A name to be looked up: the number of the family, the name. */
#define WHO_MAX 400

struct list {
	struct catalog_rule *first, *last;
};

/* The rules of one key and unit: among them the nearest count. */
struct family {
	struct family *next;
	const struct catalog_rule *like; /* its first rule: the key and unit of all */
	uint32_t number;
	bool has[FORM_NULL + 1]; /* forms of `who` */
	bool has_bits4[33], has_bits6[129];
};

struct exemption {
	struct exemption *next;
	struct rule_when when;
};

struct rules {
	struct pw_arena *arena;
	struct pw_map *lists; /* family and who -> struct list */
	struct pw_map *ids;   /* id, 8 bytes -> struct catalog_rule */
	struct family *first, *last;
	size_t family_count;
	struct exemption *exemptions;
};

enum pw_status rules_new(struct rules **out, struct pw_arena *arena,
                         const uint8_t seed[16])
{
	PW_AUTO(rules_free) struct rules *rules = calloc(1, sizeof(*rules));
	enum pw_status r;

	if (rules == NULL)
		return PW_ERR_NOMEM;
	rules->arena = arena;
	if ((r = pw_map_new(&rules->lists, seed, 10000000)) != PW_OK ||
	    (r = pw_map_new(&rules->ids, seed, 10000000)) != PW_OK)
		return r;
	*out = PW_TAKE(rules);
	return PW_OK;
}

void rules_free(struct rules **rules)
{
	if (*rules == NULL)
		return;
	pw_map_free(&(*rules)->lists);
	pw_map_free(&(*rules)->ids);
	free(*rules);
	*rules = NULL;
}

/* ---- names of lists */

struct name {
	char at[sizeof(uint32_t) + WHO_MAX];
	size_t len;
};

/* False: longer than any `who`. */
static bool name_make(struct name *name, uint32_t family, struct pw_str before,
                      struct pw_str who)
{
	if (before.len + who.len > WHO_MAX)
		return false;
	memcpy(name->at, &family, sizeof(family));
	memcpy(name->at + sizeof(family), before.at, before.len);
	if (who.len > 0)
		memcpy(name->at + sizeof(family) + before.len, who.at, who.len);
	name->len = sizeof(family) + before.len + who.len;
	return true;
}

/* Its family, its length, its bytes without those of the host. */
static void net_name(char out[18], struct pw_ip ip, uint8_t bits)
{
	struct pw_ip net = rule_row_mask(ip, bits);

	out[0] = (char)net.family;
	out[1] = (char)bits;
	memcpy(out + 2, net.bytes, sizeof(net.bytes));
}

/* ---- building */

static bool has_key_of(const struct family *family, const struct catalog_rule *rule)
{
	return family->like->unit == rule->unit &&
	       family->like->word_count == rule->word_count &&
	       memcmp(family->like->words, rule->words,
	              rule->word_count * sizeof(rule->words[0])) == 0;
}

static enum pw_status family_of(struct rules *rules, struct family **out,
                                const struct catalog_rule *rule)
{
	struct family *family = rules->first;

	while (family != NULL && !has_key_of(family, rule))
		family = family->next;
	if (family == NULL) {
		if (rules->family_count == RULES_FAMILIES_MAX)
			return PW_ERR_RANGE;
		if ((family = pw_arena_alloc(rules->arena, sizeof(*family))) == NULL)
			return PW_ERR_NOMEM;
		family->like = rule;
		family->number = (uint32_t)rules->family_count++;
		*(rules->last != NULL ? &rules->last->next : &rules->first) = family;
		rules->last = family;
	}
	*out = family;
	return PW_OK;
}

static enum pw_status list_of(struct rules *rules, struct list **out,
                              struct family *family, const struct rule_row *row)
{
	char net[18];
	struct name name;
	struct pw_str key;
	struct list *list;
	enum pw_status r;

	net_name(net, row->net.ip, row->net.bits);
	if (!name_make(&name, family->number, PW_STR(""),
	               row->who.form == FORM_NET ? (struct pw_str){ net, sizeof(net) }
	                                         : row->who.text))
		return PW_ERR_RANGE;
	key = (struct pw_str){ name.at, name.len };
	if ((list = pw_map_get(rules->lists, key)) == NULL) {
		if ((list = pw_arena_alloc(rules->arena, sizeof(*list))) == NULL ||
		    pw_arena_copy(rules->arena, key, &key) != PW_OK)
			return PW_ERR_NOMEM;
		if ((r = pw_map_put(rules->lists, key, list)) != PW_OK)
			return r;
	}
	*out = list;
	return PW_OK;
}

static void append(struct list *list, struct catalog_rule *rule)
{
	*(list->first != NULL ? &list->last->next : &list->first) = rule;
	list->last = rule;
}

static enum pw_status remember_id(struct rules *rules, struct catalog_rule *rule)
{
	return pw_map_put(rules->ids,
	                  (struct pw_str){ (const char *)&rule->id, sizeof(rule->id) },
	                  rule);
}

static void note_form(struct family *family, const struct rule_row *row)
{
	family->has[row->who.form] = true;
	if (row->who.form != FORM_NET)
		return;
	(row->net.ip.family == PW_IP_V4 ? family->has_bits4
	                                : family->has_bits6)[row->net.bits] = true;
}

enum pw_status rules_add(struct rules *rules, const struct pw_str *fields)
{
	struct catalog_rule *rule = pw_arena_alloc(rules->arena, sizeof(*rule));
	struct rule_row row;
	struct family *family;
	struct list *list;
	enum pw_status r;

	if (rule == NULL)
		return PW_ERR_NOMEM;
	if ((r = rule_row_read(&row, rules->arena, fields)) != PW_OK)
		return r;
	*rule = row.rule;
	if ((r = family_of(rules, &family, rule)) != PW_OK ||
	    (r = list_of(rules, &list, family, &row)) != PW_OK ||
	    (r = remember_id(rules, rule)) != PW_OK)
		return r;
	note_form(family, &row);
	append(list, rule);
	return PW_OK;
}

enum pw_status rules_add_exemption(struct rules *rules, const struct pw_str *fields)
{
	struct exemption *exemption = pw_arena_alloc(rules->arena, sizeof(*exemption));
	enum pw_status r;

	if (exemption == NULL)
		return PW_ERR_NOMEM;
	if ((r = rule_row_when(&exemption->when, rules->arena, fields)) != PW_OK)
		return r;
	exemption->next = rules->exemptions;
	rules->exemptions = exemption;
	return PW_OK;
}

const struct catalog_rule *rules_find(const struct rules *rules, int64_t id)
{
	return pw_map_get(rules->ids, (struct pw_str){ (const char *)&id, sizeof(id) });
}

/* ---- does a rule fit */

/* Is name (of a host or domain) the suffix's, which begins with a dot, or below it? */
static bool is_below(struct pw_str name, struct pw_str suffix)
{
	return pw_str_ends_nocase(name, suffix) ||
	       pw_str_eq_nocase(name, pw_str_sub(suffix, 1, suffix.len));
}

static bool address_fits(const struct rule_pattern *pattern, struct pw_str address,
                         struct pw_str domain)
{
	switch (pattern->form) {
	case FORM_ANY:
		return true;
	case FORM_EXACT:
		return pw_str_eq(pattern->text, address);
	case FORM_DOMAIN:
		return pw_str_eq(pattern->text, domain);
	case FORM_SUFFIX:
		return domain.len > 1 &&
		       is_below(pw_str_sub(domain, 1, domain.len), pattern->text);
	case FORM_NET:
	case FORM_NULL:
		break;
	}
	return false;
}

static bool fits(const struct rule_when *when, const struct rule_facts *facts)
{
	const struct pw_str *text = facts->text;
	bool is_authenticated = text[WORD_LOGIN].len > 0;
	int64_t port = 0;

	if (when->is_authenticated >= 0 && is_authenticated != when->is_authenticated)
		return false;
	if (when->context.len > 0 && !pw_str_eq(when->context, text[WORD_CONTEXT]))
		return false;
	if (when->port != 0 &&
	    (pw_str_to_int64(text[WORD_PORT], 0, 65535, &port) != PW_OK ||
	     port != when->port))
		return false;
	if (when->client.ip.family != PW_IP_NONE &&
	    !pw_net_contains(&when->client, facts->client))
		return false;
	if (when->client_name.form == FORM_SUFFIX &&
	    !is_below(text[WORD_CLIENT_NAME], when->client_name.text))
		return false;
	return address_fits(&when->login, text[WORD_LOGIN], text[WORD_LOGIN_DOMAIN]) &&
	       (when->sender.form == FORM_NULL
	                ? facts->is_null_sender
	                : address_fits(&when->sender, text[WORD_SENDER],
	                               text[WORD_SENDER_DOMAIN])) &&
	       address_fits(&when->recipient, text[WORD_RECIPIENT],
	                    text[WORD_RECIPIENT_DOMAIN]);
}

static bool is_known(enum rule_word word, const struct rule_facts *facts)
{
	return word == WORD_CLIENT ? facts->client.family != PW_IP_NONE
	                           : facts->text[word].len > 0;
}

/* ---- which rules of a family */

struct match {
	const struct rules *rules;
	const struct rule_facts *facts;
	const struct family *family;
	const struct catalog_rule *fitting[CATALOG_RULES_MAX];
	size_t count;
};

static void collect(struct match *match, struct pw_str before, struct pw_str who)
{
	const struct list *list;
	struct name name;

	if (!name_make(&name, match->family->number, before, who))
		return;
	list = pw_map_get(match->rules->lists, (struct pw_str){ name.at, name.len });
	for (const struct catalog_rule *rule = list != NULL ? list->first : NULL;
	     rule != NULL && match->count < CATALOG_RULES_MAX; rule = rule->next)
		if (fits(&rule->when, match->facts))
			match->fitting[match->count++] = rule;
}

/* ".b.example.org", ".example.org", ".org" */
static void collect_suffixes(struct match *match, struct pw_str name)
{
	while (name.len > 0) {
		collect(match, PW_STR("."), name);
		(void)pw_str_cut(&name, '.');
	}
}

static void collect_nets(struct match *match, struct pw_ip ip)
{
	bool is_v4 = ip.family == PW_IP_V4;
	const bool *has = is_v4 ? match->family->has_bits4 : match->family->has_bits6;
	char net[18];

	for (int bits = is_v4 ? 32 : 128; bits >= 0; bits--) {
		if (!has[bits])
			continue;
		net_name(net, ip, (uint8_t)bits);
		collect(match, PW_STR(""), (struct pw_str){ net, sizeof(net) });
	}
}

static struct pw_str domain_of(enum rule_word word, const struct rule_facts *facts)
{
	switch (word) {
	case WORD_LOGIN:
	case WORD_LOGIN_DOMAIN:
		return facts->text[WORD_LOGIN_DOMAIN];
	case WORD_SENDER:
	case WORD_SENDER_DOMAIN:
		return facts->text[WORD_SENDER_DOMAIN];
	case WORD_RECIPIENT:
	case WORD_RECIPIENT_DOMAIN:
		return facts->text[WORD_RECIPIENT_DOMAIN];
	case WORD_CLIENT:
	case WORD_CLIENT_NAME:
	case WORD_CONTEXT:
	case WORD_PORT:
	case WORD_SERVER:
	case RULE_WORDS:
		break;
	}
	return (struct pw_str){ NULL, 0 };
}

/* What strangers send is never taken for one of the other forms. */
static bool is_exact(struct pw_str text)
{
	return text.len > 0 && text.at[0] != '@' && text.at[0] != '.' &&
	       !pw_str_eq(text, PW_STR("*"));
}

static void collect_family(struct match *match)
{
	const struct family *family = match->family;
	enum rule_word word = family->like->words[0];
	struct pw_str domain = domain_of(word, match->facts);

	match->count = 0;
	if (family->has[FORM_EXACT] && is_exact(match->facts->text[word]))
		collect(match, PW_STR(""), match->facts->text[word]);
	if (family->has[FORM_DOMAIN] && domain.len > 0)
		collect(match, PW_STR(""), domain);
	if (family->has[FORM_SUFFIX])
		collect_suffixes(match, word == WORD_CLIENT_NAME
		                                ? match->facts->text[word]
		                                : pw_str_sub(domain, 1, domain.len));
	if (family->has[FORM_NET])
		collect_nets(match, match->facts->client);
	if (family->has[FORM_ANY])
		collect(match, PW_STR(""), PW_STR("*"));
}

/* The highest rank below that one among those that fit; INT64_MIN = none. */
static int64_t next_rank(const struct match *match, int64_t below)
{
	int64_t best = INT64_MIN;

	for (size_t i = 0; i < match->count; i++) {
		int64_t rank = match->fitting[i]->rank;

		if (rank < below && rank > best)
			best = rank;
	}
	return best;
}

static size_t take_levels(const struct match *match,
                          const struct catalog_rule *out[CATALOG_RULES_MAX], size_t count)
{
	int64_t rank = INT64_MAX;
	bool goes_on = true;

	while (goes_on && (rank = next_rank(match, rank)) != INT64_MIN) {
		size_t before = count;

		for (size_t i = 0; i < match->count; i++) {
			const struct catalog_rule *rule = match->fitting[i];

			if (rule->rank != rank)
				continue;
			if (rule->is_unlimited)
				return before;
			goes_on = goes_on && rule->inherits;
			if (count < CATALOG_RULES_MAX)
				out[count++] = rule;
		}
	}
	return count;
}

static bool has_key(const struct catalog_rule *rule, const struct rule_facts *facts)
{
	for (size_t i = 0; i < rule->word_count; i++)
		if (!is_known(rule->words[i], facts))
			return false;
	return true;
}

size_t rules_match(const struct rules *rules, const struct rule_facts *facts,
                   const struct catalog_rule *out[CATALOG_RULES_MAX])
{
	struct match match = { .rules = rules, .facts = facts };
	size_t count = 0;

	for (const struct exemption *e = rules->exemptions; e != NULL; e = e->next)
		if (fits(&e->when, facts))
			return 0;
	for (match.family = rules->first; match.family != NULL;
	     match.family = match.family->next) {
		if (!has_key(match.family->like, facts))
			continue;
		collect_family(&match);
		count = take_levels(&match, out, count);
	}
	return count;
}

/* ---- keys */

static void put_client(struct pw_buf *out, const struct catalog_rule *rule,
                       struct pw_ip ip)
{
	bool is_v4 = ip.family == PW_IP_V4;
	uint8_t bits = is_v4 ? rule->prefix4 : rule->prefix6;

	pw_ip_put(out, rule_row_mask(ip, bits));
	if (bits < (is_v4 ? 32 : 128))
		pw_buf_printf(out, "/%d", bits);
}

static void put_word(struct pw_buf *out, const struct catalog_rule *rule,
                     enum rule_word word, const struct rule_facts *facts)
{
	struct pw_str text = facts->text[word];

	if (word == WORD_CLIENT)
		put_client(out, rule, facts->client);
	else if (text.at[0] == '@') /* a domain */
		pw_buf_puts(out, pw_str_sub(text, 1, text.len));
	else
		pw_buf_puts(out, text);
}

bool rules_key(struct pw_buf *out, const struct catalog_rule *rule,
               const struct rule_facts *facts)
{
	if (!has_key(rule, facts))
		return false;
	for (size_t i = 0; i < rule->word_count; i++) {
		if (i > 0)
			pw_buf_putc(out, ' ');
		put_word(out, rule, rule->words[i], facts);
	}
	return true;
}
