#include "../table.h"

#include "origin/stamp/accept.h"
#include "origin/stamp/patience.h"

#define HOUR ((int64_t)3600 * 1000)

/* One line: what is found, what follows now, and what follows after an hour of it. */
struct row {
	const char *label;
	struct accept_facts facts;
	const char *action, *why, *later;
};

#define TRUSTED .is_trusted = true
#define ONE .stamps = 1, .is_first = true
#define ENVELOPE .is_sender = true, .is_recipients = true
#define RIGHT TRUSTED, ONE, ENVELOPE, .is_digest = true
#define SEEN(v) RIGHT, .is_replay_known = true, .replay = (v)

/* clang-format off */
static struct row rows[] = {
	{ "untrusted, none",       { 0 },                                 "pass",   "",               "pass" },
	{ "untrusted, one",        { .stamps = 1 },                       "strip",  "untrusted",      "strip" },
	{ "untrusted, all right",  { ONE, ENVELOPE, .is_digest = true },  "strip",  "untrusted",      "strip" },
	{ "untrusted, many",       { .stamps = 3, .is_first = true },     "strip",  "untrusted",      "strip" },
	{ "trusted, none",         { TRUSTED },                           "pass",   "no stamp",       "pass" },
	{ "two",                   { TRUSTED, ENVELOPE, .stamps = 2, .is_first = true, .is_digest = true },
	                                                                  "defer",  "several stamps", "hold" },
	{ "not first",             { TRUSTED, ENVELOPE, .stamps = 1, .is_digest = true },
	                                                                  "defer",  "not first",      "hold" },
	{ "broken",                { RIGHT, .stamp = PW_STAMP_BROKEN },   "defer",  "broken",         "hold" },
	{ "unknown key",           { RIGHT, .stamp = PW_STAMP_UNKNOWN_KEY }, "defer", "unknown key",  "defer" },
	{ "key out of its time",   { RIGHT, .stamp = PW_STAMP_KEY_TIME }, "defer",  "key time",       "defer" },
	{ "bad MAC",               { RIGHT, .stamp = PW_STAMP_BAD_MAC },  "defer",  "bad mac",        "hold" },
	{ "bad time",              { RIGHT, .stamp = PW_STAMP_BAD_TIME }, "defer",  "bad time",       "defer" },
	{ "another sender",        { TRUSTED, ONE, .is_recipients = true, .is_digest = true },
	                                                                  "defer",  "sender",         "hold" },
	{ "another recipient",     { TRUSTED, ONE, .is_sender = true, .is_digest = true },
	                                                                  "defer",  "recipient",      "hold" },
	{ "another content",       { TRUSTED, ONE, ENVELOPE },            "defer",  "digest",         "hold" },
	{ "right so far",          { RIGHT },                             "ask",    "",               "ask" },
	{ "new",                   { SEEN(REPLAY_NEW) },                  "accept", "",               "accept" },
	{ "here before",           { SEEN(REPLAY_SAME) },                 "retry",  "retry",          "retry" },
	{ "perhaps here before",   { SEEN(REPLAY_UNSURE) },               "retry",  "retry",          "retry" },
	{ "here with another content", { SEEN(REPLAY_OTHER) },            "reject", "replay",         "reject" },
	/* the first that is wrong counts */
	{ "all wrong",             { TRUSTED, ONE, .stamp = PW_STAMP_UNKNOWN_KEY }, "defer", "unknown key", "defer" },
};
/* clang-format on */

static void check(void **state)
{
	const struct row *row = *state;
	struct accept_facts facts = row->facts;
	struct accept_plan plan;

	facts.patience_ms = HOUR;
	plan = accept_decide(&facts);
	assert_string_equal(accept_action_text(plan.action), row->action);
	assert_string_equal(plan.why, row->why);
	facts.failing_ms = HOUR - 1;
	assert_string_equal(accept_action_text(accept_decide(&facts).action),
	                    row->action);
	facts.failing_ms = HOUR;
	assert_string_equal(accept_action_text(accept_decide(&facts).action), row->later);
}

static void check_patience(void **state)
{
	PW_AUTO(patience_free) struct patience *p = NULL;
	char other[16];

	(void)state;
	assert_int_equal(patience_new(&p), PW_OK);
	assert_int_equal(patience_ms(p, PW_STR("a"), 1000), 0);
	assert_int_equal(patience_ms(p, PW_STR("a"), 1000 + HOUR), HOUR);
	assert_int_equal(patience_ms(p, PW_STR("b"), 1000 + HOUR), 0);
	/* the one that goes on failing is not forgotten for the sake of others */
	for (int i = 0; i < 10000; i++) {
		snprintf(other, sizeof(other), "%d", i);
		(void)patience_ms(p, pw_str_from(other), 2000 + HOUR + i);
		if (i % 1000 == 0)
			assert_true(patience_ms(p, PW_STR("a"), 2000 + HOUR + i) >= HOUR);
	}
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		[PW_LEN(rows)] = cmocka_unit_test(check_patience),
	};

	PW_TABLE_TESTS(tests, 0, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
