#include "setup.h"

#include <stddef.h>

#include "core/ascii.h"
#include "core/conf.h"

struct setting {
	const char *name;
	size_t offset; /* of the text, or of the switch */
	bool is_switch;
};

/* clang-format off */
static const struct setting settings[] = {
	{ "database",            offsetof(struct setup, database),       false },
	{ "prepared_statements", offsetof(struct setup, prepared),       true },
	{ "auth_socket",         offsetof(struct setup, auth_socket),    false },
	{ "passdb_query",        offsetof(struct setup, passdb_query),   false },
	{ "masterdb_query",      offsetof(struct setup, masterdb_query), false },
	{ "userdb_query",        offsetof(struct setup, userdb_query),   false },
	{ "iterate_query",       offsetof(struct setup, iterate_query),  false },
};
/* clang-format on */

struct setup setup_defaults(void)
{
	return (struct setup){
		.database = "",
		.prepared = true,
		.auth_socket = "/run/postward/auth.sock",
		.passdb_query = "",
		.masterdb_query = "",
		.userdb_query = "",
		.iterate_query = "",
	};
}

static enum pw_status set_switch(bool *at, struct pw_str value, const char **why)
{
	if (pw_str_eq(value, PW_STR("yes"))) {
		*at = true;
	} else if (pw_str_eq(value, PW_STR("no"))) {
		*at = false;
	} else {
		*why = "the value is neither yes nor no";
		return PW_ERR_CONFIG;
	}
	return PW_OK;
}

static enum pw_status set_text(const char **at, struct pw_arena *arena,
                               struct pw_str value)
{
	struct pw_str copy;
	enum pw_status r = pw_arena_copy(arena, value, &copy);

	if (r == PW_OK)
		*at = copy.at; /* a NUL follows */
	return r;
}

static enum pw_status set(struct setup *out, struct pw_arena *arena,
                          const struct pw_conf_pair *pair, const char **why)
{
	for (size_t i = 0; i < PW_LEN(settings); i++) {
		char *at = (char *)out + settings[i].offset;

		if (!pw_str_eq(pair->name, pw_str_from(settings[i].name)))
			continue;
		return settings[i].is_switch ? set_switch((void *)at, pair->value, why)
		                             : set_text((void *)at, arena, pair->value);
	}
	*why = "unknown setting";
	return PW_ERR_CONFIG;
}

enum pw_status setup_parse(struct setup *out, struct pw_arena *arena, struct pw_str bytes,
                           struct pw_buf *why_out)
{
	struct pw_conf conf;
	struct pw_conf_pair pair = { 0 };
	const char *why = "";
	enum pw_status r;

	pw_conf_init(&conf, bytes);
	while ((r = pw_conf_next(&conf, arena, &pair)) == PW_OK) {
		if ((r = set(out, arena, &pair, &why)) == PW_ERR_CONFIG)
			pw_buf_printf(why_out, "line %u: %.*s: %s", conf.line,
			              PW_FMT(pair.name), why);
		if (r != PW_OK)
			return r;
	}
	if (r == PW_ERR_NOTFOUND)
		return PW_OK;
	if (r == PW_ERR_NOMEM)
		return r;
	pw_buf_printf(why_out, "line %u: %s", conf.line, pw_conf_why(&conf));
	return PW_ERR_CONFIG;
}

size_t setup_query_parameters(const char *query)
{
	char before = '\0';
	size_t highest = 0;

	for (; *query != '\0'; before = *query++)
		if (before != '$' && query[0] == '$' && query[1] >= '1' &&
		    query[1] <= '9' && !pw_is_digit(query[2]) &&
		    (size_t)(query[1] - '0') > highest)
			highest = (size_t)(query[1] - '0');
	return highest;
}
