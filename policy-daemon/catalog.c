#include "policyd/catalog.h"

#include <stdlib.h>

#include "core/arena.h"
#include "core/banlist.h"
#include "core/map.h"

struct domain {
	struct pw_str target;
};

struct exemption {
	struct exemption *next;
	struct pw_net net;
};

/* A login that a limit blocked. */
struct block {
	int64_t until_ms;
};

struct catalog {
	struct pw_arena *arena;
	struct pw_map *entries; /* address or "@domain" -> struct catalog_entry */
	struct pw_map *domains; /* name -> struct domain */
	struct pw_map *logins;  /* login -> struct catalog_login */
	struct catalog_change *first_change, *last_change;
	struct pw_map *quota_domains; /* name -> struct catalog_quota_domain */
	struct catalog_quotas quotas;
	struct pw_owner *owner;
	struct pw_map *senders; /* pattern -> struct catalog_sender, the first one */
	struct catalog_auth_rule auth_rules[AUTH_RULES]; /* failures 0 = none */
	struct exemption *exemptions;
	struct catalog_ban *first_ban, *last_ban;
	struct rules *rules;
	struct catalog_reset *first_reset, *last_reset;
	struct catalog_notice *notices[RULE_TELLS];
	struct pw_str rate_admin;
	struct pw_map *blocks; /* login -> struct block */
	struct access *access;
	struct posting *posting;
	struct access_settings access_settings;
	char delimiter;
};

enum pw_status catalog_new(struct catalog **out, const uint8_t seed[16], char delimiter)
{
	PW_AUTO(catalog_free) struct catalog *c = calloc(1, sizeof(*c));
	enum pw_status r;

	if (c == NULL)
		return PW_ERR_NOMEM;
	c->delimiter = delimiter;
	if ((r = pw_arena_new(&c->arena, SIZE_MAX / 2)) != PW_OK ||
	    (r = pw_map_new(&c->entries, seed, CATALOG_ROWS_MAX)) != PW_OK ||
	    (r = pw_map_new(&c->domains, seed, CATALOG_ROWS_MAX)) != PW_OK ||
	    (r = pw_map_new(&c->blocks, seed, CATALOG_ROWS_MAX)) != PW_OK ||
	    (r = rules_new(&c->rules, c->arena, seed)) != PW_OK ||
	    (r = pw_map_new(&c->logins, seed, CATALOG_ROWS_MAX)) != PW_OK ||
	    (r = pw_map_new(&c->quota_domains, seed, CATALOG_ROWS_MAX)) != PW_OK ||
	    (r = pw_map_new(&c->senders, seed, CATALOG_ROWS_MAX)) != PW_OK ||
	    (r = access_new(&c->access, seed)) != PW_OK ||
	    (r = posting_new(&c->posting, seed)) != PW_OK ||
	    (r = pw_owner_new(&c->owner, seed, delimiter)) != PW_OK)
		return r;
	*out = PW_TAKE(c);
	return PW_OK;
}

void catalog_free(struct catalog **catalog)
{
	struct catalog *c = *catalog;

	if (c == NULL)
		return;
	pw_owner_free(&c->owner);
	posting_free(&c->posting);
	access_free(&c->access);
	pw_map_free(&c->senders);
	pw_map_free(&c->logins);
	pw_map_free(&c->quota_domains);
	pw_map_free(&c->blocks);
	rules_free(&c->rules);
	pw_map_free(&c->domains);
	pw_map_free(&c->entries);
	pw_arena_free(&c->arena);
	free(c);
	*catalog = NULL;
}

/* Value of *key in map, made zeroed of size bytes where it is not there yet (then *key
 * becomes the catalog's own copy); NULL = no memory. */
static void *find_or_make(struct catalog *c, struct pw_map *map, struct pw_str *key,
                          size_t size)
{
	void *value = pw_map_get(map, *key);

	if (value != NULL)
		return value;
	if ((value = pw_arena_alloc(c->arena, size)) == NULL ||
	    pw_arena_copy(c->arena, *key, key) != PW_OK ||
	    pw_map_put(map, *key, value) != PW_OK)
		return NULL;
	return value;
}

static struct catalog_entry *entry_of(struct catalog *c, struct pw_str address)
{
	struct catalog_entry *entry =
		find_or_make(c, c->entries, &address, sizeof(struct catalog_entry));

