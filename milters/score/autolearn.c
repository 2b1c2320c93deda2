#include "score/autolearn.h"

#include "core/score_text.h"

struct account {
	int64_t score_milli; /* without Bayes */
	int32_t worst_milli; /* of one symbol */
	bool groups[PW_GROUPS];
};

static bool symbol_of(const struct pw_score_line *line, enum pw_symbol *out)
{
	for (size_t i = 0; i < PW_SYMBOLS; i++)
		if (pw_str_eq(line->name,
		              pw_str_from(pw_symbol_text((enum pw_symbol)i)))) {
			*out = (enum pw_symbol)i;
			return true;
		}
	return false;
}

static void add_symbol(struct account *a, enum pw_symbol symbol, int32_t score_milli)
{
	enum pw_group group = pw_symbol_group(symbol);

	if (group == PW_GRP_bayes || group == PW_GRP_reputation)
		return;
	a->score_milli += score_milli;
	if (score_milli > a->worst_milli)
		a->worst_milli = score_milli;
	if (score_milli > 0 && group != PW_GRP_composite) /* says nothing new */
		a->groups[group] = true;
}

/* What was learned from messages like these must not teach itself. */
static bool is_learned_group(struct pw_str name)
{
	return pw_str_eq(name, pw_str_from(pw_group_text(PW_GRP_bayes))) ||
	       pw_str_eq(name, pw_str_from(pw_group_text(PW_GRP_reputation)));
}

static struct account draw_up(const struct pw_score_plan *plan)
{
	struct account a = { 0 };

	for (size_t i = 0; i < plan->count; i++) {
		const struct pw_score_line *line = &plan->lines[i];
		enum pw_symbol symbol;

		if (line->is_dry_run || line->is_learned)
			continue;
		if (!line->is_cap && !line->is_parts && symbol_of(line, &symbol))
			add_symbol(&a, symbol, line->score_milli);
		else if (!is_learned_group(line->name))
			a.score_milli += line->score_milli;
	}
	return a;
}

static size_t count_groups(const struct account *a)
{
	size_t n = 0;

	for (size_t i = 0; i < PW_GROUPS; i++)
		n += a->groups[i];
	return n;
}

static bool is_authenticated(const struct pw_verdict *v)
{
	return v->has_auth &&
	       (v->auth.dmarc.result == PW_DMARC_PASS || v->auth.is_dkim_aligned);
}

enum autolearn autolearn_decide(const struct pw_verdict *v)
{
	struct account a = draw_up(&v->plan);
	enum pw_bayes_verdict bayes =
		v->bayes != NULL ? v->bayes->verdict : PW_BAYES_SILENT;

	if (v->tokens == NULL)
		return AUTOLEARN_NOTHING;
	if (a.score_milli >= AUTOLEARN_SPAM_MILLI &&
	    count_groups(&a) >= AUTOLEARN_GROUPS_MIN && bayes != PW_BAYES_HAM)
		return AUTOLEARN_SPAM;
	if (a.score_milli <= AUTOLEARN_HAM_MILLI &&
	    a.worst_milli <= AUTOLEARN_HAM_MARK_MILLI && is_authenticated(v) &&
	    bayes != PW_BAYES_SPAM)
		return AUTOLEARN_HAM;
	return AUTOLEARN_NOTHING;
}
