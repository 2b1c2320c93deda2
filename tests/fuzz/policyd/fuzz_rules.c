/* Whatever rules there are and whatever is asked: those that are found by hash, suffix
 * and prefix are those a plain walk over all rows finds, and each has a key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policyd/rules.h"

#define ROWS_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const keys[] = {
	"login",     "sender_domain",         "client", "server", "client_name",
	"recipient", "login recipient_domain"
};
static const enum rule_word first_words[] = { WORD_LOGIN,       WORD_SENDER_DOMAIN,
	                                      WORD_CLIENT,      WORD_SERVER,
	                                      WORD_CLIENT_NAME, WORD_RECIPIENT,
	                                      WORD_LOGIN };
static const char *const addresses[] = { "a@x.test", "b@x.test", "a@s.x.test",
	                                 "c@sx.test", "" };
static const char *const patterns[] = { "*",        "a@x.test", "@x.test",
	                                "@.x.test", "@.test",   "@s.x.test" };
static const char *const domains[] = { "*", "@x.test", "@.x.test", "@.test" };
static const char *const nets[] = {
	"*", "192.0.2.0/24", "192.0.2.1", "192.0.2.0/31", "2001:db8::/32", "0.0.0.0/0"
};
static const char *const clients[] = { "192.0.2.1", "192.0.2.9", "2001:db8::1",
	                               "198.51.100.1", "unknown" };
static const char *const names[] = { "*", "x.test", "a.x.test", "test" };
static const char *const hosts[] = { "a.x.test", "x.test", "ax.test", "" };

struct row {
	int64_t id, priority;
	size_t key;
	const char *who, *recipient;
	bool is_unlimited, inherits, is_bytes;
};

struct play {
	const uint8_t *at;
	size_t left;
	struct row rows[ROWS_MAX];
	size_t count;
	struct rule_facts facts;
};

static size_t next(struct play *play, size_t below)
{
	if (play->left == 0)
		return 0;
	play->left--;
	return *play->at++ % below;
}

#define PICK(play, list) (list)[next(play, PW_LEN(list))]

static const char *pick_who(struct play *play, enum rule_word word)
{
	switch ((int)word) {
	case WORD_SENDER_DOMAIN:
		return PICK(play, domains);
	case WORD_CLIENT:
		return PICK(play, nets);
	case WORD_CLIENT_NAME:
		return PICK(play, names);
	case WORD_SERVER:
		return "*";
	default:
		return PICK(play, patterns);
	}
}

static void make_rows(struct play *play, struct rules *rules)
{
	play->count = 1 + next(play, ROWS_MAX);
	for (size_t i = 0; i < play->count; i++) {
		struct row *row = &play->rows[i];
		struct pw_str fields[RULES_COLUMNS] = { { NULL, 0 } };
		char id[24], priority[24];

		row->id = (int64_t)i + 1;
		row->priority = (int64_t)next(play, 8) / 7;
		row->key = next(play, PW_LEN(keys));
		row->who = pick_who(play, first_words[row->key]);
		row->recipient = next(play, 4) == 0 ? "@.x.test" : "";
		row->is_unlimited = next(play, 6) == 0;
		row->inherits = !row->is_unlimited && next(play, 3) == 0;
		row->is_bytes = next(play, 3) == 0;
		snprintf(id, sizeof(id), "%d", (int)row->id);
		snprintf(priority, sizeof(priority), "%d", (int)row->priority);
		fields[0] = pw_str_from(id);
		fields[1] = pw_str_from(keys[row->key]);
		fields[2] = pw_str_from(row->who);
		fields[3] = row->is_bytes ? PW_STR("bytes") : PW_STR("messages");
		fields[4] = PW_STR("bucket");
		fields[5] = row->is_unlimited ? PW_STR("0") : PW_STR("5");
		fields[6] = PW_STR("60");
		fields[8] = PW_STR("defer");
		fields[13] = PW_STR("share");
		fields[15] = pw_str_from(priority);
		fields[16] = row->inherits ? PW_STR("t") : PW_STR("f");
		fields[17] = PW_STR("24");
		fields[18] = PW_STR("64");
		fields[19] = PW_STR("nobody");
		fields[25] = pw_str_from(row->recipient);
		if (rules_add(rules, fields) != PW_OK)
			abort();
	}
}

static void set_address(struct play *play, enum rule_word word, enum rule_word domain)
{
	struct pw_str text = pw_str_from(PICK(play, addresses));
	size_t at = pw_str_rfind(text, '@');

	play->facts.text[word] = text;
	play->facts.text[domain] = pw_str_sub(text, at, text.len);
}

static void make_facts(struct play *play)
{
	set_address(play, WORD_LOGIN, WORD_LOGIN_DOMAIN);
	set_address(play, WORD_SENDER, WORD_SENDER_DOMAIN);
	set_address(play, WORD_RECIPIENT, WORD_RECIPIENT_DOMAIN);
	play->facts.text[WORD_CLIENT_NAME] = pw_str_from(PICK(play, hosts));
	play->facts.text[WORD_SERVER] = PW_STR("*");
	if (pw_ip_parse(&play->facts.client, pw_str_from(PICK(play, clients))) != PW_OK)
		play->facts.client = (struct pw_ip){ 0 };
}

/* ---- the plain walk */

