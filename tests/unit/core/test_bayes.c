#include "../table.h"

#include <math.h>
#include <string.h>

#include "core/bayes.h"

static struct pw_bayes_counts counts;

/* So many tokens were seen so often in either base. */
struct group {
	size_t tokens;
	struct pw_bayes_seen shared, own;
};

struct row {
	const char *label;
	struct pw_bayes_seen shared, own; /* learned messages */
	struct group groups[3];
	enum pw_bayes_verdict verdict;
	double above, below; /* where p lies */
	size_t tokens;       /* that counted */
};

/* clang-format off */
static struct row rows[] = {
	{ "nothing is known of anything", { 500, 500 }, { 0, 0 }, { { 50, { 0, 0 }, { 0, 0 } } },
	  PW_BAYES_SILENT, 0.5, 0.5, 0 },
	{ "spam", { 500, 500 }, { 0, 0 }, { { 30, { 20, 0 }, { 0, 0 } } }, PW_BAYES_SPAM, 0.999, 1, 30 },
	{ "ham", { 500, 500 }, { 0, 0 }, { { 30, { 0, 20 }, { 0, 0 } } }, PW_BAYES_HAM, 0, 0.001, 30 },
	{ "as much of either", { 500, 500 }, { 0, 0 },
	  { { 20, { 20, 0 }, { 0, 0 } }, { 20, { 0, 20 }, { 0, 0 } } }, PW_BAYES_UNDECIDED, 0.49, 0.51, 40 },
	{ "199 messages of spam are too few", { 199, 5000 }, { 0, 0 }, { { 30, { 20, 0 }, { 0, 0 } } },
	  PW_BAYES_SILENT, 0.5, 0.5, 0 },
	{ "199 of ham too", { 5000, 199 }, { 0, 0 }, { { 30, { 20, 0 }, { 0, 0 } } },
	  PW_BAYES_SILENT, 0.5, 0.5, 0 },
	{ "200 of each will do", { 200, 200 }, { 0, 0 }, { { 30, { 20, 0 }, { 0, 0 } } },
	  PW_BAYES_SPAM, 0.999, 1, 30 },
	{ "ten tokens are too few", { 500, 500 }, { 0, 0 }, { { 10, { 20, 0 }, { 0, 0 } } },
	  PW_BAYES_SILENT, 0.5, 0.5, 0 },
	{ "eleven will do", { 500, 500 }, { 0, 0 }, { { 11, { 20, 0 }, { 0, 0 } } }, PW_BAYES_SPAM, 0.99, 1, 11 },
	{ "tokens of both classes tell nothing", { 500, 500 }, { 0, 0 },
	  { { 10, { 20, 0 }, { 0, 0 } }, { 300, { 20, 20 }, { 0, 0 } } }, PW_BAYES_SILENT, 0.5, 0.5, 0 },
	{ "shares count, not numbers: ten times the ham", { 200, 2000 }, { 0, 0 },
	  { { 30, { 20, 20 }, { 0, 0 } } }, PW_BAYES_SPAM, 0.999, 1, 30 },
	{ "the most telling count", { 500, 500 }, { 0, 0 },
	  { { 300, { 50, 0 }, { 0, 0 } }, { 600, { 1, 3 }, { 0, 0 } } }, PW_BAYES_SPAM, 0.999, 1, 300 },
	{ "the own base alone", { 0, 0 }, { 200, 200 }, { { 30, { 0, 0 }, { 20, 0 } } }, PW_BAYES_SPAM, 0.999, 1, 30 },
	{ "which knows too little", { 0, 0 }, { 199, 200 }, { { 30, { 0, 0 }, { 20, 0 } } },
	  PW_BAYES_SILENT, 0.5, 0.5, 0 },
	{ "ten own lessons do not outvote the shared base", { 500, 500 }, { 5, 5 },
	  { { 30, { 20, 0 }, { 0, 2 } } }, PW_BAYES_SPAM, 0.999, 1, 30 },
	{ "own lessons of one class alone are not heard", { 500, 500 }, { 150, 0 },
	  { { 30, { 0, 20 }, { 150, 0 } } }, PW_BAYES_HAM, 0, 0.001, 30 },
	{ "hundreds do outvote it", { 500, 500 }, { 400, 400 }, { { 30, { 20, 0 }, { 0, 20 } } },
	  PW_BAYES_HAM, 0, 0.001, 30 },
	{ "what only the own base knows counts for it", { 500, 500 }, { 400, 400 },
	  { { 30, { 0, 0 }, { 20, 0 } } }, PW_BAYES_SPAM, 0.999, 1, 30 },
	{ "counts beyond what was learned", { 200, 200 }, { 0, 0 },
	  { { 30, { UINT32_MAX, 0 }, { 0, 0 } } }, PW_BAYES_SPAM, 0.999, 1, 30 },
};
/* clang-format on */

static size_t fill(const struct row *row)
{
	size_t n = 0;

	memset(&counts, 0, sizeof(counts));
	counts.learned[PW_BAYES_SHARED] = row->shared;
	counts.learned[PW_BAYES_OWN] = row->own;
	for (size_t g = 0; g < PW_LEN(row->groups); g++)
		for (size_t i = 0; i < row->groups[g].tokens; i++, n++) {
			counts.seen[n][PW_BAYES_SHARED] = row->groups[g].shared;
			counts.seen[n][PW_BAYES_OWN] = row->groups[g].own;
		}
	return n;
}