	if (entry != NULL && entry->address.at == NULL)
		entry->address = address;
	return entry;
}

/* A copy of an address; the entry's own where there is one, as there is of most. */
static enum pw_status copy_address(struct catalog *c, struct pw_str address,
                                   struct pw_str *out)
{
	const struct catalog_entry *entry = pw_map_get(c->entries, address);

	if (entry == NULL)
		return pw_arena_copy(c->arena, address, out);
	*out = entry->address;
	return PW_OK;
}

/* A number column; SQL NULL is 0. */
static enum pw_status number_of(struct pw_str field, int64_t min, int64_t max,
                                int64_t *out)
{
	*out = 0;
	return field.at == NULL ? PW_OK : pw_str_to_int64(field, min, max, out);
}

/* address, kind */
static enum pw_status add_address(struct catalog *c, const struct pw_str *fields)
{
	struct catalog_entry *entry;

	if (!pw_str_eq(fields[1], PW_STR("mailbox")))
		return PW_OK; /* aliases bring their own rows */
	if ((entry = entry_of(c, fields[0])) == NULL)
		return PW_ERR_NOMEM;
	entry->is_mailbox = true;
	return PW_OK;
}

/* name, target */
static enum pw_status add_domain(struct catalog *c, const struct pw_str *fields)
{
	struct pw_str name = fields[0];
	struct domain *domain = find_or_make(c, c->domains, &name, sizeof(*domain));

	if (domain == NULL)
		return PW_ERR_NOMEM;
	return pw_arena_copy(c->arena, fields[1], &domain->target);
}

/* source, destination; the last one of a source first */
static enum pw_status add_alias(struct catalog *c, const struct pw_str *fields)
{
	struct catalog_entry *entry = entry_of(c, fields[0]);
	struct catalog_destination *to = pw_arena_alloc(c->arena, sizeof(*to));

	if (entry == NULL || to == NULL)
		return PW_ERR_NOMEM;
	to->next = entry->destinations;
	entry->destinations = to;
	return copy_address(c, fields[1], &to->address);
}

/* Add a mailbox to the sum of its domain, if that has a limit. */
static enum pw_status add_to_domain(struct catalog *c, struct catalog_entry *entry,
                                    int64_t quota_bytes)
{
	size_t at = pw_str_rfind(entry->address, '@');
	struct pw_str name = pw_str_sub(entry->address, at + 1, entry->address.len);
	struct catalog_quota_domain *domain;

	if (quota_bytes == 0)
		return PW_OK;
	domain = find_or_make(c, c->quota_domains, &name, sizeof(*domain));
	if (domain == NULL)
		return PW_ERR_NOMEM;
	if (domain->name.at == NULL)
		domain->name = name;
	domain->quota_bytes = quota_bytes;
	domain->used_bytes +=
		(uint64_t)(entry->used_bytes < CATALOG_SHARE_MAX ? entry->used_bytes
	                                                         : CATALOG_SHARE_MAX);
	entry->quota_domain = domain;
	return PW_OK;
}

/* address, quota_bytes, used_bytes, quota_messages, used_messages, warned_percent,
 * domain_quota_bytes, may_receive */
static enum pw_status add_quota(struct catalog *c, const struct pw_str *fields)
{
	struct catalog_entry *entry;
	int64_t numbers[6];
	enum pw_status r;

	for (size_t i = 0; i < PW_LEN(numbers); i++)
		if ((r = number_of(fields[1 + i], 0, INT64_MAX, &numbers[i])) != PW_OK)
			return r;
	if ((entry = entry_of(c, fields[0])) == NULL)
		return PW_ERR_NOMEM;
	entry->quota_bytes = numbers[0];
	entry->used_bytes = numbers[1];
	entry->quota_messages = numbers[2];
	entry->used_messages = numbers[3];
	entry->warned_percent = numbers[4];
	entry->is_refused = pw_str_eq(fields[7], PW_STR("f"));
	return add_to_domain(c, entry, numbers[5]);
}

/* name, value; most are for other programs */
static enum pw_status add_setting(struct catalog *c, const struct pw_str *fields)
{
	if (pw_str_eq(fields[0], PW_STR("rate_admin")))
		return pw_arena_copy(c->arena, fields[1], &c->rate_admin);
	if (!pw_str_eq(fields[0], PW_STR("quota_grace_percent")))
		return PW_OK;
	return number_of(fields[1], 0, 100, &c->quotas.grace_percent);
}

