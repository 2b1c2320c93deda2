#include "../table.h"

#include <string.h>

#include "core/composite.h"
#include "core/expr.h"
#include "core/score_text.h"

/* Which of these symbols a message shows, one letter each: is the expression true? S is
 * SPF_FAIL, D DKIM_FAIL (both of group auth), M MAILLIST (identity), H HTTP_TO_IP (url).
 */
struct expr_row {
	const char *label, *text, *shown;
	bool is_true;
};

static struct expr_row expr_rows[] = {
	{ "one", "SPF_FAIL", "S", true },
	{ "not that", "SPF_FAIL", "D", false },
	{ "in any case", "Spf_Fail", "S", true },
	{ "and", "SPF_FAIL & DKIM_FAIL", "SD", true },
	{ "and, one missing", "SPF_FAIL & DKIM_FAIL", "S", false },
	{ "or", "SPF_FAIL|DKIM_FAIL", "D", true },
	{ "neither", "SPF_FAIL|DKIM_FAIL", "M", false },
	{ "not", "!SPF_FAIL", "", true },
	{ "not, but there", "! SPF_FAIL", "S", false },
	{ "twice not", "!!SPF_FAIL", "S", true },
	{ "and binds closer", "MAILLIST | SPF_FAIL & DKIM_FAIL", "M", true },
	{ "from both sides", "SPF_FAIL & DKIM_FAIL | MAILLIST", "M", true },
	{ "parentheses", "(MAILLIST | SPF_FAIL) & DKIM_FAIL", "M", false },
	{ "not binds closest", "!SPF_FAIL & DKIM_FAIL", "D", true },
	{ "not of both", "!(SPF_FAIL & DKIM_FAIL)", "S", true },
	{ "not of both, both", "!(SPF_FAIL & DKIM_FAIL)", "SD", false },
	{ "not of either", "!(SPF_FAIL | DKIM_FAIL)", "M", true },
	{ "not of either, one", "!(SPF_FAIL | DKIM_FAIL)", "D", false },
	{ "not within not", "!(SPF_FAIL & !(DKIM_FAIL | MAILLIST))", "SM", true },
	{ "not within not, bare", "!(SPF_FAIL & !(DKIM_FAIL | MAILLIST))", "S", false },
	{ "a group", "auth & HTTP_TO_IP", "DH", true },
	{ "another group", "html & HTTP_TO_IP", "DH", false },
	{ "spared", "+MAILLIST & (+ SPF_FAIL | DKIM_FAIL)", "MD", true },
	{ "lines", "SPF_FAIL\n\t&\r\nDKIM_FAIL ", "SD", true },
};

static const struct {
	char letter;
	enum pw_symbol symbol;
} letters[] = { { 'S', PW_SYM_SPF_FAIL },
	        { 'D', PW_SYM_DKIM_FAIL },
	        { 'M', PW_SYM_MAILLIST },
	        { 'H', PW_SYM_HTTP_TO_IP } };

static struct pw_weights weights;

static void show(struct pw_hits *hits, const char *shown)
{
	*hits = (struct pw_hits){ 0 };
	for (size_t i = 0; i < PW_LEN(letters); i++)
		if (strchr(shown, letters[i].letter) != NULL)
			pw_hits_add(hits, letters[i].symbol, 1000, PW_STR(""));
}

static void check_expr(void **state)
{
	const struct expr_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	static struct pw_shown shown;
	static struct pw_hits hits;
	struct pw_expr expr;

	pw_weights_default(&weights);
	show(&hits, row->shown);
	shown = (struct pw_shown){ 0 };
	for (size_t i = 0; i < hits.count; i++) {
		shown.symbols[hits.at[i].symbol] = true;
		shown.groups[weights.symbols[hits.at[i].symbol].group] = true;
	}
	assert_int_equal(pw_expr_compile(&expr, pw_str_from(row->text), &weights, &why),
	                 PW_OK);
	assert_int_equal(why.len, 0);
	assert_int_equal(pw_expr_is_true(&expr, &shown), row->is_true);
}

