#include "../table.h"

#include <string.h>

#include "core/map.h"
#include "io/file.h"
#include "mail/checks.h"
#include "mail/message_tokens.h"

#define FOLDER PW_SOURCE_DIR "/tests/vectors/score/"

static struct pw_arena *arena;
static struct pw_psl *psl;
static struct pw_tokens one, two;

static void read_message(struct pw_tokens *out, uint8_t *digest, struct pw_str text)
{
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;

	pw_arena_reset(arena);
	memset(out, 0, sizeof(*out));
	assert_int_equal(pw_message_read(&m, arena, text), PW_OK);
	pw_message_tokens(out, m, (struct pw_ip){ 0 });
	assert_int_equal(pw_message_digest(digest, m), PW_OK);
}

static bool is_same(const struct pw_tokens *a, const struct pw_tokens *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (pw_tokens_find(b, a->at[i]) == b->count)
			return false;
	return a->count == b->count;
}

#define HEAD "Date: Tue, 1 Dec 2026 08:00:00 +0100\r\nMessage-ID: <1@a.example>\r\n"
#define BODY "\r\nHello there, see http://www.shop.example.org/x\r\n"
#define PLAIN HEAD "From: Ann <ann@a.example>\r\nSubject: Offer\r\n" BODY

struct row {
	const char *label;
	const char *message;
	bool same_tokens, same_digest; /* as PLAIN */
};

/* clang-format off */
static struct row rows[] = {
	{ "itself", PLAIN, true, true },
	{ "what filters wrote", "X-Spam: Yes\r\nX-Spam-Status: Yes, score=20\r\nX-Spam-Flag: YES\r\n"
	  "X-Rspamd-Score: 18\r\nX-Virus-Scanned: clean\r\n"
	  "Authentication-Results: mx.example; spf=fail\r\n" PLAIN, true, true },
	{ "what mailboxes add", "Return-Path: <ann@a.example>\r\nDelivered-To: bob@b.example\r\n"
	  "X-Keywords: Junk\r\nStatus: RO\r\n" PLAIN, true, true },
	{ "a list's name", "List-Id: <friends.lists.example>\r\nX-BeenThere: friends@lists.example\r\n"
	  "Mailing-List: contact friends\r\n" PLAIN, true, true },
	{ "our own hops", "Received: from mx (localhost [127.0.0.1]) by mx; x\r\n"
	  "Received: from edge ([10.1.2.3]) by mx; x\r\n" PLAIN, true, true },
	{ "the client's hop", "Received: from x (x [198.51.100.7]) by mx; x\r\n" PLAIN, false, true },
	{ "empty lines at the end", PLAIN "\r\n\r\n", true, true },
	{ "another subject", HEAD "From: Ann <ann@a.example>\r\nSubject: Other\r\n" BODY, false, false },
	{ "another author", HEAD "From: Ann <ann@b.example>\r\nSubject: Offer\r\n" BODY, false, false },
	{ "another body", HEAD "From: Ann <ann@a.example>\r\nSubject: Offer\r\n\r\nGood bye\r\n", false, false },
	{ "another Message-ID", "Date: Tue, 1 Dec 2026 08:00:00 +0100\r\nMessage-ID: <2@a.example>\r\n"
	  "From: Ann <ann@a.example>\r\nSubject: Offer\r\n" BODY, true, false },
	{ "another mailer", "X-Mailer: Bulk 3000\r\n" PLAIN, false, true },
	{ "with HTML", "MIME-Version: 1.0\r\nContent-Type: text/html\r\n" PLAIN, false, true },
};
/* clang-format on */

static void compares(void **state)
{
	const struct row *row = *state;
	uint8_t first[PW_MESSAGE_DIGEST_BYTES], second[PW_MESSAGE_DIGEST_BYTES];

	read_message(&one, first, PW_STR(PLAIN));
	read_message(&two, second, pw_str_from(row->message));
	assert_true(one.count > 20);
	assert_int_equal(is_same(&one, &two), row->same_tokens);
	assert_int_equal(memcmp(first, second, sizeof(first)) == 0, row->same_digest);
}

/* What the milter sees before its Received is the same as what is learned after. */
static void the_client_is_the_hop_it_becomes(void **state)
{
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;
	uint8_t digest[PW_MESSAGE_DIGEST_BYTES];
	struct pw_ip client;

	(void)state;
	read_message(&two, digest,
	             PW_STR("Received: from x (x [198.51.100.200]) by mx; x\r\n" PLAIN));
	assert_int_equal(pw_ip_parse(&client, PW_STR("198.51.7.7")), PW_OK);
	pw_arena_reset(arena);
	memset(&one, 0, sizeof(one));
	assert_int_equal(pw_message_read(&m, arena, PW_STR(PLAIN)), PW_OK);
	pw_message_tokens(&one, m, client);
	assert_true(is_same(&one, &two));
}

/* ---- learned from 250 messages of either class ---- */

struct seen {
	uint64_t token;
	struct pw_bayes_seen counts;
};