/* percent, subject, text */
static enum pw_status add_warning(struct catalog *c, const struct pw_str *fields)
{
	struct catalog_warning *warning = pw_arena_alloc(c->arena, sizeof(*warning));
	enum pw_status r;

	if (warning == NULL)
		return PW_ERR_NOMEM;
	if ((r = number_of(fields[0], 1, 100, &warning->percent)) != PW_OK ||
	    (r = pw_arena_copy(c->arena, fields[1], &warning->subject)) != PW_OK ||
	    (r = pw_arena_copy(c->arena, fields[2], &warning->text)) != PW_OK)
		return r;
	warning->next = c->quotas.warnings;
	c->quotas.warnings = warning;
	return PW_OK;
}

/* Is pattern login's own address, or that in a domain that stands for its domain? */
static bool is_own(const struct catalog *c, struct pw_str login, struct pw_str pattern)
{
	size_t at = pw_str_rfind(pattern, '@');
	const struct domain *domain =
		pw_map_get(c->domains, pw_str_sub(pattern, at + 1, pattern.len));

	if (pw_str_eq(login, pattern))
		return true;
	return domain != NULL && domain->target.len > 0 &&
	       login.len == at + 1 + domain->target.len &&
	       pw_str_starts(login, pw_str_sub(pattern, 0, at + 1)) &&
	       pw_str_eq(pw_str_sub(login, at + 1, login.len), domain->target);
}

/* login, pattern; whose own address something is, is known without a list */
static enum pw_status add_sender(struct catalog *c, const struct pw_str *fields)
{
	struct pw_str pattern = fields[1], login;
	struct catalog_sender *first, *sender;
	enum pw_status r = pw_owner_add(c->owner, fields[0], pattern);

	if (r != PW_OK || is_own(c, fields[0], pattern))
		return r;
	if ((r = copy_address(c, fields[0], &login)) != PW_OK)
		return r;
	first = find_or_make(c, c->senders, &pattern, sizeof(*first));
	if (first == NULL)
		return PW_ERR_NOMEM;
	if (first->login.at == NULL) {
		first->login = login;
		return PW_OK;
	}
	if ((sender = pw_arena_alloc(c->arena, sizeof(*sender))) == NULL)
		return PW_ERR_NOMEM;
	*sender = (struct catalog_sender){ login, first->next };
	first->next = sender;
	return PW_OK;
}

/* RULES_SQL */
static enum pw_status add_rate_rule(struct catalog *c, const struct pw_str *fields)
{
	return rules_add(c->rules, fields);
}

/* RULES_EXEMPTION_SQL */
static enum pw_status add_rate_exemption(struct catalog *c, const struct pw_str *fields)
{
	return rules_add_exemption(c->rules, fields);
}

/* id, limit_id, who */
static enum pw_status add_rate_reset(struct catalog *c, const struct pw_str *fields)
{
	struct catalog_reset *reset = pw_arena_alloc(c->arena, sizeof(*reset));
	enum pw_status r;

	if (reset == NULL)
		return PW_ERR_NOMEM;
	if ((r = number_of(fields[0], 0, INT64_MAX, &reset->id)) != PW_OK ||
	    (r = number_of(fields[1], INT64_MIN, INT64_MAX, &reset->rule_id)) != PW_OK ||
	    (r = pw_arena_copy(c->arena, fields[2], &reset->who)) != PW_OK)
		return r;
	*(c->last_reset != NULL ? &c->last_reset->next : &c->first_reset) = reset;
	c->last_reset = reset;
	return PW_OK;
}

/* whom, subject, text */
static enum pw_status add_rate_notice(struct catalog *c, const struct pw_str *fields)
{
	struct catalog_notice *notice = pw_arena_alloc(c->arena, sizeof(*notice));
	bool is_admin = pw_str_eq(fields[0], PW_STR("admin"));
	enum pw_status r;

	if (notice == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_arena_copy(c->arena, fields[1], &notice->subject)) != PW_OK ||
	    (r = pw_arena_copy(c->arena, fields[2], &notice->text)) != PW_OK)
		return r;
	c->notices[is_admin ? RULE_ADMIN : RULE_USER] = notice;
	return PW_OK;
}

