#include "../table.h"

#include <string.h>

#include "core/score.h"
#include "core/score_text.h"

struct milli_row {
	const char *label, *text;
	enum pw_status status;
	int64_t value;
	const char *printed;
};

static struct milli_row milli_rows[] = {
	{ "whole", "15", PW_OK, 15000, "15.000" },
	{ "numeric of SQL", "1.500", PW_OK, 1500, "1.500" },
	{ "negative below one", "-0.25", PW_OK, -250, "-0.250" },
	{ "no whole part", ".5", PW_OK, 500, "0.500" },
	{ "more digits are cut", "1.23456", PW_OK, 1234, "1.234" },
	{ "largest", "1000", PW_OK, 1000000, "1000.000" },
	{ "beyond", "1000.001", PW_ERR_RANGE, 7, "" },
	{ "far beyond", "99999999999999999999", PW_ERR_RANGE, 7, "" },
	{ "empty", "", PW_ERR_SYNTAX, 7, "" },
	{ "only a sign", "-", PW_ERR_SYNTAX, 7, "" },
	{ "only a point", ".", PW_ERR_SYNTAX, 7, "" },
	{ "NaN", "NaN", PW_ERR_SYNTAX, 7, "" },
	{ "exponent", "1e3", PW_ERR_SYNTAX, 7, "" },
	{ "two points", "1.2.3", PW_ERR_SYNTAX, 7, "" },
};

static void check_milli(void **state)
{
	const struct milli_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	int64_t value = 7;

	assert_int_equal(pw_milli_parse(&value, pw_str_from(row->text)), row->status);
	assert_int_equal(value, row->value);
	if (row->status != PW_OK)
		return;
	pw_milli_put(&text, value);
	assert_string_equal(pw_buf_text(&text), row->printed);
}

static int64_t sum_of_lines(const struct pw_score_plan *plan)
{
	int64_t sum = 0;

	for (size_t i = 0; i < plan->count; i++)
		sum += plan->lines[i].is_dry_run ? 0 : plan->lines[i].score_milli;
	return sum;
}

/* Actions by score; ah, reject: thresholds, dry: of reject. */
struct action_row {
	const char *label;
	int32_t score_milli;
	bool reject_dry, header_dry;
	enum pw_action action, dry_action;
};

static struct action_row action_rows[] = {
	{ "below", 5999, false, false, PW_ACTION_NONE, PW_ACTION_NONE },
	{ "at the threshold", 6000, false, false, PW_ACTION_ADD_HEADER,
	  PW_ACTION_ADD_HEADER },
	{ "reject", 15000, false, false, PW_ACTION_REJECT, PW_ACTION_REJECT },
	{ "reject is dry", 15000, true, false, PW_ACTION_ADD_HEADER, PW_ACTION_REJECT },
	{ "both are dry", 15000, true, true, PW_ACTION_NONE, PW_ACTION_REJECT },
	{ "header is dry", 7000, false, true, PW_ACTION_NONE, PW_ACTION_ADD_HEADER },
};

static void check_action(void **state)
{
	const struct action_row *row = *state;
	struct pw_weights w;
	struct pw_hits hits = { 0 };
	struct pw_score_plan plan;

	pw_weights_default(&w);
	w.actions[PW_ACTION_REJECT].is_dry_run = row->reject_dry;
	w.actions[PW_ACTION_ADD_HEADER].is_dry_run = row->header_dry;
	w.symbols[PW_SYM_SPF_FAIL].weight_milli = row->score_milli;
	w.group_max_milli[PW_GRP_auth] = 1000000;
	pw_hits_add(&hits, PW_SYM_SPF_FAIL, 1000, PW_STR(""));
	pw_score_decide(&plan, &hits, &w);
	assert_int_equal(plan.score_milli, row->score_milli);
	assert_int_equal(plan.action, row->action);
	assert_int_equal(plan.dry_action, row->dry_action);
}

