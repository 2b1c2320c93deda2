#include "tools/weights.h"

#include <stdio.h>
#include <sysexits.h>

#include "core/score_text.h"
#include "tools/database.h"

enum {
	SYMBOLS,
	GROUPS,
	ACTIONS,
	RULES,
	MAPS,
	MAP_ENTRIES,
	COMPOSITE_NAMES,
	COMPOSITES,
	QUERIES
};

/* A symbol that is not built in is the admin's own. */
static enum pw_status declare(const struct tool_rules *into,
                              const struct pw_db_result *rows, size_t row)
{
	struct pw_str name = pw_db_value(rows, row, 0), group = pw_db_value(rows, row, 4);
	unsigned symbol;
	enum pw_status r;

	if (pw_weights_find(into->weights, name, &symbol) == PW_OK)
		return PW_OK;
	if (group.len == 0)
		group = PW_STR("own");
	if ((r = pw_arena_copy(into->arena, name, &name)) != PW_OK ||
	    (r = pw_arena_copy(into->arena, group, &group)) != PW_OK)
		return r;
	return pw_weights_own(into->weights, name, group, &symbol);
}

static enum pw_status set_symbol(const struct tool_rules *into,
                                 const struct pw_db_result *rows, size_t row,
                                 struct pw_buf *why_out)
{
	int64_t milli;
	enum pw_status r = pw_milli_parse(&milli, pw_db_value(rows, row, 1));

	(void)why_out;
	if (r != PW_OK || (r = declare(into, rows, row)) != PW_OK)
		return r;
	return pw_weights_symbol(into->weights, pw_db_value(rows, row, 0), milli,
	                         pw_db_bool(rows, row, 2), pw_db_bool(rows, row, 3));
}

static enum pw_status set_group(const struct tool_rules *into,
                                const struct pw_db_result *rows, size_t row,
                                struct pw_buf *why_out)
{
	int64_t milli;
	enum pw_status r = pw_milli_parse(&milli, pw_db_value(rows, row, 1));

	(void)why_out;
	if (r != PW_OK)
		return r;
	return pw_weights_group(into->weights, pw_db_value(rows, row, 0), milli);
}

static enum pw_status set_action(const struct tool_rules *into,
                                 const struct pw_db_result *rows, size_t row,
                                 struct pw_buf *why_out)
{
	int64_t milli;
	enum pw_status r = pw_milli_parse(&milli, pw_db_value(rows, row, 1));

	(void)why_out;
	if (r != PW_OK)
		return r;
	return pw_weights_action(into->weights, pw_db_value(rows, row, 0), milli,
	                         pw_db_bool(rows, row, 2));
}

static enum pw_status add_rule(const struct tool_rules *into,
                               const struct pw_db_result *rows, size_t row,
                               struct pw_buf *why_out)
{
	struct pw_own_rule rule = {
		.name = pw_db_value(rows, row, 0),
		.kind = pw_db_value(rows, row, 1),
		.field = pw_db_value(rows, row, 2),
		.pattern = pw_db_value(rows, row, 3),
		.flags = pw_db_value(rows, row, 4),
	};

	return pw_own_rules_add(into->rules, into->weights, &rule, why_out);
}

static enum pw_status add_map(const struct tool_rules *into,
                              const struct pw_db_result *rows, size_t row,
                              struct pw_buf *why_out)
{
	return pw_own_maps_add(into->maps, into->weights, pw_db_value(rows, row, 0),
	                       pw_db_value(rows, row, 1), pw_db_bool(rows, row, 2),
	                       why_out);
}

static enum pw_status add_entry(const struct tool_rules *into,
                                const struct pw_db_result *rows, size_t row,
                                struct pw_buf *why_out)
{
	struct pw_str entry = pw_db_value(rows, row, 1);
	enum pw_status r = pw_own_maps_put(into->maps, pw_db_value(rows, row, 0), entry);

	if (r != PW_OK)
		pw_buf_printf(why_out, "%.*s: %s", PW_FMT(entry), pw_status_text(r));
	return r;
}

/* One without a symbol is told when it is added. */
static enum pw_status name_composite(const struct tool_rules *into,
                                     const struct pw_db_result *rows, size_t row,
                                     struct pw_buf *why_out)
{
	(void)why_out;
	(void)!pw_composites_name(into->weights, pw_db_value(rows, row, 0));
	return PW_OK;
}

static enum pw_status add_composite(const struct tool_rules *into,
                                    const struct pw_db_result *rows, size_t row,
                                    struct pw_buf *why_out)
{
	return pw_composites_add(into->composites, into->weights,
	                         pw_db_value(rows, row, 0), pw_db_value(rows, row, 1),
	                         pw_db_value(rows, row, 2), why_out);
}

#define COMPOSITES_SQL                                                                   \
	"SELECT name, expression, parts FROM mail.snapshot_score_composites"

/* In that order: rules need their symbols, composites their names. The first column names
 * the row. */
static const struct {
	const char *sql;
	enum pw_status (*take)(const struct tool_rules *into,
	                       const struct pw_db_result *rows, size_t row,
	                       struct pw_buf *why_out);
} tables[QUERIES] = {
	[SYMBOLS] = { "SELECT name, weight, enabled, dry_run, grp FROM "
	              "mail.snapshot_symbols",
	              set_symbol },
	[GROUPS] = { "SELECT grp, max_score FROM mail.snapshot_groups", set_group },
	[ACTIONS] = { "SELECT action, threshold, dry_run FROM mail.snapshot_actions",
	              set_action },
	[RULES] = { "SELECT name, kind, field, pattern, flags FROM "
	            "mail.snapshot_score_rules",
	            add_rule },
	[MAPS] = { "SELECT name, property, authenticated FROM mail.snapshot_score_maps",
	           add_map },
	[MAP_ENTRIES] = { "SELECT map, entry FROM mail.snapshot_score_map_entries",
	                  add_entry },
	[COMPOSITE_NAMES] = { COMPOSITES_SQL, name_composite },
	[COMPOSITES] = { COMPOSITES_SQL, add_composite },
};

static bool read_rows(const struct tool_rules *into, int query,
                      struct pw_db_session *session)
{
	PW_AUTO(pw_db_result_free)
	struct pw_db_result *rows = tool_query(session, tables[query].sql, 0, NULL);

	if (rows == NULL)
		return false;
	for (size_t i = 0; i < pw_db_rows(rows); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
		enum pw_status r = tables[query].take(into, rows, i, &why);

		if (r != PW_OK)
			(void)fprintf(stderr, "postwardctl scan: %.*s is left out: %s\n",
			              PW_FMT(pw_db_value(rows, i, 0)),
			              why.len > 0 ? pw_buf_text(&why)
			                          : pw_status_text(r));
	}
	return true;
}

bool tool_weights_load(const struct tool_rules *into, const char *conninfo, int *exit_out)
{
	PW_AUTO(pw_db_session_close)
	struct pw_db_session *session = tool_database_open(conninfo, exit_out);

	if (session == NULL)
		return false;
	for (int i = 0; i < QUERIES; i++)
		if (!read_rows(into, i, session)) {
			*exit_out = EX_UNAVAILABLE;
			return false;
		}
	*exit_out = EX_OK;
	return true;
}