/* login, until_ms */
static enum pw_status add_sending_block(struct catalog *c, const struct pw_str *fields)
{
	struct pw_str login = fields[0];
	int64_t until_ms;
	struct block *block;
	enum pw_status r;

	if ((r = number_of(fields[1], 0, INT64_MAX, &until_ms)) != PW_OK)
		return r;
	if ((block = find_or_make(c, c->blocks, &login, sizeof(*block))) == NULL)
		return PW_ERR_NOMEM;
	block->until_ms = until_ms;
	return PW_OK;
}

static const char *const auth_kinds[AUTH_KINDS] = {
	[AUTH_NETWORK] = "network",    [AUTH_LOGIN] = "login",
	[AUTH_SPRAY] = "spray",        [AUTH_NETWORK_BY_HAND] = "hand",
	[AUTH_LOGIN_BY_HAND] = "hand",
};

/* kind, failures, period_s, block_s, dry_run, distinct_passwords */
static enum pw_status add_auth_limit(struct catalog *c, const struct pw_str *fields)
{
	const int64_t seconds_max = PW_RATE_PERIOD_MAX_US / 1000000;
	struct catalog_auth_rule rule = {
		.is_dry_run = pw_str_eq(fields[4], PW_STR("t")),
		.is_distinct = pw_str_eq(fields[5], PW_STR("t")),
	};
	enum auth_kind kind = 0;
	enum pw_status r;

	while (kind < AUTH_RULES && !pw_str_eq(fields[0], pw_str_from(auth_kinds[kind])))
		kind++;
	if (kind == AUTH_RULES)
		return PW_ERR_SYNTAX;
	if ((r = number_of(fields[1], 1, PW_RATE_COUNT_MAX, &rule.failures)) != PW_OK ||
	    (r = number_of(fields[2], 1, seconds_max, &rule.period_ms)) != PW_OK ||
	    (r = number_of(fields[3], 1, seconds_max, &rule.block_ms)) != PW_OK)
		return r;
	if (rule.period_ms == 0 || rule.block_ms == 0)
		return PW_ERR_RANGE; /* NULL */
	rule.period_ms *= 1000;
	rule.block_ms *= 1000;
	c->auth_rules[kind] = rule;
	return PW_OK;
}

/* net */
static enum pw_status add_auth_exemption(struct catalog *c, const struct pw_str *fields)
{
	struct exemption *exemption;
	struct pw_net net;
	enum pw_status r;

	if ((r = pw_net_parse(&net, fields[0])) != PW_OK)
		return r;
	if ((exemption = pw_arena_alloc(c->arena, sizeof(*exemption))) == NULL)
		return PW_ERR_NOMEM;
	*exemption = (struct exemption){ c->exemptions, net };
	c->exemptions = exemption;
	return PW_OK;
}

/* login, may_send, refusal, expires_ms */
static enum pw_status add_login(struct catalog *c, const struct pw_str *fields)
{
	struct pw_str key = fields[0];
	struct catalog_login *login;
	int64_t expires_ms;
	enum pw_status r;

	if ((r = number_of(fields[3], INT64_MIN, INT64_MAX, &expires_ms)) != PW_OK)
		return r;
	if ((login = find_or_make(c, c->logins, &key, sizeof(*login))) == NULL)
		return PW_ERR_NOMEM;
	login->may_send = pw_str_eq(fields[1], PW_STR("t"));
	login->expires_ms = expires_ms;
	return pw_arena_copy(c->arena, fields[2], &login->refusal);
}

/* generation, login, why; the oldest first */
static enum pw_status add_login_change(struct catalog *c, const struct pw_str *fields)
{
	struct catalog_change *change = pw_arena_alloc(c->arena, sizeof(*change));
	enum pw_status r;

	if (change == NULL)
		return PW_ERR_NOMEM;
	if ((r = number_of(fields[0], 0, INT64_MAX, &change->generation)) != PW_OK ||
	    (r = pw_arena_copy(c->arena, fields[1], &change->login)) != PW_OK ||
	    (r = pw_arena_copy(c->arena, fields[2], &change->why)) != PW_OK)
		return r;
	if (c->last_change != NULL)
		c->last_change->next = change;
	else
		c->first_change = change;
	c->last_change = change;
	return PW_OK;
}

