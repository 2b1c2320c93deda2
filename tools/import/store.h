/* Carry out a plan: one transaction, each row by itself within it. */
#pragma once

#include "db/session.h"
#include "tools/import/plan.h"

struct import_how {
	bool is_update;  /* rows that are there get what the plan says */
	bool is_dry_run; /* all is undone at the end */
};

struct import_result {
	size_t made[IMPORT_KINDS], updated[IMPORT_KINDS], kept[IMPORT_KINDS];
	struct import_notes kept_rows; /* which; lives in the plan */
};

/* What the database refuses is noted in the plan as skipped.
 *
 * why_out  on failure: the server's words
 *
 * Errors  as pw_db_session_exec; then nothing has been changed */
PW_MUST_CHECK enum pw_status import_store(struct pw_db_session *session,
                                          struct import_plan *plan,
                                          const struct import_how *how,
                                          struct import_result *out,
                                          struct pw_buf *why_out);
