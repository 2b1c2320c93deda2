#include "policyd/access_settings.h"

#define YEAR_S (INT64_C(366) * 86400)

/* clang-format off */
static const struct number {
	struct pw_str name;
	size_t offset;
	int64_t min, max, unit; /* unit: what is kept for one of what is written */
} numbers[] = {
	{ { "greylist_delay", 14 },         offsetof(struct access_settings, greylist.delay_ms),      1, YEAR_S,              1000 },
	{ { "greylist_window", 15 },        offsetof(struct access_settings, greylist.window_ms),     1, YEAR_S,              1000 },
	{ { "greylist_keep", 13 },          offsetof(struct access_settings, greylist.keep_ms),       1, YEAR_S,              1000 },
	{ { "greylist_client_passes", 22 }, offsetof(struct access_settings, greylist.client_passes), 0, 999999,              1 },
	{ { "stolen_networks", 15 },        offsetof(struct access_settings, stolen.networks),        0, STOLEN_NETWORKS_MAX, 1 },
	{ { "stolen_window", 13 },          offsetof(struct access_settings, stolen.window_ms),       1, YEAR_S,              1000 },
	{ { "stolen_messages", 15 },        offsetof(struct access_settings, stolen.messages),        0, 9999999,             1 },
	{ { "stolen_factor", 13 },          offsetof(struct access_settings, stolen.factor),          1, 9999,                1 },
};

static const struct pw_str modes[] = {
	[GREYLIST_OFF]     = { "no", 2 },
	[GREYLIST_ON]      = { "yes", 3 },
	[GREYLIST_DRY_RUN] = { "dry_run", 7 },
};
/* clang-format on */

static enum pw_status take_mode(struct access_settings *set, struct pw_str value)
{
	for (size_t i = 0; i < PW_LEN(modes); i++)
		if (pw_str_eq(modes[i], value)) {
			set->greylist_mode = (enum greylist_mode)i;
			return PW_OK;
		}
	return PW_ERR_SYNTAX;
}

static enum pw_status take_number(struct access_settings *set,
                                  const struct number *number, struct pw_str value)
{
	int64_t *field = (int64_t *)(void *)((char *)set + number->offset), n;
	enum pw_status r = pw_str_to_int64(value, number->min, number->max, &n);

	if (r == PW_OK)
		*field = n * number->unit;
	return r;
}

enum pw_status access_settings_take(struct access_settings *set, struct pw_str name,
                                    struct pw_str value)
{
	if (pw_str_eq(name, PW_STR("greylist")))
		return take_mode(set, value);
	for (size_t i = 0; i < PW_LEN(numbers); i++)
		if (pw_str_eq(numbers[i].name, name))
			return take_number(set, &numbers[i], value);
	if (pw_str_eq(name, PW_STR("stolen_exempt")))
		set->stolen_exempt = value;
	return PW_OK;
}

bool access_settings_exempts(const struct access_settings *set, struct pw_str login)
{
	struct pw_str rest = set->stolen_exempt;
	struct pw_str at_domain = pw_str_sub(login, pw_str_rfind(login, '@'), login.len);

	for (int i = 0; rest.len > 0 && i < ACCESS_EXEMPT_MAX; i++) {
		struct pw_str word = pw_str_cut(&rest, ' ');

		if (pw_str_eq(word, login) ||
		    (at_domain.len > 0 && pw_str_eq(word, at_domain)))
			return true;
	}
	return false;
}
