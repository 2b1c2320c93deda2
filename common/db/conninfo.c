#include "db/conninfo.h"

#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "core/base.h"

/* Keywords of a string whose value counts here, and the variables that stand in. */
static const struct source {
	const char *keyword, *variable;
	bool may_be_path; /* a folder of sockets, or @abstract, is as good as nothing */
} sources[] = {
	{ "user", "PGUSER", false },
	{ "service", "PGSERVICE", false },
	{ "hostaddr", "PGHOSTADDR", false },
	{ "host", "PGHOST", true },
};

static const char *value_of(const PQconninfoOption *options, const struct source *source)
{
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
		if (strcmp(o->keyword, source->keyword) == 0 && o->val != NULL)
			return o->val;
	return getenv(source->variable);
}

static bool speaks_against(const struct source *source, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return false;
	return !source->may_be_path || strchr("/@", value[0]) == NULL ||
	       strchr(value, ',') != NULL;
}

bool pw_db_conninfo_is_peer(const char *conninfo)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	bool is_peer = options != NULL;

	for (size_t i = 0; i < PW_LEN(sources) && is_peer; i++)
		is_peer = !speaks_against(&sources[i], value_of(options, &sources[i]));
	PQconninfoFree(options);
	return is_peer;
}

enum pw_status pw_db_conninfo_value(struct pw_buf *out, const char *conninfo,
                                    const char *keyword, struct pw_buf *why)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &message);

	if (options == NULL) {
		if (why != NULL)
			pw_buf_puts(why, pw_str_trim(pw_str_from(message)));
		PQfreemem(message);
		return PW_ERR_SYNTAX;
	}
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
		if (strcmp(o->keyword, keyword) == 0)
			pw_buf_puts(out, pw_str_from(o->val));
	PQconninfoFree(options);
	return pw_buf_status(out);
}
