#include "tools/weights.h"

#include <stdio.h>
#include <sysexits.h>

#include "core/score_text.h"
#include "tools/database.h"

enum { SYMBOLS, GROUPS, ACTIONS, QUERIES };

/* name, points, and what else there is */
static const char *const queries[QUERIES] = {
	[SYMBOLS] = "SELECT name, weight, enabled, dry_run FROM mail.snapshot_symbols",
	[GROUPS] = "SELECT grp, max_score FROM mail.snapshot_groups",
	[ACTIONS] = "SELECT action, threshold, dry_run FROM mail.snapshot_actions",
};

static enum pw_status set_row(struct pw_weights *w, int query,
                              const struct pw_db_result *rows, size_t row)
{
	struct pw_str name = pw_db_value(rows, row, 0);
	int64_t milli;
	enum pw_status r = pw_milli_parse(&milli, pw_db_value(rows, row, 1));

	if (r != PW_OK)
		return r;
	if (query == SYMBOLS)
		return pw_weights_symbol(w, name, milli, pw_db_bool(rows, row, 2),
		                         pw_db_bool(rows, row, 3));
	if (query == GROUPS)
		return pw_weights_group(w, name, milli);
	return pw_weights_action(w, name, milli, pw_db_bool(rows, row, 2));
}

static bool read_rows(struct pw_weights *w, int query, struct pw_db_session *session)
{
	PW_AUTO(pw_db_result_free)
	struct pw_db_result *rows = tool_query(session, queries[query], 0, NULL);

	if (rows == NULL)
		return false;
	for (size_t i = 0; i < pw_db_rows(rows); i++) {
		enum pw_status r = set_row(w, query, rows, i);

		if (r != PW_OK)
			(void)fprintf(stderr, "postwardctl scan: %.*s is left out: %s\n",
			              PW_FMT(pw_db_value(rows, i, 0)), pw_status_text(r));
	}
	return true;
}

bool tool_weights_load(struct pw_weights *weights, const char *conninfo, int *exit_out)
{
	PW_AUTO(pw_db_session_close)
	struct pw_db_session *session = tool_database_open(conninfo, exit_out);

	if (session == NULL)
		return false;
	for (int i = 0; i < QUERIES; i++)
		if (!read_rows(weights, i, session)) {
			*exit_out = EX_UNAVAILABLE;
			return false;
		}
	return true;
}
