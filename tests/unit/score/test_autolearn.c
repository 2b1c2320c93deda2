#include "../table.h"

#include "core/score_text.h"
#include "score/autolearn.h"

/* Lines of an account that is authenticated, and what is learned from it. */
struct row {
	const char *label;
	struct pw_score_line lines[6];
	enum autolearn learned;
};

/* For tables, where PW_STR is no constant. */
#define LINE(symbol, milli)                                                              \
	{                                                                                \
		.name = { symbol, sizeof(symbol) - 1 }, .score_milli = milli             \
	}
#define OF(symbol, milli, what)                                                          \
	{                                                                                \
		.name = { symbol, sizeof(symbol) - 1 }, .score_milli = milli,            \
		.what = true                                                             \
	}

static struct row rows[] = {
	{ "three groups are spam",
	  { LINE("SPF_FAIL", 4000), LINE("HTTP_TO_IP", 4000), LINE("ADULT", 4000) },
	  AUTOLEARN_SPAM },
	{ "two groups are one opinion",
	  { LINE("SPF_FAIL", 4000), LINE("HTTP_TO_IP", 4000), LINE("URL_ONLY", 4000) },
	  AUTOLEARN_NOTHING },
	{ "a composite is no third group",
	  { LINE("SPF_FAIL", 4000), LINE("HTTP_TO_IP", 4000),
	    LINE("LIST_FORGIVEN", 4000) },
	  AUTOLEARN_NOTHING },
	{ "Bayes and reputation do not count",
	  { LINE("SPF_FAIL", 4000), LINE("HTTP_TO_IP", 4000), LINE("ADULT", 3000),
	    LINE("BAYES_SPAM", 5000), LINE("REP_IP_SPAM", 2000) },
	  AUTOLEARN_NOTHING },
	{ "a composite of theirs neither",
	  { LINE("SPF_FAIL", 4000), LINE("HTTP_TO_IP", 4000), LINE("ADULT", 3000),
	    OF("MINE", 5000, is_learned) },
	  AUTOLEARN_NOTHING },
	{ "nor what it takes off",
	  { LINE("SPF_FAIL", 4000),
	    LINE("HTTP_TO_IP", 4000),
	    LINE("ADULT", 4000),
	    { .name = { "MINE", 4 },
	      .score_milli = -4000,
	      .is_parts = true,
	      .is_learned = true } },
	  AUTOLEARN_SPAM },
	{ "what another takes off counts",
	  { LINE("SPF_FAIL", 4000), LINE("HTTP_TO_IP", 4000), LINE("ADULT", 4000),
	    OF("MINE", -4000, is_parts) },
	  AUTOLEARN_NOTHING },
	{ "a cap counts",
	  { LINE("SPF_FAIL", 4000), LINE("HTTP_TO_IP", 4000), LINE("ADULT", 4000),
	    OF("auth", -500, is_cap) },
	  AUTOLEARN_NOTHING },
	{ "a dry run does not",
	  { LINE("SPF_FAIL", 4000), LINE("HTTP_TO_IP", 4000),
	    OF("ADULT", 4000, is_dry_run) },
	  AUTOLEARN_NOTHING },
	{ "honest mail", { LINE("TECH_TALK", -1500) }, AUTOLEARN_HAM },
	{ "with a mark",
	  { LINE("TECH_TALK", -2500), LINE("URL_ONLY", 600) },
	  AUTOLEARN_NOTHING },
	{ "with a mark that is taken off, too",
	  { LINE("TECH_TALK", -1500), LINE("URL_ONLY", 600),
	    OF("LIST_FORGIVEN", -600, is_parts) },
	  AUTOLEARN_NOTHING },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	static struct pw_verdict verdict;
	static struct pw_tokens tokens;

	verdict = (struct pw_verdict){ .has_auth = true, .tokens = &tokens };
	verdict.auth.dmarc.result = PW_DMARC_PASS;
	while (row->lines[verdict.plan.count].name.len > 0) {
		verdict.plan.lines[verdict.plan.count] = row->lines[verdict.plan.count];
		verdict.plan.count++;
	}
	assert_int_equal(autolearn_decide(&verdict), row->learned);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