static struct pw_map *learned;
static struct pw_bayes_seen totals;

static void learn(bool is_spam, struct pw_str text)
{
	uint8_t digest[PW_MESSAGE_DIGEST_BYTES];

	read_message(&one, digest, text);
	totals.spam += is_spam;
	totals.ham += !is_spam;
	for (size_t i = 0; i < one.count; i++) {
		struct pw_str key = { (const char *)&one.at[i], sizeof(one.at[i]) };
		struct seen *seen = pw_map_get(learned, key);

		if (seen == NULL) {
			assert_non_null(seen = calloc(1, sizeof(*seen)));
			seen->token = one.at[i];
			key.at = (const char *)&seen->token;
			assert_int_equal(pw_map_put(learned, key, seen), PW_OK);
		}
		seen->counts.spam += is_spam;
		seen->counts.ham += !is_spam;
	}
}

static void recall(struct pw_bayes_counts *out, const struct pw_tokens *tokens)
{
	memset(out, 0, sizeof(*out));
	out->learned[PW_BAYES_SHARED] = totals;
	for (size_t i = 0; i < tokens->count; i++) {
		struct pw_str key = { (const char *)&tokens->at[i], sizeof(uint64_t) };
		const struct seen *seen = pw_map_get(learned, key);

		if (seen != NULL)
			out->seen[i][PW_BAYES_SHARED] = seen->counts;
	}
}

static bool fires(const char *path, enum pw_symbol symbol)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;
	struct pw_envelope nobody = { 0 };
	static struct pw_bayes_counts counts;
	static struct pw_hits hits;
	struct pw_bayes_result result;

	assert_int_equal(pw_file_read(&text, path, 1000000), PW_OK);
	pw_arena_reset(arena);
	assert_int_equal(pw_message_read(&m, arena, pw_buf_str(&text)), PW_OK);
	memset(&one, 0, sizeof(one));
	pw_message_tokens(&one, m, (struct pw_ip){ 0 });
	recall(&counts, &one);
	pw_bayes_decide(&result, &counts, one.count);
	hits.count = 0;
	pw_checks_session(&(struct pw_check){ .message = m,
	                                  .envelope = &nobody,
	                                  .bayes = &result,
	                                  .psl = psl,
	                                  .arena = arena,
	                                  .hits = &hits,
	                                  .now_s = 1796112000 });
	return pw_hits_has(&hits, symbol);
}

static void train(void)
{
	static const char *const words[2][12] = {
		{ "meeting", "minutes", "agreed", "Thursday", "project", "release",
		  "review", "schedule", "thanks", "attached", "budget", "colleague" },
		{ "lottery", "winner", "claim", "prize", "transfer", "million",
		  "confidential", "beneficiary", "urgent", "pills", "cheap", "casino" },
	};
	char text[1024];

	for (unsigned n = 0; n < 500; n++) {
		const char *const *w = words[n % 2];
		int len = snprintf(text, sizeof(text),
		                   "From: x%u@example.org\r\nSubject: %s %s\r\n\r\n", n,
		                   w[n % 12], w[n / 2 % 12]);

		for (unsigned i = 0; i < 30; i++)
			len += snprintf(text + len, sizeof(text) - (size_t)len, "%s ",
			                w[(n * 7 + i * i + i) % 12]);
		learn(n % 2 == 1, (struct pw_str){ text, (size_t)len });
	}
}

struct pair_row {
	const char *label;
	enum pw_symbol symbol;
};
static struct pair_row pair_rows[] = {
	{ "BAYES_SPAM", PW_SYM_BAYES_SPAM },
	{ "BAYES_HAM", PW_SYM_BAYES_HAM },
};

static void check_pair(void **state)
{
	const struct pair_row *row = *state;
	char path[512];

	snprintf(path, sizeof(path), FOLDER "%s.fires.eml", row->label);
	assert_true(fires(path, row->symbol));
	snprintf(path, sizeof(path), FOLDER "%s.silent.eml", row->label);
	assert_false(fires(path, row->symbol));
}

static int open_all(void **state)
{
	static const uint8_t seed[16] = "test";

	(void)state;
	if (pw_arena_new(&arena, PW_MESSAGE_ARENA_MAX) != PW_OK ||
	    pw_psl_new(&psl) != PW_OK || pw_map_new(&learned, seed, 100000) != PW_OK)
		return -1;
	train();
	return 0;
}

static int close_all(void **state)
{
	size_t pos = 0;
	struct pw_str key;
	void *seen;

	(void)state;
	while (pw_map_next(learned, &pos, &key, &seen))
		free(seen);
	pw_map_free(&learned);
	pw_psl_free(&psl);
	pw_arena_free(&arena);
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + PW_LEN(pair_rows) + 1] = {
		cmocka_unit_test(the_client_is_the_hop_it_becomes),
	};

	PW_TABLE_TESTS(tests, 1, rows, compares);
	PW_TABLE_TESTS(tests, 1 + PW_LEN(rows), pair_rows, check_pair);
	return cmocka_run_group_tests(tests, open_all, close_all);
}
