/* Any bytes get an answer: a message is read, checked and scored, the sum is the sum of
 * its lines, and no evidence lies outside of what was read. */
#include <stdlib.h>
#include <string.h>

#include "core/header.h"
#include "mail/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void feed(struct pw_judge *judge, struct pw_str body)
{
	struct pw_header field;

	while (pw_header_next(&body, &field))
		must(pw_judge_header(judge, field.name, field.value) == PW_OK);
	must(pw_judge_eoh(judge, false) == PW_OK);
	must(pw_judge_body(judge, pw_str_sub(body, 0, body.len / 2)) == PW_OK);
	must(pw_judge_body(judge, pw_str_sub(body, body.len / 2, body.len)) == PW_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pw_arena *arena;
	static struct pw_psl *psl;
	static struct pw_weights weights;
	PW_AUTO(pw_judge_free) struct pw_judge *judge = NULL;
	struct pw_envelope envelope = { 0 };
	struct pw_judge_tools tools = { 0 };
	static struct pw_verdict verdict;
	int64_t sum = 0;

	if (arena == NULL) {
		must(pw_arena_new(&arena, PW_MESSAGE_ARENA_MAX) == PW_OK);
		must(pw_psl_new(&psl) == PW_OK);
		pw_weights_default(&weights);
	}
	pw_arena_reset(arena);
	tools.psl = psl;
	must(pw_judge_new(&judge, arena, &tools, &envelope, 1795249800000) == PW_OK);
	feed(judge, (struct pw_str){ (const char *)data, size });
	must(pw_judge_end(judge, &weights, 0, &verdict) == PW_OK);
	for (size_t i = 0; i < verdict.plan.count; i++) {
		const struct pw_score_line *line = &verdict.plan.lines[i];
		char copy[PW_EVIDENCE_MAX];

		sum += line->is_dry_run ? 0 : line->score_milli;
		must(line->evidence.len <= sizeof(copy));
		if (line->evidence.len > 0)
			memcpy(copy, line->evidence.at, line->evidence.len);
	}
	must(sum == verdict.plan.score_milli);
	return 0;
}
