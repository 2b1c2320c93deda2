/* Statements of a transaction that goes on when a row is refused. */
#pragma once

#include "core/buf.h"
#include "db/session.h"

/* Run a statement without values; on failure why_out says what.
 *
 * Errors  as pw_db_session_exec */
PW_MUST_CHECK enum pw_status tool_run(struct pw_db_session *session, const char *sql,
                                      struct pw_buf *why_out);
/* The server's message and hint in one line; result may be NULL. */
void tool_put_why(struct pw_buf *out, enum pw_status r,
                  const struct pw_db_result *result);
/* The server refused that one statement, the session goes on. */
bool tool_is_refusal(enum pw_status r);
