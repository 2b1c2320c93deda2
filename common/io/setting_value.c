#include "io/setting_value.h"

#include <string.h>

#include "core/ascii.h"

struct unit {
	const char *name;
	int64_t factor;
};
/* Largest first: printing takes the first that divides. */
static const struct unit duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
	{ "s", 1000 },     { "ms", 1 },      { NULL, 0 },
};
static const struct unit size_units[] = {
	{ "G", 1 << 30 }, { "M", 1 << 20 }, { "k", 1 << 10 }, { "", 1 }, { NULL, 0 },
};
static const struct unit plain_units[] = { { "", 1 }, { NULL, 0 } };

/* Units of a numeric type, NULL for the others. */
static const struct unit *units_of(enum pw_setting_type type)
{
	switch (type) {
	case PW_SETTING_DURATION:
		return duration_units;
	case PW_SETTING_SIZE:
		return size_units;
	case PW_SETTING_COUNT:
		return plain_units;
	case PW_SETTING_BOOL:
	case PW_SETTING_CHOICE:
	case PW_SETTING_STRING:
	case PW_SETTING_PATH:
		break;
	}
	return NULL;
}

static enum pw_status parse_number(const struct unit *units, struct pw_str text,
                                   int64_t *out)
{
	struct pw_str digits = text, unit;
	int64_t n;
	enum pw_status r;

	for (digits.len = 0; digits.len < text.len && pw_is_digit(text.at[digits.len]);)
		digits.len++;
	unit = pw_str_sub(text, digits.len, text.len);
	while (units->name && !pw_str_eq(unit, pw_str_from(units->name)))
		units++;
	if (!units->name)
		return PW_ERR_SYNTAX;
	if ((r = pw_str_to_int64(digits, 0, INT64_MAX / units->factor, &n)) != PW_OK)
		return r;
	*out = n * units->factor;
	return PW_OK;
}

static void *field_of(void *set, const struct pw_setting *row)
{
	return (char *)set + row->offset;
}

static const void *const_field_of(const void *set, const struct pw_setting *row)
{
	return (const char *)set + row->offset;
}

static enum pw_status set_number(void *set, const struct pw_setting *row,
                                 struct pw_str text, struct pw_buf *why_out)
{
	const struct unit *units = units_of(row->type);
	int64_t n, min = 0, max = INT64_MAX;
	enum pw_status r = parse_number(units, text, &n);

	if (r == PW_ERR_SYNTAX) {
		pw_buf_puts(why_out,
		            row->type == PW_SETTING_DURATION
		                    ? PW_STR("wants a number with ms, s, m, h or d")
		            : row->type == PW_SETTING_SIZE
		                    ? PW_STR("wants a number, k, M or G may follow")
		                    : PW_STR("wants a number"));
		return r;
	}
	if (row->min && parse_number(units, pw_str_from(row->min), &min) != PW_OK)
		return PW_ERR_SYNTAX;
	if (row->max && parse_number(units, pw_str_from(row->max), &max) != PW_OK)
		return PW_ERR_SYNTAX;
	if (r != PW_OK || n < min || n > max) {
		pw_buf_printf(why_out, "is outside %s..%s", row->min ? row->min : "0",
		              row->max ? row->max : "");
		return PW_ERR_RANGE;
	}
	memcpy(field_of(set, row), &n, sizeof(n));
	return PW_OK;
}

static enum pw_status set_bool(void *set, const struct pw_setting *row,
                               struct pw_str text, struct pw_buf *why_out)
{
	bool value = pw_str_eq(text, PW_STR("yes"));

	if (!value && !pw_str_eq(text, PW_STR("no"))) {
		pw_buf_puts(why_out, PW_STR("wants yes or no"));
		return PW_ERR_SYNTAX;
	}
	memcpy(field_of(set, row), &value, sizeof(value));
	return PW_OK;
}

static enum pw_status set_choice(void *set, const struct pw_setting *row,
                                 struct pw_str text, struct pw_buf *why_out)
{
	struct pw_str rest = pw_str_from(row->max);

	for (unsigned int i = 0; rest.len > 0; i++)
		if (pw_str_eq(pw_str_cut(&rest, '|'), text)) {
			memcpy(field_of(set, row), &i, sizeof(i));
			return PW_OK;
		}
	pw_buf_printf(why_out, "wants one of %s", row->max);
	return PW_ERR_SYNTAX;
}

