/* The limits of sending, compiled for answering: which rules apply to a question, and by
 * what they count. Exact names and networks are looked up in a hash, domains and client
 * names by their suffixes, so a thousand rows of their own for a thousand logins cost no
 * more than one. Built row by row, then immutable. Pure. */
#pragma once

#include "core/arena.h"
#include "core/ip.h"
#include "core/rate.h"

/* Rules that can apply to one question; what is beyond does not. */
#define CATALOG_RULES_MAX 64
/* Words of a key. */
#define RULE_KEY_WORDS_MAX 3
/* Different combinations of key and unit. */
#define RULES_FAMILIES_MAX 256

/* What is counted by; the names are those of the column `key`. */
enum rule_word {
	WORD_LOGIN,
	WORD_LOGIN_DOMAIN,
	WORD_SENDER,
	WORD_SENDER_DOMAIN,
	WORD_RECIPIENT,
	WORD_RECIPIENT_DOMAIN,
	WORD_CLIENT,
	WORD_CLIENT_NAME,
	WORD_CONTEXT,
	WORD_PORT,
	WORD_SERVER, /* one counter for all */
	RULE_WORDS,
};

enum rule_kind { RULE_BUCKET, RULE_WINDOW, RULE_KINDS };
enum rule_unit { RULE_MESSAGES, RULE_RECIPIENTS, RULE_BYTES, RULE_UNITS };
enum rule_action { RULE_DEFER, RULE_REJECT, RULE_HOLD, RULE_BLOCK, RULE_ACTIONS };
/* When the database is away: the node's share, everything, nothing. */
enum rule_outage { RULE_SHARE, RULE_OPEN, RULE_CLOSED, RULE_OUTAGES };
/* Who gets mail when it is first exceeded. */
enum rule_tell { RULE_NOBODY, RULE_USER, RULE_ADMIN, RULE_BOTH, RULE_TELLS };

enum rule_form {
	FORM_ANY,
	FORM_EXACT,
	FORM_DOMAIN, /* "@example.org" */
	FORM_SUFFIX, /* ".example.org": it and all below */
	FORM_NET,
	FORM_NULL, /* the null sender */
};

/* A set of addresses, domains or names. */
struct rule_pattern {
	enum rule_form form;
	struct pw_str text;
};

/* All must hold. */
struct rule_when {
	int is_authenticated; /* 1, 0; -1 = either */
	struct rule_pattern login, sender, recipient, client_name;
	struct pw_net client;  /* family PW_IP_NONE = any */
	struct pw_str context; /* empty = any */
	int64_t port;          /* 0 = any */
};

struct catalog_rule {
	int64_t id;
	struct pw_rate rate; /* a window has no burst: there it is the limit */
	enum rule_kind kind;
	enum rule_unit unit;
	enum rule_action action;
	struct pw_str code; /* "450 4.7.1"; empty = ours */
	struct pw_str text; /* of the answer; empty = ours */
	int64_t block_us;   /* how long RULE_BLOCK blocks */
	enum rule_outage on_outage;
	enum rule_tell tell;
	bool is_strict;
	bool is_dry_run;
	bool is_unlimited; /* no limit for whom it fits, no wider rule either */

	/* to whom it applies */
	enum rule_word words[RULE_KEY_WORDS_MAX];
	size_t word_count;
	uint8_t prefix4, prefix6; /* of WORD_CLIENT */
	struct rule_when when;
	int64_t rank;              /* priority, then nearness of its `who` */
	bool inherits;             /* wider rules apply besides */
	struct catalog_rule *next; /* of the same `who` */
};

/* What a question is about, in normal form; what is empty is not known. */
struct rule_facts {
	/* domains with their '@', as the ends of their addresses; WORD_CLIENT is in
	 * client; WORD_SERVER is "*" */
	struct pw_str text[RULE_WORDS];
	struct pw_ip client; /* unmapped */
	bool is_null_sender;
};

struct rules;

/* Rows live in arena, which is borrowed.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, rules_free */
PW_MUST_CHECK enum pw_status rules_new(struct rules **out, struct pw_arena *arena,
                                       const uint8_t seed[16]);
void rules_free(struct rules **rules);

#define RULES_COLUMNS 28
#define RULES_SQL                                                                        \
	"SELECT id, key, who, unit, kind, limit_count, period_s, burst, action, code, "  \
	"text, block_s, dry_run, on_outage, strict, priority, inherit, prefix4, "        \
	"prefix6, "                                                                      \
	"tell, authenticated, login, sender, client, client_name, recipient, "           \
	"policy_context, server_port FROM mail.snapshot_rate_rules ORDER BY id"
#define RULES_EXEMPTION_COLUMNS 8
#define RULES_EXEMPTION_SQL                                                              \
	"SELECT authenticated, login, sender, client, client_name, recipient, "          \
	"policy_context, server_port FROM mail.snapshot_rate_exemptions"

/* Add a row of those, fields as of catalog_add.
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_RANGE it cannot be used and was left out; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status rules_add(struct rules *rules, const struct pw_str *fields);
PW_MUST_CHECK enum pw_status rules_add_exemption(struct rules *rules,
                                                 const struct pw_str *fields);

/* The rules that apply, none to whom an exemption fits. Of each key and unit those of the
 * highest priority, among them of the nearest `who`; wider ones too where these inherit.
 * Returns how many were put into out. */
size_t rules_match(const struct rules *rules, const struct rule_facts *facts,
                   const struct catalog_rule *out[CATALOG_RULES_MAX]);
/* Append by what rule counts here: the values of its key, parted by blanks. False: one of
 * them is not known, the rule does not apply. */
bool rules_key(struct pw_buf *out, const struct catalog_rule *rule,
               const struct rule_facts *facts);
const struct catalog_rule *rules_find(const struct rules *rules, int64_t id);