struct bad_row {
	const char *label, *text;
	enum pw_status status;
	const char *why;
};

#define DEEP(inside) "((((((((((((((((" inside "))))))))))))))))"
static struct bad_row bad_rows[] = {
	{ "empty", "", PW_ERR_SYNTAX, "a name is missing at character 1" },
	{ "blanks", "  ", PW_ERR_SYNTAX, "a name is missing at character 3" },
	{ "no right side", "SPF_FAIL &", PW_ERR_SYNTAX,
	  "a name is missing at character 11" },
	{ "no left side", "| SPF_FAIL", PW_ERR_SYNTAX,
	  "a name is missing at character 1" },
	{ "two names", "SPF_FAIL DKIM_FAIL", PW_ERR_SYNTAX,
	  "neither & nor | at character 10" },
	{ "doubled operator", "SPF_FAIL && DKIM_FAIL", PW_ERR_SYNTAX,
	  "a name is missing at character 11" },
	{ "open", "DKIM_FAIL & (SPF_FAIL", PW_ERR_SYNTAX,
	  "no end of the parenthesis at character 13" },
	{ "closed only", "SPF_FAIL)", PW_ERR_SYNTAX, "neither & nor | at character 9" },
	{ "nothing within", "()", PW_ERR_SYNTAX, "a name is missing at character 2" },
	{ "a number", "7UP", PW_ERR_SYNTAX, "a name is missing at character 1" },
	{ "no such symbol", "SPF_FAIL & NO_SUCH", PW_ERR_SYNTAX,
	  "no symbol NO_SUCH at character 12" },
	{ "no such group", "nogroup", PW_ERR_SYNTAX, "no group nogroup at character 1" },
	{ "a composite", "!LIST_FORGIVEN", PW_ERR_SYNTAX,
	  "LIST_FORGIVEN is a composite itself, at character 2" },
	{ "spared twice", "++SPF_FAIL", PW_ERR_SYNTAX,
	  "a name is missing at character 2" },
	{ "spared parenthesis", "+(SPF_FAIL)", PW_ERR_SYNTAX,
	  "a name is missing at character 2" },
	{ "not ASCII", "SPF_FAIL \xe2\x88\xa7 DKIM_FAIL", PW_ERR_SYNTAX,
	  "neither & nor | at character 10" },
	{ "too deep", DEEP("(SPF_FAIL)"), PW_ERR_LIMIT,
	  "too many parentheses at character 17" },
};

static void check_bad(void **state)
{
	const struct bad_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_expr expr = { .term_count = 77 };

	pw_weights_default(&weights);
	assert_int_equal(pw_expr_compile(&expr, pw_str_from(row->text), &weights, &why),
	                 row->status);
	assert_string_equal(pw_buf_text(&why), row->why);
	assert_int_equal(expr.term_count, 77);
}

static void as_large_as_it_may_be(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	static struct pw_shown shown;
	struct pw_expr expr;

	(void)state;
	pw_weights_default(&weights);
	assert_int_equal(
		pw_expr_compile(&expr, PW_STR(DEEP("!SPF_FAIL")), &weights, &why), PW_OK);
	for (int i = 0; i < PW_EXPR_TERMS_MAX; i++)
		pw_buf_puts(&text, i == 0 ? PW_STR("!(url") : PW_STR("|(url"));
	for (int i = 0; i < 2 * PW_EXPR_TERMS_MAX; i++)
		pw_buf_putc(&text, ')');
	assert_int_equal(pw_expr_compile(&expr, pw_buf_str(&text), &weights, &why),
	                 PW_ERR_LIMIT); /* of parentheses */
	pw_buf_reset(&text);
	for (int i = 0; i < PW_EXPR_TERMS_MAX; i++)
		pw_buf_puts(&text, i == 0 ? PW_STR("ADULT") : PW_STR(" & ADULT"));
	assert_int_equal(pw_expr_compile(&expr, pw_buf_str(&text), &weights, &why),
	                 PW_OK);
	assert_false(pw_expr_is_true(&expr, &shown));
	shown.symbols[PW_SYM_ADULT] = true;
	assert_true(pw_expr_is_true(&expr, &shown));
	pw_buf_puts(&text, PW_STR("&ADULT"));
	assert_int_equal(pw_expr_compile(&expr, pw_buf_str(&text), &weights, &why),
	                 PW_ERR_LIMIT);
	while (text.len <= PW_EXPR_BYTES_MAX)
		pw_buf_putc(&text, ' ');
	pw_buf_reset(&why);
	assert_int_equal(pw_expr_compile(&expr, pw_buf_str(&text), &weights, &why),
	                 PW_ERR_LIMIT);
	assert_string_equal(pw_buf_text(&why), "too long at character 1001");
}

