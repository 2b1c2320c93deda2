/* Postfix's tables over socketmap: glue between the bytes, the tables and what the
 * database is known to hold. */
#include "io/clock.h"
#include "io/log.h"
#include "policyd/daemon.h"
#include "policyd/map_text.h"
#include "policyd/tables.h"

static void *talk_open(void *arg, struct pw_buf *out)
{
	(void)out;
	return arg; /* a connection knows nothing */
}

static void talk_close(void *arg, void *session)
{
	(void)arg;
	(void)session;
}

/* clang-format off */
static const struct reply {
	enum map_status status;
	const char *text; /* for Postfix's log; empty: the value */
} replies[] = {
	[TABLES_FOUND]     = { MAP_OK,        "" },
	[TABLES_NOT_FOUND] = { MAP_NOT_FOUND, "" },
	[TABLES_NOT_SURE]  = { MAP_TEMP,      "unknown, but the database is away" },
	[TABLES_NO_DATA]   = { MAP_TEMP,      "the database was never there" },
	[TABLES_NO_TABLE]  = { MAP_PERM,      "there is no such table" },
	[TABLES_NO_MEMORY] = { MAP_TEMP,      "out of memory" },
};
/* clang-format on */

/* A change is being read, or the database has just gone or not come yet: it is worth a
 * moment before "no" becomes "not now". */
static bool may_wait(struct daemon *daemon, enum tables_answer answer)
{
	return (answer == TABLES_NOT_SURE || answer == TABLES_NO_DATA) &&
	       pw_clock_mono_ms() - daemon->fresh_ms <
	               daemon->settings->answer_deadline_ms;
}

static void tell(const struct map_request *request, enum map_status status)
{
	pw_count(&numbers, NUMBER_map_ok + (size_t)status, 1);
	if (status == MAP_PERM)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "no_such_table"),
		       PW_KV("table", pw_str_sub(request->table, 0, 100)), PW_KV_END);
}

static ssize_t talk_eat(void *arg, void *session, struct pw_str bytes, struct pw_buf *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	struct daemon *daemon = arg;
	struct tables_world world = {
		.catalog = daemon->world.catalog,
		.is_fresh = daemon_is_fresh(daemon),
		.is_foreign_sure = daemon->settings->stale_domain == STALE_FOREIGN,
	};
	struct map_request request;
	enum tables_answer answer;
	size_t length;

	(void)session;
	if (map_request_read(&request, &length, bytes) != PW_OK)
		return SERVER_CLOSE;
	if (length == 0)
		return SERVER_MORE;
	answer = tables_look_up(&value, &world, request.table, request.key);
	if (may_wait(daemon, answer))
		return SERVER_HOLD;
	tell(&request,
	     map_answer_put(out, replies[answer].status,
	                    answer == TABLES_FOUND ? pw_buf_str(&value)
	                                           : pw_str_from(replies[answer].text)));
	return (ssize_t)length;
}

const struct server_protocol map_protocol = {
	.input_max = MAP_REQUEST_MAX,
	.open = talk_open,
	.eat = talk_eat,
	.close = talk_close,
	.name = "map",
};