static void decides(void **state)
{
	const struct row *row = *state;
	struct pw_bayes_result result;

	pw_bayes_decide(&result, &counts, fill(row));
	assert_int_equal(result.verdict, row->verdict);
	assert_int_equal(result.tokens, row->tokens);
	assert_true(result.probability >= row->above && result.probability <= row->below);
	assert_true(result.factor_milli >= 0 && result.factor_milli <= 1000);
	assert_int_equal(result.factor_milli > 0, row->verdict >= PW_BAYES_SPAM);
}

/* Two tokens by hand: f = (0.5 * 0.5 + 2 * 1) / 2.5 = 0.9 each. ln 0.9 = -0.10536,
 * ln 0.1 = -2.30259; chi-square of 4 degrees above x is e^-m (1 + m), m = x / 2: of ham
 * m = 0.21072 gives 0.98071, of spam m = 4.60517 gives 0.05605. */
static void as_reckoned_by_hand(void **state)
{
	struct row row = { .shared = { 500, 500 },
		           .groups = { { 2, { 2, 0 }, { 0, 0 } } } };
	struct pw_bayes_result result;
	size_t n = fill(&row);

	(void)state;
	counts.tokens_min = 2;
	pw_bayes_decide(&result, &counts, n);
	assert_true(fabs(result.probability - (1 + 0.98071 - 0.05605) / 2) < 0.0001);
	assert_int_equal(result.factor_milli, 791); /* (2 * 0.96233 - 1)^3 */
}

static void settings_move_the_limits(void **state)
{
	struct row row = { .shared = { 20, 20 },
		           .groups = { { 5, { 20, 0 }, { 0, 0 } } } };
	struct pw_bayes_result result;
	size_t n = fill(&row);

	(void)state;
	counts.learned_min = 20;
	counts.tokens_min = 5;
	pw_bayes_decide(&result, &counts, n);
	assert_int_equal(result.verdict, PW_BAYES_SPAM);
	counts.tokens_min = 6;
	pw_bayes_decide(&result, &counts, n);
	assert_int_equal(result.verdict, PW_BAYES_SILENT);
}

/* With few own lessons an answer of the shared base stays, whatever they were. */
static void few_lessons_change_little(void **state)
{
	struct row row = { .shared = { 500, 500 } };
	struct pw_bayes_result base, blended;
	size_t decided = 0;

	(void)state;
	for (uint32_t spam = 0; spam <= 10; spam++) {
		size_t n;

		row.groups[0] = (struct group){ 40, { 2 * spam, 20 - 2 * spam }, { 0 } };
		n = fill(&row);
		pw_bayes_decide(&base, &counts, n);
		counts.learned[PW_BAYES_OWN] = (struct pw_bayes_seen){ 5, 5 };
		for (size_t i = 0; i < n; i++)
			counts.seen[i][PW_BAYES_OWN] =
				(struct pw_bayes_seen){ i % 2, (i + 1) % 2 };
		pw_bayes_decide(&blended, &counts, n);
		if (base.verdict < PW_BAYES_SPAM)
			continue;
		decided++;
		assert_int_equal(base.verdict, blended.verdict);
		assert_true(fabs(base.probability - blended.probability) < 0.05);
	}
	assert_true(decided >= 4);
}

static void the_order_of_tokens_does_not_matter(void **state)
{
	struct pw_bayes_result a, b;

	(void)state;
	memset(&counts, 0, sizeof(counts));
	counts.learned[PW_BAYES_SHARED] = (struct pw_bayes_seen){ 500, 500 };
	for (uint32_t i = 0; i < PW_TOKENS_MAX; i++)
		counts.seen[i][PW_BAYES_SHARED] =
			(struct pw_bayes_seen){ i * 7 % 23, i * 5 % 19 };
	pw_bayes_decide(&a, &counts, PW_TOKENS_MAX);
	for (size_t i = 0; i < PW_TOKENS_MAX / 2; i++) {
		struct pw_bayes_seen first = counts.seen[i][PW_BAYES_SHARED];
		size_t last = PW_TOKENS_MAX - 1 - i;

		counts.seen[i][PW_BAYES_SHARED] = counts.seen[last][PW_BAYES_SHARED];
		counts.seen[last][PW_BAYES_SHARED] = first;
	}
	pw_bayes_decide(&b, &counts, PW_TOKENS_MAX);
	assert_true(fabs(a.probability - b.probability) < 1e-9);
}

static void evidence(void **state)
{
	struct pw_bayes_result result = { .probability = 0.99871,
		                          .tokens = 43,
		                          .heard = { true, true } };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	(void)state;
	pw_bayes_put(&text, &result);
	assert_string_equal(pw_buf_text(&text),
	                    "p=0.9987, 43 tokens, base shared and own");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 5] = {
		cmocka_unit_test(as_reckoned_by_hand),
		cmocka_unit_test(settings_move_the_limits),
		cmocka_unit_test(few_lessons_change_little),
		cmocka_unit_test(the_order_of_tokens_does_not_matter),
		cmocka_unit_test(evidence),
	};

	PW_TABLE_TESTS(tests, 5, rows, decides);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