static enum pw_status set_copy(void *set, const struct pw_setting *row,
                               struct pw_arena *arena, struct pw_str text)
{
	struct pw_str copy;
	enum pw_status r = pw_arena_copy(arena, text, &copy);

	if (r == PW_OK)
		memcpy(field_of(set, row), &copy.at, sizeof(copy.at));
	return r;
}

static enum pw_status set_string(void *set, const struct pw_setting *row,
                                 struct pw_arena *arena, struct pw_str text,
                                 struct pw_buf *why_out)
{
	int64_t min = 0, max = INT64_MAX;

	if (row->min && parse_number(plain_units, pw_str_from(row->min), &min) != PW_OK)
		return PW_ERR_SYNTAX;
	if (row->max && parse_number(plain_units, pw_str_from(row->max), &max) != PW_OK)
		return PW_ERR_SYNTAX;
	if ((int64_t)text.len < min || (int64_t)text.len > max) {
		pw_buf_printf(why_out, "wants %lld to %lld bytes", (long long)min,
		              (long long)max);
		return PW_ERR_RANGE;
	}
	return set_copy(set, row, arena, text);
}

static enum pw_status set_path(void *set, const struct pw_setting *row,
                               struct pw_arena *arena, const char *program,
                               struct pw_str text, struct pw_buf *why_out)
{
	const struct pw_str macro = PW_STR("$program");
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	enum pw_status r;

	for (size_t i = 0; i < text.len;) {
		bool here = pw_str_starts(pw_str_sub(text, i, text.len), macro);

		pw_buf_puts(&path, here ? pw_str_from(program) : pw_str_sub(text, i, 1));
		i += here ? macro.len : 1;
	}
	if ((r = pw_buf_status(&path)) != PW_OK)
		return r;
	if (path.len == 0 ? row->min != NULL : path.at[0] != '/') {
		pw_buf_puts(why_out, PW_STR("wants an absolute path"));
		return PW_ERR_SYNTAX;
	}
	return set_copy(set, row, arena, pw_buf_str(&path));
}

enum pw_status pw_setting_parse(void *set, const struct pw_setting *row,
                                struct pw_arena *arena, const char *program,
                                struct pw_str text, struct pw_buf *why_out)
{
	switch (row->type) {
	case PW_SETTING_DURATION:
	case PW_SETTING_COUNT:
	case PW_SETTING_SIZE:
		return set_number(set, row, text, why_out);
	case PW_SETTING_BOOL:
		return set_bool(set, row, text, why_out);
	case PW_SETTING_CHOICE:
		return set_choice(set, row, text, why_out);
	case PW_SETTING_STRING:
		return set_string(set, row, arena, text, why_out);
	case PW_SETTING_PATH:
		return set_path(set, row, arena, program, text, why_out);
	}
	return PW_ERR_STATE;
}

static void print_number(struct pw_buf *out, const struct unit *units, int64_t n)
{
	while (units[1].name && (n == 0 || n % units->factor != 0))
		units++;
	pw_buf_put_int(out, n / units->factor);
	pw_buf_puts(out, pw_str_from(units->name));
}

static void print_choice(struct pw_buf *out, const struct pw_setting *row, unsigned int n)
{
	struct pw_str rest = pw_str_from(row->max), word = pw_str_cut(&rest, '|');

	while (n-- > 0)
		word = pw_str_cut(&rest, '|');
	pw_buf_puts(out, word);
}

void pw_setting_print(struct pw_buf *out, const struct pw_setting *row, const void *set)
{
	const void *field = const_field_of(set, row);

	switch (row->type) {
	case PW_SETTING_DURATION:
	case PW_SETTING_COUNT:
	case PW_SETTING_SIZE:
		print_number(out, units_of(row->type), *(const int64_t *)field);
		break;
	case PW_SETTING_BOOL:
		pw_buf_puts(out, *(const bool *)field ? PW_STR("yes") : PW_STR("no"));
		break;
	case PW_SETTING_CHOICE:
		print_choice(out, row, *(const unsigned int *)field);
		break;
	case PW_SETTING_STRING:
	case PW_SETTING_PATH:
		pw_buf_puts(out, pw_str_from(*(const char *const *)field));
		break;
	}
}