static void a_cap_is_a_line_of_its_own(void **state)
{
	struct pw_weights w;
	struct pw_hits hits = { 0 };
	struct pw_score_plan plan;

	(void)state;
	pw_weights_default(&w);
	assert_int_equal(pw_weights_group(&w, PW_STR("CLIENT"), 4000), PW_OK);
	pw_hits_add(&hits, PW_SYM_HELO_BARE_IP, 1000, PW_STR("1.2.3.4"));
	pw_hits_add(&hits, PW_SYM_RDNS_UNCONFIRMED, 1000, PW_STR(""));
	pw_hits_add(&hits, PW_SYM_SPF_PASS, 1000, PW_STR(""));
	pw_score_decide(&plan, &hits, &w);
	assert_int_equal(plan.count, 4);
	assert_true(plan.lines[3].is_cap);
	assert_int_equal(plan.lines[3].score_milli, -500);
	assert_int_equal(plan.score_milli, 3800); /* 3.0 + 1.5 - 0.5 - 0.2 */
	assert_int_equal(plan.score_milli, sum_of_lines(&plan));
}

static void all_symbols_at_once_add_up(void **state)
{
	struct pw_weights w;
	struct pw_hits hits = { 0 };
	struct pw_score_plan plan;

	(void)state;
	pw_weights_default(&w);
	w.symbols[3].is_dry_run = w.symbols[40].is_dry_run = true;
	w.symbols[5].is_off = true;
	for (int i = 0; i < PW_SYMBOLS; i++) {
		pw_hits_add(&hits, (enum pw_symbol)i, i * 10, PW_STR(""));
		pw_hits_add(&hits, (enum pw_symbol)i, 1000 - i, PW_STR("again"));
	}
	assert_int_equal(hits.count, PW_SYMBOLS);
	pw_score_decide(&plan, &hits, &w);
	assert_int_equal(plan.score_milli, sum_of_lines(&plan));
	for (int g = 0; g < PW_GROUPS; g++) {
		int64_t sum = 0;

		for (size_t i = 0; i < plan.count; i++)
			for (int s = 0; s < PW_SYMBOLS; s++)
				if (!plan.lines[i].is_cap && !plan.lines[i].is_dry_run &&
				    plan.lines[i].score_milli > 0 &&
				    (int)pw_symbol_group((enum pw_symbol)s) == g &&
				    pw_str_eq(plan.lines[i].name,
				              pw_str_from(
						      pw_symbol_text((enum pw_symbol)s))))
					sum += plan.lines[i].score_milli;
		for (size_t i = 0; i < plan.count; i++)
			if (plan.lines[i].is_cap &&
			    pw_str_eq(plan.lines[i].name,
			              pw_str_from(pw_group_text((enum pw_group)g))))
				sum += plan.lines[i].score_milli;
		assert_true(sum <= w.group_max_milli[g]);
	}
}

static void own_symbols_count_and_are_bounded(void **state)
{
	static struct pw_weights w;
	static struct pw_hits hits;
	static struct pw_score_plan plan;
	static char names[PW_OWN_SYMBOLS_MAX][16];
	unsigned symbol, again;

	(void)state;
	hits = (struct pw_hits){ 0 };
	pw_weights_default(&w);
	assert_int_equal(pw_weights_own(&w, PW_STR("spf_fail"), PW_STR("x"), &symbol),
	                 PW_OK);
	assert_int_equal(symbol, PW_SYM_SPF_FAIL); /* what is built in stays what it is */
	for (unsigned i = 0; i < PW_OWN_SYMBOLS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "OWN_%u", i);
		assert_int_equal(pw_weights_own(&w, pw_str_from(names[i]), PW_STR("mine"),
		                                &symbol),
		                 PW_OK);
		assert_int_equal(symbol, PW_SYMBOLS + i);
		pw_hits_add(&hits, symbol, 1000, PW_STR(""));
	}
	assert_int_equal(pw_weights_own(&w, PW_STR("ONE_MORE"), PW_STR("mine"), &symbol),
	                 PW_ERR_LIMIT);
	assert_int_equal(pw_weights_find(&w, PW_STR("own_7"), &again), PW_OK);
	assert_int_equal(again, PW_SYMBOLS + 7);
	assert_int_equal(pw_weights_symbol(&w, PW_STR("OWN_7"), 2000, true, false),
	                 PW_OK);
	assert_int_equal(pw_weights_symbol(&w, PW_STR("OWN_8"), 3000, true, false),
	                 PW_OK);
	assert_int_equal(pw_weights_group(&w, PW_STR("Mine"), 4500), PW_OK);
	assert_true(hits.is_cut);
	assert_int_equal(hits.count, PW_HITS_OWN_MAX);
	pw_hits_add(&hits, PW_SYM_SPF_FAIL, 1000, PW_STR("")); /* always finds room */
	pw_hits_drop(&hits, PW_SYMBOLS);
	pw_hits_add(&hits, PW_SYMBOLS + PW_HITS_OWN_MAX, 1000, PW_STR(""));
	assert_int_equal(hits.count, PW_HITS_OWN_MAX + 1);
	pw_score_decide(&plan, &hits, &w);
	assert_int_equal(plan.score_milli,
	                 4500 + w.symbols[PW_SYM_SPF_FAIL].weight_milli);
	assert_int_equal(plan.score_milli, sum_of_lines(&plan));
	assert_true(pw_str_eq(plan.lines[plan.count - 1].name, PW_STR("mine")));
}