/* net, until_ms */
static enum pw_status add_ban(struct catalog *c, const struct pw_str *fields)
{
	struct catalog_ban *ban = pw_arena_alloc(c->arena, sizeof(*ban));
	enum pw_status r;

	if (ban == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_net_parse(&ban->net, fields[0])) != PW_OK ||
	    (r = number_of(fields[1], 0, INT64_MAX, &ban->until_ms)) != PW_OK)
		return r;
	if (c->last_ban != NULL)
		c->last_ban->next = ban;
	else
		c->first_ban = ban;
	c->last_ban = ban;
	return PW_OK;
}

/* See access.h, posting.h. */
static enum pw_status add_access(struct catalog *c, const struct pw_str *fields)
{
	return access_add(c->access, fields);
}

static enum pw_status add_posting(struct catalog *c, const struct pw_str *fields)
{
	return posting_add(c->posting, fields);
}

/* name, value */
static enum pw_status add_access_setting(struct catalog *c, const struct pw_str *fields)
{
	struct pw_str value;
	enum pw_status r = pw_arena_copy(c->arena, fields[1], &value);

	return r == PW_OK ? access_settings_take(&c->access_settings, fields[0], value)
	                  : r;
}

/* clang-format off */
static const struct table {
	size_t columns;
	enum pw_status (*add)(struct catalog *c, const struct pw_str *fields);
	const char *sql;
} tables[CATALOG_TABLES] = {
	[CATALOG_ADDRESSES]   = { 2,  add_address,    "SELECT address, kind FROM mail.snapshot_addresses" },
	[CATALOG_DOMAINS]     = { 2,  add_domain,     "SELECT name, target FROM mail.snapshot_domains" },
	[CATALOG_ALIASES]     = { 2,  add_alias,      "SELECT source, destination FROM mail.snapshot_aliases ORDER BY id DESC" },
	[CATALOG_QUOTAS]      = { 8,  add_quota,      "SELECT address, quota_bytes, used_bytes, quota_messages, used_messages, warned_percent, domain_quota_bytes, may_receive FROM mail.snapshot_quotas" },
	[CATALOG_SENDERS]     = { 2,  add_sender,     "SELECT login, pattern FROM mail.snapshot_senders" },
	[CATALOG_RATE_LIMITS] = { RULES_COLUMNS, add_rate_rule, RULES_SQL },
	[CATALOG_AUTH_LIMITS] = { 6,  add_auth_limit, "SELECT kind, failures, period_s, block_s, dry_run, distinct_passwords FROM mail.snapshot_auth_rules" },
	[CATALOG_AUTH_EXEMPTIONS] = { 1, add_auth_exemption, "SELECT net FROM mail.snapshot_auth_exemptions" },
	[CATALOG_LOGINS]      = { 4,  add_login,      "SELECT login, may_send, refusal, expires_ms FROM mail.snapshot_logins WHERE NOT may_send OR expires_ms IS NOT NULL" },
	[CATALOG_LOGIN_CHANGES] = { 3, add_login_change, "SELECT generation, login, why FROM mail.snapshot_login_changes ORDER BY generation" },
	[CATALOG_SETTINGS]    = { 2,  add_setting,    "SELECT name, value FROM mail.snapshot_settings" },
	[CATALOG_BANS]        = { 2,  add_ban,        "SELECT net, until_ms FROM mail.snapshot_bans" },
	[CATALOG_RATE_EXEMPTIONS] = { RULES_EXEMPTION_COLUMNS, add_rate_exemption, RULES_EXEMPTION_SQL },
	[CATALOG_RATE_RESETS] = { 3,  add_rate_reset, "SELECT id, limit_id, who FROM mail.snapshot_rate_resets ORDER BY id" },
	[CATALOG_RATE_NOTICES] = { 3, add_rate_notice, "SELECT whom, subject, text FROM mail.snapshot_rate_notices" },
	[CATALOG_SENDING_BLOCKS] = { 2, add_sending_block, "SELECT login, until_ms FROM mail.snapshot_sending_blocks" },
	[CATALOG_ACCESS_LISTS] = { 11, add_access,    "SELECT id, who, kind, pattern, action, text, logins, skip_greylist, skip_limits, expires_ms, dry_run FROM mail.snapshot_access_lists" },
	[CATALOG_POSTING_RIGHTS] = { 7, add_posting,  "SELECT alias, who_may, moderators, trust_sender, text, dry_run, id FROM mail.snapshot_posting_rights" },
	[CATALOG_ACCESS_SETTINGS] = { 2, add_access_setting, "SELECT name, value FROM mail.snapshot_access_settings" },
	[CATALOG_WARNINGS]    = { 3,  add_warning,    "SELECT percent, subject, text FROM mail.snapshot_quota_warnings" },
};
/* clang-format on */

