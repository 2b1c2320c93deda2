#include "core/composite.h"

#include <stdlib.h>

#include "core/expr.h"
#include "core/score_text.h"

#define COMPOSITES_MAX (PW_OWN_SYMBOLS_MAX + PW_SYMBOLS)

struct composite {
	unsigned symbol;
	enum pw_parts parts;
	bool is_learned; /* rests on what was learned */
	struct pw_expr expr;
};

struct pw_composites {
	struct composite *at;
	size_t count, room;
};

static const struct {
	enum pw_symbol symbol;
	const char *expression;
	enum pw_parts parts;
} built_in[] = {
#define PW_COMPOSITE(name, expression, parts)                                            \
	{ PW_SYM_##name, expression, PW_PARTS_##parts },
#include "core/composites.def"
};

static const struct pw_str parts_words[PW_PARTS] = {
	[PW_PARTS_KEEP] = { "keep", 4 },
	[PW_PARTS_WEIGHT] = { "remove weight", 13 },
	[PW_PARTS_SYMBOL] = { "remove symbol", 13 },
};

/* ---- making */

static enum pw_status add_built_in(struct pw_composites *all)
{
	/* large: off the stack */
	struct pw_weights *weights = calloc(1, sizeof(*weights));
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r = PW_OK;

	if (weights == NULL)
		return PW_ERR_NOMEM;
	pw_weights_default(weights);
	for (size_t i = 0; i < PW_LEN(built_in) && r == PW_OK; i++)
		r = pw_composites_add(all, weights,
		                      pw_str_from(pw_symbol_text(built_in[i].symbol)),
		                      pw_str_from(built_in[i].expression),
		                      parts_words[built_in[i].parts], &why);
	free(weights);
	return r;
}

enum pw_status pw_composites_new(struct pw_composites **out)
{
	PW_AUTO(pw_composites_free)
	struct pw_composites *all = calloc(1, sizeof(*all));
	enum pw_status r;

	if (all == NULL)
		return PW_ERR_NOMEM;
	if ((r = add_built_in(all)) != PW_OK)
		return r;
	*out = PW_TAKE(all);
	return PW_OK;
}

void pw_composites_free(struct pw_composites **composites)
{
	if (*composites == NULL)
		return;
	free((*composites)->at);
	free(*composites);
	*composites = NULL;
}

size_t pw_composites_count(const struct pw_composites *composites)
{
	return composites->count;
}

enum pw_status pw_composites_name(struct pw_weights *weights, struct pw_str name)
{
	unsigned symbol;

	if (pw_weights_find(weights, name, &symbol) != PW_OK || symbol < PW_SYMBOLS)
		return PW_ERR_SYNTAX;
	weights->symbols[symbol].is_composite = true;
	return PW_OK;
}

static enum pw_status read_parts(enum pw_parts *out, struct pw_str word,
                                 struct pw_buf *why_out)
{
	for (int i = 0; i < PW_PARTS; i++)
		if (pw_str_eq(word, parts_words[i])) {
			*out = (enum pw_parts)i;
			return PW_OK;
		}
	pw_buf_puts(why_out, PW_STR("parts: keep, remove weight or remove symbol"));
	return PW_ERR_SYNTAX;
}

/* What was learned from messages like these must not teach itself. */
static bool is_learned(const struct pw_expr *expr, const struct pw_weights *weights)
{
	for (size_t i = 0; i < expr->term_count; i++) {
		const struct pw_expr_term *t = &expr->terms[i];
		unsigned group = t->is_group ? t->id : weights->symbols[t->id].group;

		if (group == PW_GRP_bayes || group == PW_GRP_reputation)
			return true;
	}
	return false;
}

static enum pw_status keep(struct pw_composites *all, const struct composite *one)
{
	size_t room = all->room == 0 ? 8 : all->room * 2;
	struct composite *grown;

	if (all->count == all->room) {
		if ((grown = realloc(all->at, room * sizeof(*grown))) == NULL)
			return PW_ERR_NOMEM;
		all->at = grown;
		all->room = room;
	}
	all->at[all->count++] = *one;
	return PW_OK;
}

enum pw_status pw_composites_add(struct pw_composites *all,
                                 const struct pw_weights *weights, struct pw_str name,
                                 struct pw_str expression, struct pw_str parts,
                                 struct pw_buf *why_out)
{
	struct composite one = { 0 };
	enum pw_status r;

	if (all->count == COMPOSITES_MAX) {
		pw_buf_puts(why_out, PW_STR("too many composites"));
		return PW_ERR_LIMIT;
	}
	if (pw_weights_find(weights, name, &one.symbol) != PW_OK ||
	    !weights->symbols[one.symbol].is_composite) {
		pw_buf_puts(why_out, PW_STR("no symbol for it"));
		return PW_ERR_SYNTAX;
	}
	if ((r = read_parts(&one.parts, parts, why_out)) != PW_OK ||
	    (r = pw_expr_compile(&one.expr, expression, weights, why_out)) != PW_OK)
		return r;
	one.is_learned = is_learned(&one.expr, weights);
	return keep(all, &one);
}

/* ---- looking */

struct run {
	struct pw_hits *hits;
	const struct pw_weights *weights;
	struct pw_arena *arena;
	struct pw_shown counted, shown; /* shown: with what runs dry */
	size_t found;                   /* by the checks: the first of hits */
	bool is_gone[PW_HITS_MAX];
};

static bool is_dry(const struct run *run, unsigned symbol)
{
	return run->weights->symbols[symbol].is_dry_run;
}

static void note_shown(struct run *run)
{
	run->found = run->hits->count;
	for (size_t i = 0; i < run->found; i++) {
		unsigned symbol = run->hits->at[i].symbol;
		unsigned group = run->weights->symbols[symbol].group;

		if (run->weights->symbols[symbol].is_off)
			continue;
		run->shown.symbols[symbol] = run->shown.groups[group] = true;
		if (!is_dry(run, symbol))
			run->counted.symbols[symbol] = run->counted.groups[group] = true;
	}
}

/* Is the hit one of the composite's parts? '+' wins over a name without. */
static bool is_part(const struct run *run, const struct composite *one,
                    const struct pw_hit *hit, bool *is_spared_out)
{
	unsigned group = run->weights->symbols[hit->symbol].group;
	bool is_one = false;

	*is_spared_out = false;
	if (run->weights->symbols[hit->symbol].is_off ||
	    (is_dry(run, hit->symbol) && !is_dry(run, one->symbol)))
		return false;
	for (size_t i = 0; i < one->expr.term_count; i++) {
		const struct pw_expr_term *t = &one->expr.terms[i];

		if (t->is_negated || t->id != (t->is_group ? group : hit->symbol))
			continue;
		is_one = true;
		*is_spared_out = *is_spared_out || t->is_spared;
	}
	return is_one;
}

static struct pw_str name_parts(const struct run *run, const struct composite *one)
{
	char room[PW_EVIDENCE_MAX + 64];
	PW_AUTO(pw_buf_done) struct pw_buf names = PW_BUF_IN(room);
	struct pw_str text;
	bool is_spared;

	for (size_t i = 0; i < run->found && names.len < PW_EVIDENCE_MAX; i++) {
		if (!is_part(run, one, &run->hits->at[i], &is_spared))
			continue;
		if (names.len > 0)
			pw_buf_putc(&names, ' ');
		pw_buf_puts(&names, run->weights->symbols[run->hits->at[i].symbol].name);
	}
	return pw_arena_copy(run->arena, pw_buf_str(&names), &text) == PW_OK ? text
	                                                                     : PW_STR("");
}

static void take_parts(struct run *run, const struct composite *one)
{
	bool is_spared;

	if (one->parts == PW_PARTS_KEEP || is_dry(run, one->symbol))
		return;
	for (size_t i = 0; i < run->found; i++) {
		struct pw_hit *hit = &run->hits->at[i];

		if (!is_part(run, one, hit, &is_spared) || is_spared)
			continue;
		if (one->parts == PW_PARTS_SYMBOL) {
			run->is_gone[i] = true;
		} else if (!hit->is_taken) {
			hit->is_taken = true;
			hit->taken_by = one->symbol;
		}
	}
}

static void try_one(struct run *run, const struct composite *one)
{
	const struct pw_shown *shown =
		is_dry(run, one->symbol) ? &run->shown : &run->counted;
	struct pw_hits *hits = run->hits;
	size_t before = hits->count;

	if (run->weights->symbols[one->symbol].is_off ||
	    !pw_expr_is_true(&one->expr, shown))
		return;
	pw_hits_add(hits, one->symbol, 1000, name_parts(run, one));
	if (hits->count == before) /* too many of the admin's own */
		return;
	hits->at[before].is_learned = one->is_learned;
	take_parts(run, one);
}

void pw_composites_apply(const struct pw_composites *all, struct pw_hits *hits,
                         const struct pw_weights *weights, struct pw_arena *arena)
{
	struct run run = { .hits = hits, .weights = weights, .arena = arena };

	note_shown(&run);
	for (size_t i = 0; i < all->count; i++)
		try_one(&run, &all->at[i]);
	for (size_t i = run.found; i-- > 0;) /* from behind: numbers stay */
		if (run.is_gone[i])
			pw_hits_drop(hits, hits->at[i].symbol);
}