/* One own composite, C, on a message that shows S 3, D 2, M -1 and H 1 point (those of
 * the letters): the account, by name. */
struct account_row {
	const char *label, *shown, *expression, *parts, *account;
};

#define ALL_PARTS "SPF_FAIL & DKIM_FAIL"
static struct account_row account_rows[] = {
	{ "parts stay", "SDH", ALL_PARTS, "keep",
	  "3.000 SPF_FAIL\n2.000 DKIM_FAIL\n1.000 HTTP_TO_IP\n"
	  "5.000 C: SPF_FAIL DKIM_FAIL\n11.000 sum, action add header\n" },
	{ "their points go", "SDH", ALL_PARTS, "remove weight",
	  "3.000 SPF_FAIL\n2.000 DKIM_FAIL\n1.000 HTTP_TO_IP\n"
	  "5.000 C: SPF_FAIL DKIM_FAIL\n-5.000 parts:C\n6.000 sum, action add header\n" },
	{ "points in favour go", "SM", "SPF_FAIL & MAILLIST", "remove weight",
	  "3.000 SPF_FAIL\n-1.000 MAILLIST\n5.000 C: SPF_FAIL MAILLIST\n-2.000 parts:C\n"
	  "5.000 sum, action none\n" },
	{ "they go", "SDH", ALL_PARTS, "remove symbol",
	  "1.000 HTTP_TO_IP\n5.000 C: SPF_FAIL DKIM_FAIL\n6.000 sum, action add "
	  "header\n" },
	{ "one stays", "SDH", "+SPF_FAIL & DKIM_FAIL", "remove symbol",
	  "3.000 SPF_FAIL\n1.000 HTTP_TO_IP\n5.000 C: SPF_FAIL DKIM_FAIL\n"
	  "9.000 sum, action add header\n" },
	{ "a group goes", "SDH", "auth", "remove symbol",
	  "1.000 HTTP_TO_IP\n5.000 C: SPF_FAIL DKIM_FAIL\n6.000 sum, action add "
	  "header\n" },
	{ "a group but one", "SD", "auth & +DKIM_FAIL", "remove symbol",
	  "2.000 DKIM_FAIL\n5.000 C: SPF_FAIL DKIM_FAIL\n7.000 sum, action add "
	  "header\n" },
	{ "what is negated is no part", "SM", "SPF_FAIL & !(DKIM_FAIL & MAILLIST)",
	  "remove symbol",
	  "-1.000 MAILLIST\n5.000 C: SPF_FAIL\n4.000 sum, action none\n" },
	{ "without any part", "H", "!SPF_FAIL", "remove symbol",
	  "1.000 HTTP_TO_IP\n5.000 C\n6.000 sum, action add header\n" },
	{ "not true", "S", ALL_PARTS, "remove symbol",
	  "3.000 SPF_FAIL\n3.000 sum, action none\n" },
	{ "lists are forgiven", "MDH", ALL_PARTS, "keep",
	  "-1.000 MAILLIST\n1.000 HTTP_TO_IP\n0.000 LIST_FORGIVEN: DKIM_FAIL MAILLIST\n"
	  "0.000 sum, action none\n" },
	{ "but tried on what was there", "MDS", ALL_PARTS, "keep",
	  "3.000 SPF_FAIL\n-1.000 MAILLIST\n0.000 LIST_FORGIVEN: DKIM_FAIL MAILLIST\n"
	  "5.000 C: SPF_FAIL DKIM_FAIL\n7.000 sum, action add header\n" },
};

