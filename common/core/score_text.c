#include "core/score_text.h"

#include "core/ascii.h"

#define STATUS_LINE_MAX 76

static const struct {
	const char *name, *help;
} symbols[PW_SYMBOLS] = {
#define PW_SYMBOL(name, group, weight_milli, help) { #name, help },
#include "core/symbols.def"
};

static const struct {
	const char *name, *help;
} groups[PW_GROUPS] = {
#define PW_GROUP(name, max_milli, help) { #name, help },
#include "core/symbols.def"
};

static const char *const actions[PW_ACTIONS] = { "none", "greylist", "add header",
	                                         "reject" };

const char *pw_symbol_text(enum pw_symbol symbol)
{
	return symbols[symbol].name;
}

const char *pw_symbol_help(enum pw_symbol symbol)
{
	return symbols[symbol].help;
}

const char *pw_group_text(enum pw_group group)
{
	return groups[group].name;
}

const char *pw_group_help(enum pw_group group)
{
	return groups[group].help;
}

const char *pw_action_text(enum pw_action action)
{
	return actions[action];
}

void pw_milli_put(struct pw_buf *out, int64_t milli)
{
	uint64_t size = milli < 0 ? (uint64_t)0 - (uint64_t)milli : (uint64_t)milli;

	if (milli < 0)
		pw_buf_putc(out, '-');
	pw_buf_put_int(out, (int64_t)(size / 1000));
	pw_buf_printf(out, ".%03u", (unsigned)(size % 1000));
}

enum pw_status pw_milli_parse(int64_t *out, struct pw_str text)
{
	struct pw_str fraction = text;
	struct pw_str whole = pw_str_cut(&fraction, '.');
	bool is_negative = pw_str_starts(whole, PW_STR("-"));
	int64_t points = 0, milli = 0;
	enum pw_status r;

	if (is_negative)
		whole = pw_str_sub(whole, 1, whole.len);
	if (whole.len == 0 && fraction.len == 0)
		return PW_ERR_SYNTAX;
	if (whole.len > 0 &&
	    (r = pw_str_to_int64(whole, 0, PW_SCORE_MAX_MILLI / 1000, &points)) != PW_OK)
		return r;
	for (size_t i = 0, scale = 100; i < fraction.len; i++, scale /= 10) {
		if (!pw_is_digit(fraction.at[i]))
			return PW_ERR_SYNTAX;
		milli += (int64_t)scale * (fraction.at[i] - '0');
	}
	milli += points * 1000;
	if (milli > PW_SCORE_MAX_MILLI)
		return PW_ERR_RANGE;
	*out = is_negative ? -milli : milli;
	return PW_OK;
}

static void put_line_name(struct pw_buf *out, const struct pw_score_line *line)
{
	if (line->is_cap)
		pw_buf_puts(out, PW_STR("cap:"));
	if (line->is_parts)
		pw_buf_puts(out, PW_STR("parts:"));
	pw_buf_puts(out, line->name);
}

void pw_score_put_status(struct pw_buf *out, const struct pw_score_plan *plan)
{
	bool is_spam = plan->action >= PW_ACTION_ADD_HEADER;
	size_t line_start;
	bool is_first = true;

	pw_buf_puts(out, is_spam ? PW_STR("Yes, score=") : PW_STR("No, score="));
	pw_milli_put(out, plan->score_milli);
	pw_buf_puts(out, PW_STR(" required="));
	pw_milli_put(out, plan->required_milli);
	pw_buf_puts(out, PW_STR("\n\ttests=["));
	line_start = out->len - 7;
	for (size_t i = 0; i < plan->count; i++) {
		const struct pw_score_line *line = &plan->lines[i];

		if (line->is_dry_run)
			continue;
		if (!is_first)
			pw_buf_puts(out, PW_STR(", "));
		is_first = false;
		if (out->len - line_start + line->name.len + 12 > STATUS_LINE_MAX) {
			pw_buf_puts(out, PW_STR("\n\t"));
			line_start = out->len - 1;
		}
		put_line_name(out, line);
		pw_buf_putc(out, '=');
		pw_milli_put(out, line->score_milli);
	}
	pw_buf_putc(out, ']');
}

void pw_score_put_account(struct pw_buf *out, const struct pw_score_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct pw_score_line *line = &plan->lines[i];

		pw_milli_put(out, line->score_milli);
		pw_buf_putc(out, ' ');
		put_line_name(out, line);
		if (line->is_dry_run)
			pw_buf_puts(out, PW_STR(" (dry run)"));
		if (line->evidence.len > 0) {
			pw_buf_puts(out, PW_STR(": "));
			pw_buf_puts(out, line->evidence);
		}
		pw_buf_putc(out, '\n');
	}
	pw_milli_put(out, plan->score_milli);
	pw_buf_printf(out, " sum, action %s\n", pw_action_text(plan->action));
}
