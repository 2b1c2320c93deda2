/* Byte 0 says what becomes of the parts, the next four which symbols a message shows, the
 * rest is an expression. What compiles is true where a plain reckoning of the text says
 * so, with the symbol of the composite to show for it; the account adds up; nothing but
 * parts goes. */
#include <stdlib.h>
#include <string.h>

#include "core/composite.h"
#include "core/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME "COMPOSITE"
static const struct pw_str parts_words[] = { { "keep", 4 },
	                                     { "remove weight", 13 },
	                                     { "remove symbol", 13 } };

static struct pw_weights weights;
static struct pw_arena *arena;
static struct pw_hits before, hits;
static struct pw_score_plan plan;
static unsigned composite;

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void set_up(void)
{
	if (arena != NULL)
		return;
	pw_weights_default(&weights);
	must(pw_weights_own(&weights, PW_STR(NAME), PW_STR("own"), &composite) == PW_OK);
	must(pw_composites_name(&weights, PW_STR(NAME)) == PW_OK);
	weights.symbols[composite].weight_milli = 777;
	weights.group_max_milli[PW_GRP_auth] = 900; /* so that caps come in */
	must(pw_arena_new(&arena, 0) == PW_OK);
}

static void show(uint32_t bits)
{
	before = (struct pw_hits){ 0 };
	for (unsigned i = 0; i < PW_SYMBOLS; i++)
		if (!weights.symbols[i].is_composite && (bits >> (i % 32) & 1) != 0)
			pw_hits_add(&before, i, 1000 - (int32_t)i, PW_STR(""));
}

/* ---- the plain reckoning: two stacks, and the text as it stands */

struct reckoning {
	char operators[PW_EXPR_BYTES_MAX];
	bool values[PW_EXPR_BYTES_MAX];
	size_t operator_count, value_count;
};

static int binding(char operator)
{
	return operator== '!' ? 3 : operator== '&' ? 2 : operator== '|' ? 1 : 0;
}

static void reckon_last(struct reckoning *r)
{
	char operator= r->operators[--r->operator_count];
	bool right = r->values[r->value_count - 1];

	if (operator== '!') {
		r->values[r->value_count - 1] = !right;
		return;
	}
	r->value_count--;
	must(r->value_count > 0);
	if (operator== '&')
		r->values[r->value_count - 1] = r->values[r->value_count - 1] && right;
	else
		r->values[r->value_count - 1] = r->values[r->value_count - 1] || right;
}

static bool is_shown(struct pw_str name)
{
	unsigned id;

	if (name.at[0] < 'a' || name.at[0] > 'z')
		return pw_weights_find(&weights, name, &id) == PW_OK &&
		       pw_hits_has(&before, id);
	must(pw_weights_find_group(&weights, name, &id) == PW_OK);
	for (size_t i = 0; i < before.count; i++)
		if (weights.symbols[before.at[i].symbol].group == id)
			return true;
	return false;
}

static bool reckon(struct pw_str text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	static struct reckoning r;

	r.operator_count = r.value_count = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		size_t len = 0;

		while (i + len < text.len && text.at[i + len] != '\0' &&
		       strchr(letters, text.at[i + len]) != NULL)
			len++;
		if (len > 0) {
			r.values[r.value_count++] = is_shown(pw_str_sub(text, i, len));
			i += len - 1;
			continue;
		}
		if (c == '!' || c == '(') {
			r.operators[r.operator_count++] = c;
		} else if (c == '&' || c == '|') {
			while (r.operator_count > 0 &&
			       binding(r.operators[r.operator_count - 1]) >= binding(c))
				reckon_last(&r);
			r.operators[r.operator_count++] = c;
		} else if (c == ')') {
			while (r.operators[r.operator_count - 1] != '(')
				reckon_last(&r);
			r.operator_count--;
		}
	}
	while (r.operator_count > 0)
		reckon_last(&r);
	must(r.value_count == 1);
	return r.values[0];
}

/* ---- what became of it */

static void check_account(void)
{
	int64_t sum = 0;

	pw_score_decide(&plan, &hits, &weights);
	must(plan.count <= PW_LEN(plan.lines));
	for (size_t i = 0; i < plan.count; i++)
		sum += plan.lines[i].score_milli;
	must(sum == plan.score_milli);
}

static void check_parts(struct pw_str text, int parts, bool is_true)
{
	struct pw_buf why = { 0 };
	struct pw_expr expr;

	must(pw_expr_compile(&expr, text, &weights, &why) == PW_OK);
	pw_buf_done(&why);
	for (size_t i = 0; i < before.count; i++) {
		unsigned symbol = before.at[i].symbol;
		bool is_named = false;

		for (size_t t = 0; t < expr.term_count; t++)
			is_named =
				is_named ||
				(!expr.terms[t].is_negated && !expr.terms[t].is_spared &&
			         expr.terms[t].id ==
			                 (expr.terms[t].is_group
			                          ? weights.symbols[symbol].group
			                          : symbol));
		/* what lists are forgiven goes, too */
		must(pw_hits_has(&hits, symbol) || (is_named && is_true && parts == 2) ||
		     pw_hits_has(&hits, PW_SYM_LIST_FORGIVEN));
	}
	for (size_t i = 0; i < hits.count; i++)
		must(!hits.at[i].is_taken ||
		     (parts == 1 && is_true && hits.at[i].taken_by == composite));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_composites_free) struct pw_composites *composites = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_str text;
	uint32_t bits;
	int parts;
	bool is_true;

	if (size < 1 + sizeof(bits))
		return 0;
	set_up();
	pw_arena_reset(arena);
	parts = data[0] % 3;
	memcpy(&bits, data + 1, sizeof(bits));
	text = (struct pw_str){ (const char *)data + 1 + sizeof(bits),
		                size - 1 - sizeof(bits) };
	must(pw_composites_new(&composites) == PW_OK);
	if (pw_composites_add(composites, &weights, PW_STR(NAME), text,
	                      parts_words[parts], &why) != PW_OK) {
		must(why.len > 0);
		return 0;
	}
	show(bits);
	hits = before;
	pw_composites_apply(composites, &hits, &weights, arena);
	is_true = reckon(text);
	must(pw_hits_has(&hits, composite) == is_true);
	check_parts(text, parts, is_true);
	check_account();
	return 0;
}
