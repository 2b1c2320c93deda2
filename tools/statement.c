#include "tools/statement.h"

void tool_put_why(struct pw_buf *out, enum pw_status r, const struct pw_db_result *result)
{
	const char *message = result ? pw_db_message(result) : "";
	const char *hint = result ? pw_db_hint(result) : "";

	pw_buf_printf(out, "%s", message[0] ? message : pw_status_text(r));
	if (hint[0])
		pw_buf_printf(out, " (%s)", hint);
}

enum pw_status tool_run(struct pw_db_session *session, const char *sql,
                        struct pw_buf *why_out)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	enum pw_status r = pw_db_session_exec(session, sql, NULL, 0, INT64_MAX, &result);

	if (r != PW_OK)
		tool_put_why(why_out, r, result);
	return r;
}

bool tool_is_refusal(enum pw_status r)
{
	return r == PW_ERR_PROTOCOL || r == PW_ERR_DENIED;
}
