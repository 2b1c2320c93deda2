#include "core/score.h"

#include <string.h>

#include "core/score_text.h"

static const struct {
	int32_t weight_milli;
	enum pw_group group;
} symbols[PW_SYMBOLS] = {
#define PW_SYMBOL(name, group, weight_milli, help) { weight_milli, PW_GRP_##group },
#include "core/symbols.def"
};

static const int32_t group_max_milli[PW_GROUPS] = {
#define PW_GROUP(name, max_milli, help) max_milli,
#include "core/symbols.def"
};

enum pw_group pw_symbol_group(enum pw_symbol symbol)
{
	return symbols[symbol].group;
}

void pw_weights_default(struct pw_weights *out)
{
	*out = (struct pw_weights){ 0 };
	for (size_t i = 0; i < PW_SYMBOLS; i++) {
		out->symbols[i].name = pw_str_from(pw_symbol_text((enum pw_symbol)i));
		out->symbols[i].weight_milli = symbols[i].weight_milli;
		out->symbols[i].group = symbols[i].group;
		out->symbols[i].is_composite = symbols[i].group == PW_GRP_composite;
	}
	for (size_t i = 0; i < PW_GROUPS; i++) {
		out->group_names[i] = pw_str_from(pw_group_text((enum pw_group)i));
		out->group_max_milli[i] = group_max_milli[i];
	}
	out->symbol_count = PW_SYMBOLS;
	out->group_count = PW_GROUPS;
	out->actions[PW_ACTION_ADD_HEADER].threshold_milli = 6000;
	out->actions[PW_ACTION_ADD_HEADER].is_on = true;
	out->actions[PW_ACTION_REJECT].threshold_milli = 15000;
	out->actions[PW_ACTION_REJECT].is_on = true;
}

static bool in_range(int64_t milli)
{
	return milli >= -PW_SCORE_MAX_MILLI && milli <= PW_SCORE_MAX_MILLI;
}

enum pw_status pw_weights_find(const struct pw_weights *w, struct pw_str name,
                               unsigned *symbol_out)
{
	for (unsigned i = 0; i < w->symbol_count; i++) {
		if (!pw_str_eq_nocase(name, w->symbols[i].name))
			continue;
		*symbol_out = i;
		return PW_OK;
	}
	return PW_ERR_NOTFOUND;
}

enum pw_status pw_weights_find_group(const struct pw_weights *w, struct pw_str name,
                                     unsigned *group_out)
{
	for (unsigned i = 0; i < w->group_count; i++) {
		if (!pw_str_eq_nocase(name, w->group_names[i]))
			continue;
		*group_out = i;
		return PW_OK;
	}
	return PW_ERR_NOTFOUND;
}

enum pw_status pw_weights_own(struct pw_weights *w, struct pw_str name,
                              struct pw_str group, unsigned *symbol_out)
{
	unsigned g;

	if (pw_weights_find(w, name, symbol_out) == PW_OK)
		return PW_OK;
	if (w->symbol_count == PW_SYMBOLS_ALL)
		return PW_ERR_LIMIT;
	if (pw_weights_find_group(w, group, &g) != PW_OK) {
		if (w->group_count == PW_GROUPS_ALL)
			return PW_ERR_LIMIT;
		g = (unsigned)w->group_count++;
		w->group_names[g] = group;
		w->group_max_milli[g] = PW_SCORE_MAX_MILLI;
	}
	*symbol_out = (unsigned)w->symbol_count++;
	w->symbols[*symbol_out].name = name;
	w->symbols[*symbol_out].group = g;
	return PW_OK;
}

enum pw_status pw_weights_symbol(struct pw_weights *w, struct pw_str name,
                                 int64_t weight_milli, bool is_on, bool is_dry_run)
{
	unsigned symbol;
	enum pw_status r;

	if (!in_range(weight_milli))
		return PW_ERR_RANGE;
	if ((r = pw_weights_find(w, name, &symbol)) != PW_OK)
		return r;
	w->symbols[symbol].weight_milli = (int32_t)weight_milli;
	w->symbols[symbol].is_off = !is_on;
	w->symbols[symbol].is_dry_run = is_dry_run;
	return PW_OK;
}

enum pw_status pw_weights_group(struct pw_weights *w, struct pw_str name,
                                int64_t max_milli)
{
	unsigned group;
	enum pw_status r;

	if (max_milli < 0 || !in_range(max_milli))
		return PW_ERR_RANGE;
	if ((r = pw_weights_find_group(w, name, &group)) != PW_OK)
		return r;
	w->group_max_milli[group] = (int32_t)max_milli;
	return PW_OK;
}

enum pw_status pw_weights_action(struct pw_weights *w, struct pw_str name,
                                 int64_t threshold_milli, bool is_dry_run)
{
	if (!in_range(threshold_milli))
		return PW_ERR_RANGE;
	for (size_t i = PW_ACTION_NONE + 1; i < PW_ACTIONS; i++) {
		if (!pw_str_eq_nocase(name,
		                      pw_str_from(pw_action_text((enum pw_action)i))))
			continue;
		w->actions[i].threshold_milli = (int32_t)threshold_milli;
		w->actions[i].is_on = true;
		w->actions[i].is_dry_run = is_dry_run;
		return PW_OK;
	}
	return PW_ERR_NOTFOUND;
}