static void rows_override_by_name(void **state)
{
	struct pw_weights w;

	(void)state;
	pw_weights_default(&w);
	assert_int_equal(pw_weights_symbol(&w, PW_STR("spf_fail"), 3000, false, true),
	                 PW_OK);
	assert_int_equal(w.symbols[PW_SYM_SPF_FAIL].weight_milli, 3000);
	assert_true(w.symbols[PW_SYM_SPF_FAIL].is_off &&
	            w.symbols[PW_SYM_SPF_FAIL].is_dry_run);
	assert_int_equal(pw_weights_symbol(&w, PW_STR("NO_SUCH"), 1, true, false),
	                 PW_ERR_NOTFOUND);
	assert_int_equal(pw_weights_symbol(&w, PW_STR("SPF_FAIL"), 1000001, true, false),
	                 PW_ERR_RANGE);
	assert_int_equal(pw_weights_group(&w, PW_STR("auth"), -1), PW_ERR_RANGE);
	assert_int_equal(pw_weights_action(&w, PW_STR("none"), 1, false),
	                 PW_ERR_NOTFOUND);
	assert_int_equal(pw_weights_action(&w, PW_STR("greylist"), 4000, false), PW_OK);
	assert_true(w.actions[PW_ACTION_GREYLIST].is_on);
}

static void the_account_prints(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf status = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf account = { 0 };
	struct pw_weights w;
	struct pw_hits hits = { 0 };
	struct pw_score_plan plan;

	(void)state;
	pw_weights_default(&w);
	w.symbols[PW_SYM_RDNS_NONE].is_dry_run = true;
	pw_hits_add(&hits, PW_SYM_MULTIPLE_FROM, 1000, PW_STR("a@b, c@d"));
	pw_hits_add(&hits, PW_SYM_SPF_PASS, 1000, PW_STR("b.test"));
	pw_hits_add(&hits, PW_SYM_RDNS_NONE, 1000, PW_STR(""));
	pw_score_decide(&plan, &hits, &w);
	pw_score_put_status(&status, &plan);
	assert_string_equal(
		pw_buf_text(&status),
		"Yes, score=7.800 required=6.000\n\ttests=[MULTIPLE_FROM=8.000, "
		"SPF_PASS=-0.200]");
	pw_score_put_account(&account, &plan);
	assert_string_equal(pw_buf_text(&account),
	                    "8.000 MULTIPLE_FROM: a@b, c@d\n-0.200 SPF_PASS: b.test\n"
	                    "1.000 RDNS_NONE (dry run)\n7.800 sum, action add header\n");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(milli_rows) + PW_LEN(action_rows) + 5] = {
		cmocka_unit_test(a_cap_is_a_line_of_its_own),
		cmocka_unit_test(all_symbols_at_once_add_up),
		cmocka_unit_test(own_symbols_count_and_are_bounded),
		cmocka_unit_test(rows_override_by_name),
		cmocka_unit_test(the_account_prints),
	};

	PW_TABLE_TESTS(tests, 5, milli_rows, check_milli);
	PW_TABLE_TESTS(tests, 5 + PW_LEN(milli_rows), action_rows, check_action);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
