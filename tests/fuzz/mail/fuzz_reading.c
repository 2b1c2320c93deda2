/* First byte odd: the rest is what a reader that was taken over answers: it can fire
 * nothing but symbols of content. Even: the rest is a message, and read elsewhere it is
 * judged as it is here, and known by the same tokens. */
#include <stdlib.h>
#include <string.h>

#include "core/header.h"
#include "mail/judge.h"
#include "mail/reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pw_arena *arenas[3];
static struct pw_psl *psl;
static struct pw_weights weights;

static void must(bool claim)
{
	if (!claim)
		abort();
}

static enum pw_status read_elsewhere(void *reader, struct pw_str job,
                                     struct pw_buf *answer_out)
{
	struct pw_check context = { .psl = psl, .arena = arenas[2] };

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
	struct pw_judge_tools tools = { .psl = psl, .recall = recall };

	judge_it(&first, &here, arenas[0], &tools, &envelope, text);
	must(here.tokens != NULL);
	tools.read = read_elsewhere;
	judge_it(&second, &there, arenas[1], &tools, &envelope, text);
	must(here.plan.count == there.plan.count);
	must(here.tokens->count == there.tokens->count);
	must(memcmp(here.tokens->at, there.tokens->at,
	            here.tokens->count * sizeof(here.tokens->at[0])) == 0);
	must(here.plan.score_milli == there.plan.score_milli);
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
	struct pw_reading reading = { &hits, &weights, &tokens, &links };

	hits = (struct pw_hits){ 0 };
	tokens = (struct pw_tokens){ 0 };
	links = (struct pw_links){ 0 };
	pw_arena_reset(arenas[0]);
	(void)!pw_reading_take(&reading, arenas[0], answer);
	must(tokens.count <= PW_TOKENS_MAX && links.count <= PW_LINKS_MAX);
	for (size_t i = 0; i < hits.count; i++) {
		must(hits.at[i].symbol < PW_SYMBOLS);
		must(pw_checks_is_of_content((enum pw_symbol)hits.at[i].symbol));
		must(hits.at[i].factor_milli >= 0 && hits.at[i].factor_milli <= 1000);
		must(hits.at[i].evidence.len <= PW_EVIDENCE_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (arenas[0] == NULL) {
		for (size_t i = 0; i < PW_LEN(arenas); i++)
			must(pw_arena_new(&arenas[i], PW_MESSAGE_ARENA_MAX) == PW_OK);
		must(pw_psl_new(&psl) == PW_OK);
		pw_weights_default(&weights);
	}
	if (size > 0 && data[0] % 2 == 0)
		check_message((struct pw_str){ (const char *)data + 1, size - 1 });
	else if (size > 0)
		check_answer((struct pw_str){ (const char *)data + 1, size - 1 });
	return 0;
}