static struct pw_hit *find(struct pw_hits *hits, unsigned symbol)
{
	for (size_t i = 0; i < hits->count; i++)
		if (hits->at[i].symbol == symbol)
			return &hits->at[i];
	return NULL;
}

void pw_hits_add(struct pw_hits *hits, unsigned symbol, int32_t factor_milli,
                 struct pw_str evidence)
{
	struct pw_hit *hit = find(hits, symbol);

	if (hit != NULL && hit->factor_milli >= factor_milli)
		return;
	if (hit == NULL && symbol >= PW_SYMBOLS && hits->own_count == PW_HITS_OWN_MAX) {
		hits->is_cut = true;
		return;
	}
	if (hit == NULL) {
		hit = &hits->at[hits->count++];
		hits->own_count += symbol >= PW_SYMBOLS;
	}
	*hit = (struct pw_hit){
		.symbol = symbol,
		.factor_milli = factor_milli > 1000 ? 1000
		                : factor_milli < 0  ? 0
		                                    : factor_milli,
		.evidence = pw_str_sub(evidence, 0, PW_EVIDENCE_MAX),
	};
}

bool pw_hits_has(const struct pw_hits *hits, unsigned symbol)
{
	for (size_t i = 0; i < hits->count; i++)
		if (hits->at[i].symbol == symbol)
			return true;
	return false;
}

void pw_hits_drop(struct pw_hits *hits, unsigned symbol)
{
	struct pw_hit *hit = find(hits, symbol);

	if (hit == NULL)
		return;
	hits->own_count -= symbol >= PW_SYMBOLS;
	hits->count--;
	memmove(hit, hit + 1, (size_t)(&hits->at[hits->count] - hit) * sizeof(*hit));
}

static int32_t worth(const struct pw_hit *hit, const struct pw_weights *weights)
{
	int64_t weight = weights->symbols[hit->symbol].weight_milli;

	return (int32_t)(weight * hit->factor_milli / 1000);
}

/* What a group adds beyond its cap is taken off again, in a line of its own. */
static void add_caps(struct pw_score_plan *out, const int64_t sums[PW_GROUPS_ALL],
                     const struct pw_weights *weights)
{
	for (size_t i = 0; i < weights->group_count; i++) {
		int64_t over = sums[i] - weights->group_max_milli[i];

		if (over <= 0)
			continue;
		out->lines[out->count++] = (struct pw_score_line){
			.name = weights->group_names[i],
			.score_milli = (int32_t)-over,
			.is_cap = true,
		};
		out->score_milli -= over;
	}
}

static void choose_action(struct pw_score_plan *out, const struct pw_weights *weights)
{
	for (int i = PW_ACTIONS - 1; i > PW_ACTION_NONE; i--) {
		if (!weights->actions[i].is_on ||
		    out->score_milli < weights->actions[i].threshold_milli)
			continue;
		if (out->dry_action == PW_ACTION_NONE)
			out->dry_action = (enum pw_action)i;
		if (weights->actions[i].is_dry_run)
			continue;
		out->action = (enum pw_action)i;
		return;
	}
}

static void add_symbol(struct pw_score_plan *out, int64_t sums[PW_GROUPS_ALL],
                       const struct pw_hit *hit, const struct pw_weights *weights)
{
	int32_t score = worth(hit, weights);
	bool is_dry_run = weights->symbols[hit->symbol].is_dry_run;

	out->lines[out->count++] = (struct pw_score_line){
		.name = weights->symbols[hit->symbol].name,
		.evidence = hit->evidence,
		.score_milli = score,
		.is_learned = hit->is_learned,
		.is_dry_run = is_dry_run,
	};
	if (is_dry_run)
		return;
	out->score_milli += score;
	if (score > 0 && !hit->is_taken)
		sums[weights->symbols[hit->symbol].group] += score;
}

/* What composites take off their parts, a line each. */
static void add_parts(struct pw_score_plan *out, const struct pw_hits *hits,
                      const struct pw_weights *weights)
{
	for (size_t i = 0; i < hits->count; i++) {
		const struct pw_hit *composite = &hits->at[i];
		int64_t taken = 0;

		if (!weights->symbols[composite->symbol].is_composite)
			continue;
		for (size_t k = 0; k < hits->count; k++)
			if (hits->at[k].is_taken &&
			    hits->at[k].taken_by == composite->symbol)
				taken += worth(&hits->at[k], weights);
		if (taken == 0)
			continue;
		out->lines[out->count++] = (struct pw_score_line){
			.name = weights->symbols[composite->symbol].name,
			.score_milli = (int32_t)-taken,
			.is_learned = composite->is_learned,
			.is_parts = true,
		};
		out->score_milli -= taken;
	}
}

void pw_score_decide(struct pw_score_plan *out, const struct pw_hits *hits,
                     const struct pw_weights *weights)
{
	int64_t sums[PW_GROUPS_ALL] = { 0 };

	out->count = 0;
	out->score_milli = 0;
	out->action = out->dry_action = PW_ACTION_NONE;
	out->required_milli = 0;
	if (weights->actions[PW_ACTION_ADD_HEADER].is_on)
		out->required_milli =
			weights->actions[PW_ACTION_ADD_HEADER].threshold_milli;
	for (size_t i = 0; i < hits->count; i++)
		if (!weights->symbols[hits->at[i].symbol].is_off)
			add_symbol(out, sums, &hits->at[i], weights);
	add_parts(out, hits, weights);
	add_caps(out, sums, weights);
	choose_action(out, weights);
}