struct bed {
	struct pw_composites *composites;
	struct pw_arena *arena;
	struct pw_hits hits;
	struct pw_score_plan plan;
	unsigned symbol;
};

static void bed_done(struct bed *bed)
{
	pw_composites_free(&bed->composites);
	pw_arena_free(&bed->arena);
}

static void bed_init(struct bed *bed)
{
	static const int32_t points[] = { 3000, 2000, -1000, 1000 };

	pw_weights_default(&weights);
	for (size_t i = 0; i < PW_LEN(letters); i++)
		weights.symbols[letters[i].symbol].weight_milli = points[i];
	assert_int_equal(
		pw_weights_own(&weights, PW_STR("C"), PW_STR("own"), &bed->symbol),
		PW_OK);
	weights.symbols[bed->symbol].weight_milli = 5000;
	assert_int_equal(pw_composites_name(&weights, PW_STR("C")), PW_OK);
	assert_int_equal(pw_composites_new(&bed->composites), PW_OK);
	assert_int_equal(pw_arena_new(&bed->arena, 0), PW_OK);
}

static void add(struct bed *bed, const char *expression, const char *parts)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	assert_int_equal(pw_composites_add(bed->composites, &weights, PW_STR("C"),
	                                   pw_str_from(expression), pw_str_from(parts),
	                                   &why),
	                 PW_OK);
}

static void apply(struct bed *bed)
{
	int64_t sum = 0;

	pw_composites_apply(bed->composites, &bed->hits, &weights, bed->arena);
	pw_score_decide(&bed->plan, &bed->hits, &weights);
	for (size_t i = 0; i < bed->plan.count; i++)
		if (!bed->plan.lines[i].is_dry_run)
			sum += bed->plan.lines[i].score_milli;
	assert_int_equal(sum, bed->plan.score_milli);
}

static void check_account(void **state)
{
	const struct account_row *row = *state;
	PW_AUTO(bed_done) struct bed bed = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf account = { 0 };

	bed_init(&bed);
	add(&bed, row->expression, row->parts);
	show(&bed.hits, row->shown);
	apply(&bed);
	pw_score_put_account(&account, &bed.plan);
	assert_string_equal(pw_buf_text(&account), row->account);
}

static void what_is_off_is_not_there(void **state)
{
	PW_AUTO(bed_done) struct bed bed = { 0 };

	(void)state;
	bed_init(&bed);
	add(&bed, "SPF_FAIL", "keep");
	weights.symbols[PW_SYM_SPF_FAIL].is_off = true;
	show(&bed.hits, "S");
	apply(&bed);
	assert_false(pw_hits_has(&bed.hits, bed.symbol));
	weights.symbols[PW_SYM_SPF_FAIL].is_off = false;
	weights.symbols[bed.symbol].is_off = true;
	apply(&bed);
	assert_false(pw_hits_has(&bed.hits, bed.symbol));
	weights.symbols[bed.symbol].is_off = false;
	apply(&bed);
	assert_true(pw_hits_has(&bed.hits, bed.symbol));
}

static void dry_runs_change_nothing(void **state)
{
	PW_AUTO(bed_done) struct bed bed = { 0 };

	(void)state;
	bed_init(&bed);
	add(&bed, "SPF_FAIL & DKIM_FAIL", "remove symbol");
	weights.symbols[PW_SYM_SPF_FAIL].is_dry_run = true;
	show(&bed.hits, "SD");
	apply(&bed);
	assert_false(pw_hits_has(&bed.hits, bed.symbol)); /* a part runs dry */
	assert_int_equal(bed.plan.score_milli, 2000);
	weights.symbols[bed.symbol].is_dry_run = true;
	apply(&bed);
	assert_true(pw_hits_has(&bed.hits, bed.symbol)); /* both do */
	assert_int_equal(bed.plan.count, 3);
	assert_int_equal(bed.plan.score_milli, 2000);
}

