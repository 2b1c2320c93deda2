/* What the snapshot becomes: weights, which domains are ours, whose seals are trusted.
 * Immutable. */
#pragma once

#include "core/composite.h"
#include "core/dmarc.h"
#include "core/score.h"
#include "db/snapshot.h"
#include "mail/dns_lists.h"
#include "mail/own_maps.h"
#include "mail/own_rules.h"

struct list_health;
struct rules;

enum {
	RULES_SYMBOLS,
	RULES_GROUPS,
	RULES_ACTIONS,
	RULES_DOMAINS,
	RULES_SEALERS,
	RULES_OVERRIDES,
	RULES_OWN,
	RULES_MAPS,
	RULES_MAP_ENTRIES,
	RULES_DNS_LISTS,
	RULES_DNS_ANSWERS,
	RULES_COMPOSITES,
	RULES_QUERIES
};
extern const struct pw_snapshot_query rules_queries[RULES_QUERIES];
#define RULES_FORMAT 7

/* The built-in weights, no domain.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, rules_free */
PW_MUST_CHECK enum pw_status rules_new(struct rules **out);
void rules_free(struct rules **rules);
/* Built-in weights overridden by rows. Rows that cannot be used are passed over, and
 * complaints gets a line about each.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT too many domains */
PW_MUST_CHECK enum pw_status rules_read(struct rules **out,
                                        const struct pw_snapshot_data *data,
                                        struct pw_buf *complaints);

const struct pw_weights *rules_weights(const struct rules *rules);
const struct pw_own_rules *rules_own(const struct rules *rules);
const struct pw_own_maps *rules_maps(const struct rules *rules);
const struct pw_composites *rules_composites(const struct rules *rules);
const struct pw_dns_lists *rules_dns_lists(const struct rules *rules);
/* Have somebody look after the lists over DNS: without it none is asked. Once, before
 * others see the rules.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status rules_bind(struct rules *rules,
                                        const struct pw_snapshot_data *data,
                                        struct list_health *health);
/* Own rules, maps and composites that cannot be used and why, for mail.tell_score_rules:
 * [{"name", "problem"}, ...]. */
struct pw_str rules_problems(const struct rules *rules);
/* Is it the first time this is asked about that symbol? Thread-safe. */
bool rules_tell_once(const struct rules *rules, unsigned symbol);
/* For struct pw_judge_tools; rules is a struct rules. */
bool rules_is_local(const void *rules, struct pw_str domain);
bool rules_is_sealer(const void *rules, struct pw_str domain);
/* The row of the domain itself, else of the nearest one above it. */
bool rules_dmarc_override(const void *rules, struct pw_str domain,
                          enum pw_dmarc_policy *disposition_out);

/* The table of symbols and groups for mail.offer_symbols: {"symbols": [...], "groups":
 * [...]}. */
void rules_put_offer(struct pw_buf *out);
