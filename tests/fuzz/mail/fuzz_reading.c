/* First byte odd: the rest is what a reader that was taken over answers: it can fire
 * nothing but symbols of content and of own rules. Even: the rest is a message, and read
 * elsewhere it is judged as it is here, by own rules, too, and known by the same tokens.
 */
#include <stdlib.h>
#include <string.h>

#include "core/header.h"
#include "mail/judge.h"
#include "mail/reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* For tables, where PW_STR is no constant. */
#define S(text)                                                                          \
	{                                                                                \
		text, sizeof(text) - 1                                                   \
	}

static struct pw_arena *arenas[3];
static struct pw_psl *psl;
static struct pw_weights weights;
static struct pw_own_rules *rules;
static unsigned foreign; /* an own symbol that is of no rule */

static void must(bool claim)
{
	if (!claim)
		abort();
}

static enum pw_status read_elsewhere(void *reader, struct pw_str job,
                                     struct pw_buf *answer_out)
{
	struct pw_check context = { .psl = psl, .arena = arenas[2], .own_rules = rules };

	(void)reader;
	pw_arena_reset(arenas[2]);
	return pw_reading_do_job(answer_out, job, &context, &weights);
}

/* Nobody knows anything: then the tokens are made, and that is all. */
static bool recall(void *memory, const struct pw_envelope *envelope,
                   const struct pw_tokens *tokens, struct pw_bayes_counts *out)
{
	(void)memory, (void)envelope, (void)tokens, (void)out;
	return false;
}

static void judge_it(struct pw_judge **judge, struct pw_verdict *verdict,
                     struct pw_arena *arena, const struct pw_judge_tools *tools,
                     const struct pw_envelope *envelope, struct pw_str body)
{
	struct pw_header field;

	pw_arena_reset(arena);
	must(pw_judge_new(judge, arena, tools, envelope, 1795249800000) == PW_OK);
	while (pw_header_next(&body, &field))
		must(pw_judge_header(*judge, field.name, field.value) == PW_OK);
	must(pw_judge_eoh(*judge, false) == PW_OK);
	must(pw_judge_body(*judge, body) == PW_OK);
	must(pw_judge_end(*judge, &weights, 0, verdict) == PW_OK);
}

static const struct pw_score_line *find(const struct pw_score_plan *plan,
                                        struct pw_str name)
{
	for (size_t i = 0; i < plan->count; i++)
		if (pw_str_eq(plan->lines[i].name, name))
			return &plan->lines[i];
	return NULL;
}

static void check_message(struct pw_str text)
{
	static struct pw_verdict here, there;
	PW_AUTO(pw_judge_free) struct pw_judge *first = NULL;
	PW_AUTO(pw_judge_free) struct pw_judge *second = NULL;
	struct pw_envelope envelope = { .has_sender = true };
	struct pw_judge_tools tools = { .psl = psl,
		                        .recall = recall,
		                        .own_rules = rules };

	judge_it(&first, &here, arenas[0], &tools, &envelope, text);
	must(here.tokens != NULL);
	tools.read = read_elsewhere;
	judge_it(&second, &there, arenas[1], &tools, &envelope, text);
	must(here.plan.count == there.plan.count);
	must(here.tokens->count == there.tokens->count);
	must(memcmp(here.tokens->at, there.tokens->at,
	            here.tokens->count * sizeof(here.tokens->at[0])) == 0);
	must(here.plan.score_milli == there.plan.score_milli);
	must(here.limited->total == there.limited->total);
	for (size_t i = 0; i < here.plan.count; i++) {
		const struct pw_score_line *a = &here.plan.lines[i];
		const struct pw_score_line *b = find(&there.plan, a->name);

		must(b != NULL && a->score_milli == b->score_milli);
		must(pw_str_eq(a->evidence, b->evidence));
	}
}

static void check_answer(struct pw_str answer)
{
	static struct pw_hits hits;
	static struct pw_tokens tokens;
	static struct pw_links links;
	struct pw_rules_limited limited = { 0 };
	struct pw_reading reading = { &hits, &weights, &tokens, &links, &limited };

	hits = (struct pw_hits){ 0 };
	tokens = (struct pw_tokens){ 0 };
	links = (struct pw_links){ 0 };
	pw_arena_reset(arenas[0]);
	(void)!pw_reading_take(&reading, arenas[0], answer);
	must(tokens.count <= PW_TOKENS_MAX && links.count <= PW_LINKS_MAX);
	for (size_t i = 0; i < hits.count; i++) {
		unsigned symbol = hits.at[i].symbol;

		must(symbol < PW_SYMBOLS
		             ? pw_checks_is_of_content((enum pw_symbol)symbol)
		             : weights.symbols[symbol].is_of_rule && symbol != foreign);
		must(hits.at[i].factor_milli >= 0 && hits.at[i].factor_milli <= 1000);
		must(hits.at[i].evidence.len <= PW_EVIDENCE_MAX);
	}
}

static void add_rules(void)
{
	static const struct pw_own_rule own[] = {
		{ S("OWN_A"), S("body"), S(""), S("(?<=f)o+\\b"), S("i") },
		{ S("OWN_B"), S("header"), S("To"), S("@[a-z]+"), S("iu") },
		{ S("OWN_C"), S("url"), S(""), S("^http.*\\d+$"), S("") },
		{ S("OWN_D"), S("raw header"), S(""), S("^\\S+:.*?\\w+\\d$"), S("m") },
		{ S("OWN_E"), S("attachment"), S(""), S("."), S("") },
	};
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	unsigned symbol;

	must(pw_own_rules_new(&rules) == PW_OK);
	for (size_t i = 0; i < PW_LEN(own); i++) {
		must(pw_weights_own(&weights, own[i].name, PW_STR("own"), &symbol) ==
		     PW_OK);
		must(pw_own_rules_add(rules, &weights, &own[i], &why) == PW_OK);
	}
	must(pw_weights_own(&weights, PW_STR("FOREIGN"), PW_STR("own"), &foreign) ==
	     PW_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (arenas[0] == NULL) {
		for (size_t i = 0; i < PW_LEN(arenas); i++)
			must(pw_arena_new(&arenas[i], PW_MESSAGE_ARENA_MAX) == PW_OK);
		must(pw_psl_new(&psl) == PW_OK);
		pw_weights_default(&weights);
		add_rules();
	}
	if (size > 0 && data[0] % 2 == 0)
		check_message((struct pw_str){ (const char *)data + 1, size - 1 });
	else if (size > 0)
		check_answer((struct pw_str){ (const char *)data + 1, size - 1 });
	return 0;
}