static bool is_under(struct pw_str name, struct pw_str suffix)
{
	return pw_str_eq(name, suffix) ||
	       (name.len > suffix.len && pw_str_ends_nocase(name, suffix) &&
	        name.at[name.len - suffix.len - 1] == '.');
}

/* Nearness of a pattern that fits; -1 = it does not. */
static int64_t near(struct pw_str pattern, struct pw_str text, struct pw_str domain)
{
	struct pw_str suffix = pw_str_sub(pattern, 2, pattern.len);

	if (pw_str_eq(pattern, PW_STR("*")))
		return 0;
	if (pw_str_starts(pattern, PW_STR("@.")))
		return domain.len > 1 &&
		                       is_under(pw_str_sub(domain, 1, domain.len), suffix)
		               ? (int64_t)suffix.len + 1
		               : -1;
	if (pattern.at[0] == '@')
		return pw_str_eq(pattern, domain) ? 1000 : -1;
	return pw_str_eq(pattern, text) ? 2000 : -1;
}

static int64_t near_row(const struct play *play, const struct row *row)
{
	const struct rule_facts *facts = &play->facts;
	enum rule_word word = first_words[row->key];
	struct pw_str who = pw_str_from(row->who);
	struct pw_net net;

	if (word == WORD_CLIENT && row->who[0] != '*')
		return pw_net_parse(&net, who) == PW_OK &&
		                       pw_net_contains(&net, facts->client)
		               ? 1 + net.bits
		               : -1;
	if (word == WORD_CLIENT_NAME && row->who[0] != '*')
		return is_under(facts->text[word], who) ? (int64_t)who.len + 1 : -1;
	if (word == WORD_SENDER_DOMAIN)
		return near(who, PW_STR(""), facts->text[word]);
	return near(who, facts->text[word],
	            facts->text[word == WORD_LOGIN ? WORD_LOGIN_DOMAIN
	                                           : WORD_RECIPIENT_DOMAIN]);
}

static bool has_parts(const struct play *play, const struct row *row)
{
	const struct rule_facts *facts = &play->facts;
	enum rule_word word = first_words[row->key];

	if (row->recipient[0] != '\0' &&
	    near(pw_str_from(row->recipient), facts->text[WORD_RECIPIENT],
	         facts->text[WORD_RECIPIENT_DOMAIN]) < 0)
		return false;
	if (row->key == 6 && facts->text[WORD_RECIPIENT_DOMAIN].len == 0)
		return false;
	return word == WORD_CLIENT ? facts->client.family != PW_IP_NONE
	                           : facts->text[word].len > 0;
}

/* Rank of a row that fits; -1 = it does not. */
static int64_t rank(const struct play *play, const struct row *row)
{
	int64_t nearness = has_parts(play, row) ? near_row(play, row) : -1;

	return nearness < 0 ? -1 : row->priority * 10000 + nearness;
}

/* Does nothing of the same key and unit that goes before row shut it out? */
static bool applies(const struct play *play, const struct row *row)
{
	int64_t mine = rank(play, row);

	if (mine < 0 || row->is_unlimited)
		return false;
	for (size_t i = 0; i < play->count; i++) {
		const struct row *other = &play->rows[i];
		int64_t theirs = rank(play, other);

		if (other->key != row->key || other->is_bytes != row->is_bytes)
			continue;
		if ((theirs > mine && !other->inherits) ||
		    (theirs == mine && other->is_unlimited))
			return false;
	}
	return true;
}

static void check(const struct play *play, const struct rules *rules)
{
	const struct catalog_rule *found[CATALOG_RULES_MAX];
	size_t count = rules_match(rules, &play->facts, found), expected = 0;

	for (size_t i = 0; i < play->count; i++) {
		bool is_found = false;

		for (size_t k = 0; k < count; k++)
			is_found |= found[k]->id == play->rows[i].id;
		if (is_found != applies(play, &play->rows[i]))
			abort();
		expected += is_found;
	}
	if (count != expected)
		abort();
	for (size_t k = 0; k < count; k++) {
		PW_AUTO(pw_buf_done) struct pw_buf key = { 0 };

		if (!rules_key(&key, found[k], &play->facts) || key.len == 0 ||
		    rules_find(rules, found[k]->id) != found[k])
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[16] = { 1 };
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(rules_free) struct rules *rules = NULL;
	struct play play = { .at = data, .left = size };

	if (pw_arena_new(&arena, 0) != PW_OK || rules_new(&rules, arena, seed) != PW_OK)
		abort();
	make_rows(&play, rules);
	for (int i = 0; i < 8; i++) {
		make_facts(&play);
		check(&play, rules);
	}
	return 0;
}