/* Points that are taken off do not fill the group, and are taken once. */
static void caps_and_two_takers(void **state)
{
	PW_AUTO(bed_done) struct bed bed = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf account = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	unsigned other;

	(void)state;
	bed_init(&bed);
	assert_int_equal(pw_weights_own(&weights, PW_STR("B"), PW_STR("own"), &other),
	                 PW_OK);
	assert_int_equal(pw_composites_name(&weights, PW_STR("B")), PW_OK);
	assert_int_equal(pw_composites_add(bed.composites, &weights, PW_STR("B"),
	                                   PW_STR("SPF_FAIL"), PW_STR("remove weight"),
	                                   &why),
	                 PW_OK);
	add(&bed, "SPF_FAIL & HTTP_TO_IP", "remove weight");
	assert_int_equal(pw_weights_group(&weights, PW_STR("auth"), 1500), PW_OK);
	show(&bed.hits, "SDH");
	apply(&bed);
	pw_score_put_account(&account, &bed.plan);
	assert_string_equal(pw_buf_text(&account),
	                    "3.000 SPF_FAIL\n2.000 DKIM_FAIL\n1.000 HTTP_TO_IP\n"
	                    "0.000 B: SPF_FAIL\n5.000 C: SPF_FAIL HTTP_TO_IP\n"
	                    "-3.000 parts:B\n-1.000 parts:C\n-0.500 cap:auth\n"
	                    "6.500 sum, action add header\n");
}

/* It must not teach Bayes or reputation, which it rests on. */
static void what_rests_on_what_was_learned_says_so(void **state)
{
	static const char *const expressions[] = { "BAYES_SPAM & SPF_FAIL",
		                                   "SPF_FAIL & !REP_IP_HAM",
		                                   "SPF_FAIL | reputation",
		                                   "SPF_FAIL & !DKIM_FAIL" };

	(void)state;
	for (size_t i = 0; i < PW_LEN(expressions); i++) {
		PW_AUTO(bed_done) struct bed bed = { 0 };

		bed_init(&bed);
		add(&bed, expressions[i], "remove weight");
		show(&bed.hits, "S");
		pw_hits_add(&bed.hits, PW_SYM_BAYES_SPAM, 1000, PW_STR(""));
		apply(&bed);
		assert_int_equal(bed.plan.count, 4);
		assert_false(bed.plan.lines[0].is_learned);
		assert_int_equal(bed.plan.lines[2].is_learned, i != 3);
		assert_true(bed.plan.lines[3].is_parts);
		assert_int_equal(bed.plan.lines[3].is_learned, i != 3);
	}
}

static void a_symbol_is_needed(void **state)
{
	PW_AUTO(bed_done) struct bed bed = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	size_t before;
	unsigned symbol;

	(void)state;
	bed_init(&bed);
	before = pw_composites_count(bed.composites);
	assert_int_equal(pw_composites_name(&weights, PW_STR("NO_SUCH")), PW_ERR_SYNTAX);
	assert_int_equal(pw_composites_name(&weights, PW_STR("SPF_FAIL")), PW_ERR_SYNTAX);
	assert_int_equal(pw_weights_own(&weights, PW_STR("RULE"), PW_STR("own"), &symbol),
	                 PW_OK);
	assert_int_equal(pw_composites_add(bed.composites, &weights, PW_STR("RULE"),
	                                   PW_STR("SPF_FAIL"), PW_STR("keep"), &why),
	                 PW_ERR_SYNTAX);
	assert_string_equal(pw_buf_text(&why), "no symbol for it");
	pw_buf_reset(&why);
	assert_int_equal(pw_composites_add(bed.composites, &weights, PW_STR("C"),
	                                   PW_STR("SPF_FAIL"), PW_STR("Keep"), &why),
	                 PW_ERR_SYNTAX);
	assert_string_equal(pw_buf_text(&why),
	                    "parts: keep, remove weight or remove symbol");
	assert_int_equal(pw_composites_count(bed.composites), before);
}

