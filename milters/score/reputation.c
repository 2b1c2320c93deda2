#include "score/reputation.h"

#include "core/json.h"
#include "core/score_text.h"

/* Of reputation's own: a symbol of its group, the cap of that, or what may be made of it.
 */
static bool is_own(const struct pw_score_line *line)
{
	struct pw_str group = pw_str_from(pw_group_text(PW_GRP_reputation));

	if (line->is_learned)
		return true;

	return line->is_cap ? pw_str_eq(line->name, group)
	                    : pw_str_starts(line->name, PW_STR("REP_"));
}

static int64_t score_without(const struct pw_score_plan *plan)
{
	int64_t score_milli = 0;

	for (size_t i = 0; i < plan->count; i++)
		if (!plan->lines[i].is_dry_run && !is_own(&plan->lines[i]))
			score_milli += plan->lines[i].score_milli;
	return score_milli;
}

static void put_sources(struct pw_buf *out, const struct pw_reputation *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

		pw_reputation_put(&text, &sources->at[i]);
		if (i > 0)
			pw_buf_puts(out, PW_STR(", "));
		pw_json_put_string(out, pw_buf_str(&text));
	}
}

enum pw_status reputation_put(struct pw_buf *out, const struct pw_verdict *v)
{
	const struct pw_field *id = pw_message_find(v->message, "Message-ID");
	enum pw_reputation_verdict verdict =
		v->is_unread ? PW_REPUTATION_DOUBT
			     : pw_reputation_judge(score_without(&v->plan),
	                                           v->plan.required_milli);

	if (v->sources == NULL || v->sources->count == 0)
		return PW_ERR_NOTFOUND;
	pw_buf_puts(out, PW_STR("{\"message_id\": "));
	pw_json_put_string(out, id != NULL ? id->text : PW_STR(""));
	pw_buf_printf(out, ", \"verdict\": \"%s\", \"sources\": [",
	              pw_reputation_verdict_text(verdict));
	put_sources(out, v->sources);
	pw_buf_puts(out, PW_STR("]}"));
	return pw_buf_status(out);
}
