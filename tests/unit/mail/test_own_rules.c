#include "../table.h"

#include <string.h>

#include "core/pack.h"
#include "mail/judge.h"
#include "mail/reading.h"

#define NAME(text)                                                                       \
	{                                                                                \
		text, sizeof(text) - 1                                                   \
	}

static const struct pw_own_rule good = { NAME("DUCKS"), NAME("body"), NAME(""),
	                                 NAME("\\bseven ducks\\b"), NAME("i") };

/* Rules that are left out, and what is said of them. */
struct bad_row {
	const char *label;
	struct pw_own_rule rule;
	const char *why;
};

static struct bad_row bad_rows[] = {
	{ "a kind of tomorrow",
	  { NAME("DUCKS"), NAME("smell"), NAME(""), NAME("x"), NAME("") },
	  "no such kind" },
	{ "a header without a field",
	  { NAME("DUCKS"), NAME("header"), NAME(""), NAME("x"), NAME("") },
	  "which field" },
	{ "the name of a built-in symbol",
	  { NAME("SPF_FAIL"), NAME("body"), NAME(""), NAME("x"), NAME("") },
	  "built-in symbol" },
	{ "no symbol",
	  { NAME("GEESE"), NAME("body"), NAME(""), NAME("x"), NAME("") },
	  "symbols" },
	{ "no pattern",
	  { NAME("DUCKS"), NAME("body"), NAME(""), NAME("["), NAME("") },
	  "missing terminating ]" },
};

struct bed {
	struct pw_weights weights;
	struct pw_own_rules *rules;
	struct pw_arena *arena;
	unsigned ducks, other;
};

static void open_bed(struct bed *bed)
{
	pw_weights_default(&bed->weights);
	assert_int_equal(pw_own_rules_new(&bed->rules), PW_OK);
	assert_int_equal(pw_arena_new(&bed->arena, PW_MESSAGE_ARENA_MAX), PW_OK);
	assert_int_equal(
		pw_weights_own(&bed->weights, good.name, PW_STR("own"), &bed->ducks),
		PW_OK);
	assert_int_equal(pw_weights_own(&bed->weights, PW_STR("OTHER"), PW_STR("own"),
	                                &bed->other),
	                 PW_OK);
}

static void close_bed(struct bed *bed)
{
	pw_own_rules_free(&bed->rules);
	pw_arena_free(&bed->arena);
}

static void check_bad(void **state)
{
	const struct bad_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	static struct bed bed;

	open_bed(&bed);
	assert_int_not_equal(pw_own_rules_add(bed.rules, &bed.weights, &row->rule, &why),
	                     PW_OK);
	if (strstr(pw_buf_text(&why), row->why) == NULL)
		fail_msg("\"%s\"", pw_buf_text(&why));
	assert_int_equal(pw_own_rules_count(bed.rules), 0);
	assert_false(bed.weights.symbols[bed.ducks].is_of_rule);
	close_bed(&bed);
}

static void answer_with(struct pw_buf *out, const char *name)
{
	/* as mail/reading.c packs it: hits, rules given up, tokens, links */
	static const char *const parts[] = { "hits", "given up" };

	for (size_t i = 0; i < PW_LEN(parts); i++) {
		if (i > 0)
			pw_pack_int(out, 1);
		pw_pack_int(out, 1);
		if (i == 0)
			pw_pack_int(out, -1);
		pw_pack_str(out, pw_str_from(name));
		if (i == 0) {
			pw_pack_int(out, 1000);
			pw_pack_str(out, PW_STR("seen"));
		}
	}
	pw_pack_int(out, 0);
	pw_pack_int(out, 0);
}

/* A reader that was taken over names symbols as it likes. */
static void readers_fire_own_rules_alone(void **state)
{
	static const char *const names[] = { "DUCKS", "OTHER", "SPF_PASS", "NOWHERE" };
	static struct bed bed;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	(void)state;
	open_bed(&bed);
	assert_int_equal(pw_own_rules_add(bed.rules, &bed.weights, &good, &why), PW_OK);
	for (size_t i = 0; i < PW_LEN(names); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf answer = { 0 };
		static struct pw_hits hits;
		struct pw_rules_limited limited = { 0 };
		struct pw_reading reading = { .hits = &hits,
			                      .weights = &bed.weights,
			                      .limited = &limited };

		hits = (struct pw_hits){ 0 };
		answer_with(&answer, names[i]);
		assert_int_equal(
			pw_reading_take(&reading, bed.arena, pw_buf_str(&answer)), PW_OK);
		assert_int_equal(hits.count, i == 0);
		assert_int_equal(limited.count, i == 0);
	}
	close_bed(&bed);
}

/* However many rules run away, a message is done with. */
static void many_that_run_away_end(void **state)
{
	static struct bed bed;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 }, body = { 0 };
	static char names[100][8];
	static struct pw_hits hits;
	struct pw_rules_limited limited = { 0 };
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;
	struct pw_envelope envelope = { .has_sender = true };
	struct pw_check check;

	(void)state;
	open_bed(&bed);
	for (size_t i = 0; i < PW_LEN(names); i++) {
		struct pw_own_rule slow = { NAME(""), NAME("raw body"), NAME(""),
			                    NAME("\\w+\\d"), NAME("") };
		unsigned symbol;

		(void)snprintf(names[i], sizeof(names[i]), "SLOW%zu", i);
		slow.name = pw_str_from(names[i]);
		assert_int_equal(
			pw_weights_own(&bed.weights, slow.name, PW_STR("own"), &symbol),
			PW_OK);
		assert_int_equal(pw_own_rules_add(bed.rules, &bed.weights, &slow, &why),
		                 PW_OK);
	}
	for (size_t i = 0; i < 1000000; i++)
		pw_buf_putc(&body, 'a');
	assert_int_equal(pw_message_new(&m, bed.arena), PW_OK);
	assert_int_equal(pw_message_eoh(m), PW_OK);
	assert_int_equal(pw_message_body(m, pw_buf_str(&body)), PW_OK);
	assert_int_equal(pw_message_end(m), PW_OK);
	hits = (struct pw_hits){ 0 };
	check = (struct pw_check){ .message = m,
		                   .envelope = &envelope,
		                   .own_rules = bed.rules,
		                   .limited = &limited,
		                   .arena = bed.arena,
		                   .hits = &hits };
	pw_check_own_rules(&check);
	assert_int_equal(hits.count, 0);
	assert_int_equal(limited.count, PW_RULES_LIMITED_MAX);
	assert_int_equal(limited.total, PW_LEN(names));
	pw_message_done(&m);
	close_bed(&bed);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(bad_rows) + 2] = {
		cmocka_unit_test(readers_fire_own_rules_alone),
		cmocka_unit_test(many_that_run_away_end),
	};

	PW_TABLE_TESTS(tests, 2, bad_rows, check_bad);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
