#include "core/expr.h"

#include "core/ascii.h"

struct parse {
	struct pw_expr *out;
	const struct pw_weights *weights;
	struct pw_str text;
	size_t at;
	unsigned depth;
	struct pw_buf *why;
};

static enum pw_status fail(struct parse *p, enum pw_status status, size_t at,
                           const char *what)
{
	pw_buf_printf(p->why, "%s at character %zu", what, at + 1);
	return status;
}

/* The next character that is no blank; NUL at the end. */
static char next(struct parse *p)
{
	while (p->at < p->text.len &&
	       (pw_is_wsp(p->text.at[p->at]) || p->text.at[p->at] == '\r' ||
	        p->text.at[p->at] == '\n'))
		p->at++;
	return p->at < p->text.len ? p->text.at[p->at] : '\0';
}

static bool take(struct parse *p, char c)
{
	if (next(p) != c || p->at == p->text.len)
		return false;
	p->at++;
	return true;
}

static enum pw_status unknown(struct parse *p, struct pw_str name, size_t at,
                              const char *what)
{
	pw_buf_printf(p->why, "no %s %.*s at character %zu", what,
	              PW_FMT(pw_str_sub(name, 0, 63)), at + 1);
	return PW_ERR_SYNTAX;
}

static enum pw_status look_up(struct parse *p, struct pw_str name, size_t at,
                              struct pw_expr_term *term)
{
	unsigned id;

	term->is_group = name.at[0] >= 'a' && name.at[0] <= 'z';
	if (term->is_group) {
		if (pw_weights_find_group(p->weights, name, &id) != PW_OK)
			return unknown(p, name, at, "group");
	} else if (pw_weights_find(p->weights, name, &id) != PW_OK) {
		return unknown(p, name, at, "symbol");
	} else if (p->weights->symbols[id].is_composite) {
		pw_buf_printf(p->why, "%.*s is a composite itself, at character %zu",
		              PW_FMT(name), at + 1);
		return PW_ERR_SYNTAX;
	}
	term->id = (uint16_t)id;
	return PW_OK;
}

static enum pw_status parse_name(struct parse *p, bool is_negated)
{
	struct pw_expr_term term = { .is_negated = is_negated,
		                     .is_spared = take(p, '+') };
	size_t from, len = 0;
	enum pw_status r;

	(void)next(p);
	from = p->at;
	while (from + len < p->text.len &&
	       (pw_is_alnum(p->text.at[from + len]) || p->text.at[from + len] == '_'))
		len++;
	if (len == 0 || pw_is_digit(p->text.at[from]))
		return fail(p, PW_ERR_SYNTAX, from, "a name is missing");
	if (p->out->term_count == PW_EXPR_TERMS_MAX)
		return fail(p, PW_ERR_LIMIT, from, "too many names");
	if ((r = look_up(p, pw_str_sub(p->text, from, len), from, &term)) != PW_OK)
		return r;
	p->at = from + len;
	p->out->code[p->out->code_count++] = (int8_t)p->out->term_count;
	p->out->terms[p->out->term_count++] = term;
	return PW_OK;
}

static enum pw_status parse_any(struct parse *p, bool is_negated);

static enum pw_status parse_one(struct parse *p, bool is_negated)
{
	size_t open;
	enum pw_status r;

	while (take(p, '!'))
		is_negated = !is_negated;
	if (!take(p, '('))
		return parse_name(p, is_negated);
	open = p->at - 1;
	if (p->depth == PW_EXPR_DEPTH_MAX)
		return fail(p, PW_ERR_LIMIT, open, "too many parentheses");
	p->depth++;
	if ((r = parse_any(p, is_negated)) != PW_OK)
		return r;
	p->depth--;
	return take(p, ')') ? PW_OK
	                    : fail(p, PW_ERR_SYNTAX, open, "no end of the parenthesis");
}

/* There is one operator less than there are terms: code has room. */
static void put_operator(struct parse *p, bool is_and)
{
	p->out->code[p->out->code_count++] = is_and ? PW_EXPR_AND : PW_EXPR_OR;
}

static enum pw_status parse_all(struct parse *p, bool is_negated)
{
	enum pw_status r = parse_one(p, is_negated);

	while (r == PW_OK && take(p, '&'))
		if ((r = parse_one(p, is_negated)) == PW_OK)
			put_operator(p, !is_negated);
	return r;
}

static enum pw_status parse_any(struct parse *p, bool is_negated)
{
	enum pw_status r = parse_all(p, is_negated);

	while (r == PW_OK && take(p, '|'))
		if ((r = parse_all(p, is_negated)) == PW_OK)
			put_operator(p, is_negated);
	return r;
}

enum pw_status pw_expr_compile(struct pw_expr *out, struct pw_str text,
                               const struct pw_weights *weights, struct pw_buf *why_out)
{
	struct pw_expr made = { 0 };
	struct parse p = {
		.out = &made, .weights = weights, .text = text, .why = why_out
	};
	enum pw_status r;

	if (text.len > PW_EXPR_BYTES_MAX)
		return fail(&p, PW_ERR_LIMIT, PW_EXPR_BYTES_MAX, "too long");
	if ((r = parse_any(&p, false)) != PW_OK)
		return r;
	(void)next(&p);
	if (p.at < text.len)
		return fail(&p, PW_ERR_SYNTAX, p.at, "neither & nor |");
	*out = made;
	return PW_OK;
}

bool pw_expr_is_true(const struct pw_expr *expr, const struct pw_shown *shown)
{
	uint64_t stack = 0; /* a bit each, the last one lowest; at most one a term */

	for (size_t i = 0; i < expr->code_count; i++) {
		int8_t step = expr->code[i];

		if (step >= 0) {
			const struct pw_expr_term *t = &expr->terms[step];
			bool is_shown = t->is_group ? shown->groups[t->id]
			                            : shown->symbols[t->id];

			stack = stack << 1 | (is_shown != t->is_negated);
		} else if (step == PW_EXPR_AND) {
			stack = stack & 1 ? stack >> 1 : stack >> 1 & ~UINT64_C(1);
		} else {
			stack = stack >> 1 | (stack & 1);
		}
	}
	return stack & 1;
}