size_t catalog_columns(enum catalog_table table)
{
	return tables[table].columns;
}

const char *catalog_sql(enum catalog_table table)
{
	return tables[table].sql;
}

enum pw_status catalog_add(struct catalog *catalog, enum catalog_table table,
                           const struct pw_str *fields)
{
	return tables[table].add(catalog, fields);
}

const struct pw_owner *catalog_owner(const struct catalog *catalog)
{
	return catalog->owner;
}

const struct catalog_entry *catalog_find(const struct catalog *catalog,
                                         struct pw_str address)
{
	return pw_map_get(catalog->entries, address);
}

bool catalog_domain(const struct catalog *catalog, struct pw_str domain,
                    struct pw_str *target_out)
{
	const struct domain *found = pw_map_get(catalog->domains, domain);

	if (found == NULL)
		return false;
	*target_out = found->target;
	return true;
}

char catalog_delimiter(const struct catalog *catalog)
{
	return catalog->delimiter;
}

const struct catalog_quotas *catalog_quotas(const struct catalog *catalog)
{
	return &catalog->quotas;
}

const struct catalog_sender *catalog_senders(const struct catalog *catalog,
                                             struct pw_str pattern)
{
	return pw_map_get(catalog->senders, pattern);
}

const struct rules *catalog_rules(const struct catalog *catalog)
{
	return catalog->rules;
}

const struct catalog_reset *catalog_resets(const struct catalog *catalog)
{
	return catalog->first_reset;
}

const struct catalog_notice *catalog_notice(const struct catalog *catalog,
                                            enum rule_tell tell)
{
	return catalog->notices[tell];
}

struct pw_str catalog_rate_admin(const struct catalog *catalog)
{
	return catalog->rate_admin;
}

int64_t catalog_blocked_until_ms(const struct catalog *catalog, struct pw_str login)
{
	const struct block *block = pw_map_get(catalog->blocks, login);

	return block != NULL ? block->until_ms : 0;
}

const char *catalog_auth_kind_name(enum auth_kind kind)
{
	return auth_kinds[kind];
}

const struct catalog_auth_rule *catalog_auth_rule(const struct catalog *catalog,
                                                  enum auth_kind kind)
{
	const struct catalog_auth_rule *rule = &catalog->auth_rules[kind];

	return rule->failures > 0 ? rule : NULL;
}

bool catalog_is_exempt(const struct catalog *catalog, struct pw_ip ip)
{
	for (const struct exemption *e = catalog->exemptions; e != NULL; e = e->next)
		if (pw_net_contains(&e->net, ip))
			return true;
	return false;
}

bool catalog_has_exempt(const struct catalog *catalog, const struct pw_net *net)
{
	for (const struct exemption *e = catalog->exemptions; e != NULL; e = e->next)
		if (pw_ban_overlaps(&e->net, net))
			return true;
	return false;
}

const struct catalog_ban *catalog_bans(const struct catalog *catalog)
{
	return catalog->first_ban;
}

const struct catalog_login *catalog_login(const struct catalog *catalog,
                                          struct pw_str login)
{
	return pw_map_get(catalog->logins, login);
}

const struct catalog_login *catalog_next_login(const struct catalog *catalog, size_t *pos,
                                               struct pw_str *login_out)
{
	void *login;

	return pw_map_next(catalog->logins, pos, login_out, &login) ? login : NULL;
}

const struct catalog_change *catalog_changes(const struct catalog *catalog)
{
	return catalog->first_change;
}

const struct access *catalog_access(const struct catalog *catalog)
{
	return catalog->access;
}

const struct posting *catalog_posting(const struct catalog *catalog)
{
	return catalog->posting;
}

const struct access_settings *catalog_access_settings(const struct catalog *catalog)
{
	return &catalog->access_settings;
}