/* Where a message shows no more own symbols, a composite that finds no room takes
 * nothing.
 */
static void own_symbols_have_their_limit(void **state)
{
	static char names[PW_HITS_OWN_MAX][16];
	PW_AUTO(bed_done) struct bed bed = { 0 };
	unsigned symbol;

	(void)state;
	bed_init(&bed);
	add(&bed, "SPF_FAIL", "remove symbol");
	show(&bed.hits, "SMD");
	for (unsigned i = 0; i < PW_HITS_OWN_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "OWN_%u", i);
		assert_int_equal(pw_weights_own(&weights, pw_str_from(names[i]),
		                                PW_STR("own"), &symbol),
		                 PW_OK);
		pw_hits_add(&bed.hits, symbol, 1000, PW_STR(""));
	}
	apply(&bed);
	assert_true(bed.hits.is_cut);
	assert_true(pw_hits_has(&bed.hits, PW_SYM_SPF_FAIL));
	assert_true(pw_hits_has(&bed.hits, PW_SYM_LIST_FORGIVEN)); /* built in */
	assert_false(pw_hits_has(&bed.hits, PW_SYM_DKIM_FAIL));
}

/* Of each symbol of the list, so that its case near by is there. */
static void lists_are_forgiven_and_others_are_not(void **state)
{
	static const enum pw_symbol parts[] = { PW_SYM_DKIM_FAIL, PW_SYM_FORGED_SENDER,
		                                PW_SYM_FORGED_MUA,
		                                PW_SYM_REPLYTO_DIFF_DOMAIN };

	(void)state;
	for (size_t i = 0; i < PW_LEN(parts); i++) {
		PW_AUTO(bed_done) struct bed bed = { 0 };

		bed_init(&bed);
		pw_hits_add(&bed.hits, parts[i], 1000, PW_STR(""));
		apply(&bed);
		assert_false(pw_hits_has(&bed.hits, PW_SYM_LIST_FORGIVEN));
		assert_true(pw_hits_has(&bed.hits, parts[i]));
		pw_hits_add(&bed.hits, PW_SYM_MAILLIST, 1000, PW_STR(""));
		apply(&bed);
		assert_true(pw_hits_has(&bed.hits, PW_SYM_LIST_FORGIVEN));
		assert_true(pw_hits_has(&bed.hits, PW_SYM_MAILLIST));
		assert_false(pw_hits_has(&bed.hits, parts[i]));
	}
}

int main(void)
{
	struct CMUnitTest
		tests[PW_LEN(expr_rows) + PW_LEN(bad_rows) + PW_LEN(account_rows) + 8] = {
			cmocka_unit_test(as_large_as_it_may_be),
			cmocka_unit_test(what_is_off_is_not_there),
			cmocka_unit_test(dry_runs_change_nothing),
			cmocka_unit_test(caps_and_two_takers),
			cmocka_unit_test(what_rests_on_what_was_learned_says_so),
			cmocka_unit_test(a_symbol_is_needed),
			cmocka_unit_test(own_symbols_have_their_limit),
			cmocka_unit_test(lists_are_forgiven_and_others_are_not),
		};

	PW_TABLE_TESTS(tests, 8, expr_rows, check_expr);
	PW_TABLE_TESTS(tests, 8 + PW_LEN(expr_rows), bad_rows, check_bad);
	PW_TABLE_TESTS(tests, 8 + PW_LEN(expr_rows) + PW_LEN(bad_rows), account_rows,
	               check_account);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
