#include "score/answer.h"

#include "core/score_text.h"
#include "score/settings.h"

void answer_done(struct answer *answer)
{
	pw_buf_done(&answer->text);
	pw_buf_done(&answer->results);
	pw_buf_done(&answer->score);
	pw_buf_done(&answer->status);
}

static bool is_refused_by_dmarc(const struct pw_verdict *v)
{
	return v->has_auth && v->auth.dmarc.result == PW_DMARC_FAIL &&
	       v->auth.dmarc.disposition == PW_DMARC_P_REJECT && v->auth.voucher.len == 0;
}

static void decide_kind(struct answer *out, const struct answer_input *in)
{
	if (is_refused_by_dmarc(in->verdict)) {
		out->dmarc_dry_run = in->dmarc_reject == DMARC_REJECT_DRY_RUN;
		if (in->dmarc_reject == DMARC_REJECT) {
			out->kind = ANSWER_DMARC_REJECT;
			pw_buf_puts(&out->text, PW_STR("Rejected: the DMARC policy of "));
			pw_buf_puts(&out->text, in->verdict->auth.dmarc.domain);
			pw_buf_puts(&out->text, PW_STR(" does not allow mail like this"));
			return;
		}
	}
	if (in->verdict->plan.action == PW_ACTION_REJECT) {
		out->kind = ANSWER_REJECT;
		pw_buf_puts(&out->text,
		            in->verdict->virus.len > 0
		                    ? PW_STR("Rejected: this message carries a virus")
		                    : PW_STR("Rejected: this message looks like spam"));
	}
}

static void add_field(struct answer *out, const char *name, const char *value)
{
	out->edits[out->edit_count++] = (struct kit_edit){ KIT_INSERT, 1, name, value };
}

static void remove_forged(struct answer *out, const struct forged *forged)
{
	for (size_t i = 0; i < forged->count; i++)
		out->edits[out->edit_count++] =
			(struct kit_edit){ KIT_DELETE, forged->fields[i].index,
			                   forged->fields[i].name, NULL };
}

static void add_ours(struct answer *out, const struct answer_input *in)
{
	const struct pw_verdict *v = in->verdict;

	if (in->login.len > 0)
		return;
	pw_auth_put_results(&out->results, &v->auth, in->authserv_id,
	                    v->message->has_from ? v->message->from.domain : PW_STR(""),
	                    in->login);
	pw_milli_put(&out->score, v->plan.score_milli);
	pw_score_put_status(&out->status, &v->plan);
	add_field(out, "Authentication-Results", pw_buf_text(&out->results));
	if (v->plan.action >= PW_ACTION_ADD_HEADER)
		add_field(out, "X-Spam", "Yes");
	add_field(out, "X-Spam-Score", pw_buf_text(&out->score));
	add_field(out, "X-Spam-Status", pw_buf_text(&out->status));
}

enum pw_status answer_unjudged(struct answer *out, struct pw_arena *arena,
                               const struct forged *forged)
{
	*out = (struct answer){ .kind = ANSWER_ACCEPT };
	if (forged->is_cut)
		return PW_ERR_NOMEM;
	if (forged->count == 0)
		return PW_OK;
	out->edits = pw_arena_array(arena, forged->count, sizeof(*out->edits));
	if (out->edits == NULL)
		return PW_ERR_NOMEM;
	remove_forged(out, forged);
	return PW_OK;
}

enum pw_status answer_decide(struct answer *out, struct pw_arena *arena,
                             const struct answer_input *in)
{
	const struct pw_buf *texts[] = { &out->text, &out->results, &out->score,
		                         &out->status };

	*out = (struct answer){ .kind = ANSWER_ACCEPT };
	decide_kind(out, in);
	if (out->kind != ANSWER_ACCEPT)
		return pw_buf_status(&out->text);
	out->edits = pw_arena_array(arena, in->forged->count + ANSWER_ADDED_MAX,
	                            sizeof(*out->edits));
	if (out->edits == NULL)
		return PW_ERR_NOMEM;
	remove_forged(out, in->forged);
	add_ours(out, in);
	for (size_t i = 0; i < PW_LEN(texts); i++)
		if (pw_buf_status(texts[i]) != PW_OK)
			return pw_buf_status(texts[i]);
	return PW_OK;
}
