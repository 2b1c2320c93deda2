#include "db/conn.h"

#include <errno.h>
#include <poll.h>

#include "io/clock.h"

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void pw_db_conn_close(struct pw_db_conn *conn)
{
	PQfinish(conn->pg); /* non-blocking: it does not wait; accepts NULL */
	conn->pg = NULL;
}

/* Wait for the socket. Errors  PW_ERR_TIMEOUT, PW_ERR_AWAY (stop_fd, or no socket) */
static enum pw_status wait_socket(struct pw_db_conn *conn, short events,
                                  int64_t deadline_ms)
{
	struct pollfd fds[2] = {
		{ .fd = PQsocket(conn->pg), .events = events },
		{ .fd = conn->stop_fd, .events = POLLIN }, /* -1 is skipped */
	};

	if (fds[0].fd < 0)
		return PW_ERR_AWAY;
	for (;;) {
		int64_t left = deadline_ms - pw_clock_mono_ms();
		int n;

		if (left <= 0)
			return PW_ERR_TIMEOUT;
		n = poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left);
		if (n < 0 && errno != EINTR)
			return PW_ERR_AWAY;
		if (n > 0)
			return fds[1].revents != 0 ? PW_ERR_AWAY : PW_OK;
	}
}

/* ---- opening ---- */

static enum pw_status connect_steps(struct pw_db_conn *conn, int64_t deadline_ms)
{
	enum pw_status r;

	if (PQstatus(conn->pg) == CONNECTION_BAD)
		return PW_ERR_AWAY;
	/* the manual of PQconnectPoll: behave first as if it had wanted to write; the
	 * socket may be another one after each step */
	for (short events = POLLOUT;;) {
		if ((r = wait_socket(conn, events, deadline_ms)) != PW_OK)
			return r;
		switch (PQconnectPoll(conn->pg)) {
		case PGRES_POLLING_OK:
			return PW_OK;
		case PGRES_POLLING_READING:
			events = POLLIN;
			break;
		case PGRES_POLLING_WRITING:
			events = POLLOUT;
			break;
		case PGRES_POLLING_FAILED:
		case PGRES_POLLING_ACTIVE:
		default:
			return PW_ERR_AWAY;
		}
	}
}

static void say_why(struct pw_buf *why_out, const struct pw_db_conn *conn,
                    enum pw_status r)
{
	if (r == PW_ERR_TIMEOUT)
		pw_buf_puts(why_out, PW_STR("no answer in time; "));
	pw_db_error_line(why_out, conn->pg);
	if (why_out->len == 0)
		pw_buf_puts(why_out, pw_str_from(pw_status_text(r)));
}

enum pw_status pw_db_conn_open(struct pw_db_conn *conn, unsigned int failures,
                               int64_t deadline_ms, struct pw_buf *why_out)
{
	enum pw_status r;

	deadline_ms =
		earlier(deadline_ms,
	                pw_clock_mono_ms() +
	                        pw_db_target_config(conn->target)->connect_timeout_ms);
	pw_db_conn_close(conn);
	if (!(conn->pg = pw_db_target_start(conn->target, failures)))
		return PW_ERR_NOMEM;
	r = connect_steps(conn, deadline_ms);
	if (r == PW_OK && PQsetnonblocking(conn->pg, 1) == 0)
		return PW_OK;
	say_why(why_out, conn, r);
	pw_db_conn_close(conn);
	return r == PW_ERR_TIMEOUT || r == PW_ERR_NOMEM ? r : PW_ERR_AWAY;
}

bool pw_db_conn_is_alive(struct pw_db_conn *conn)
{
	struct pollfd fd = { .fd = conn->pg ? PQsocket(conn->pg) : -1, .events = POLLIN };

	/* An idle server has nothing to say but goodbye; that its end of the socket is
	 * closed shows only after the words have been read. What else it might say (a
	 * changed parameter) is worth a new connection. */
	return fd.fd >= 0 && poll(&fd, 1, 0) == 0;
}

/* ---- statements ---- */

static enum pw_status flush(struct pw_db_conn *conn, int64_t deadline_ms)
{
	enum pw_status r;
	int n;

	while ((n = PQflush(conn->pg)) == 1) {
		/* reading too, or both sides could wait for each other */
		if ((r = wait_socket(conn, POLLIN | POLLOUT, deadline_ms)) != PW_OK)
			return r;
		if (PQconsumeInput(conn->pg) == 0)
			return PW_ERR_AWAY;
	}
	return n == 0 ? PW_OK : PW_ERR_AWAY;
}

/* No statement of ours copies; the connection would wait for us for ever. */
static bool is_copy(const PGresult *result)
{
	ExecStatusType kind = PQresultStatus(result);

	return kind == PGRES_COPY_IN || kind == PGRES_COPY_OUT || kind == PGRES_COPY_BOTH;
}

/* Read to the end of the answer and keep the last result. */
static enum pw_status collect(struct pw_db_conn *conn, int64_t deadline_ms,
                              struct pw_db_result **out)
{
	PGresult *next;
	enum pw_status r;

	for (;;) {
		while (PQisBusy(conn->pg)) {
			if ((r = wait_socket(conn, POLLIN, deadline_ms)) != PW_OK)
				return r;
			if (PQconsumeInput(conn->pg) == 0)
				return PW_ERR_AWAY;
		}
		if (!(next = PQgetResult(conn->pg)))
			return *out ? PW_OK : PW_ERR_AWAY;
		pw_db_result_free(out);
		*out = pw_db_result_from(next);
		if (is_copy(next))
			return PW_ERR_PROTOCOL;
	}
}

/* Send and read; PW_OK means that there is an answer, whatever it says. Without params it
 * is a script. */
static enum pw_status converse(struct pw_db_conn *conn, const char *sql,
                               const struct pw_db_params *params, int64_t deadline_ms,
                               struct pw_db_result **out)
{
	enum pw_status r;
	int sent = params ? PQsendQueryParams(conn->pg, sql, params->count, NULL,
	                                      params->values, NULL, NULL, 0)
	                  : PQsendQuery(conn->pg, sql);

	if (sent == 0)
		return PW_ERR_AWAY;
	if ((r = flush(conn, deadline_ms)) != PW_OK)
		return r;
	return collect(conn, deadline_ms, out);
}

/* Converse, judge, close what is broken. */
static enum pw_status carry_out(struct pw_db_conn *conn, const char *sql,
                                const struct pw_db_params *params, int64_t deadline_ms,
                                struct pw_db_result **out, bool *in_doubt_out)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	bool ends = true;
	enum pw_status r;

	if (!conn->pg)
		return PW_ERR_AWAY;
	if ((r = converse(conn, sql, params, deadline_ms, &result)) == PW_OK)
		r = pw_db_judge(result, &ends);
	if (ends)
		pw_db_conn_close(conn);
	/* a connection that broke says nothing about what came before */
	if (in_doubt_out)
		*in_doubt_out = ends && pw_db_sqlstate(result)[0] == '\0';
	if (out && (r == PW_OK || r == PW_ERR_DENIED || r == PW_ERR_PROTOCOL))
		*out = PW_TAKE(result);
	return r;
}

enum pw_status pw_db_conn_exec(struct pw_db_conn *conn, const char *sql,
                               const struct pw_str *params, size_t count,
                               int64_t deadline_ms, struct pw_db_result **out,
                               bool *in_doubt_out)
{
	PW_AUTO(pw_db_params_done) struct pw_db_params sent = { 0 };
	enum pw_status r;

	if (in_doubt_out)
		*in_doubt_out = false;
	if ((r = pw_db_params_init(&sent, params, count)) != PW_OK)
		return r;
	return carry_out(conn, sql, &sent, deadline_ms, out, in_doubt_out);
}

enum pw_status pw_db_conn_script(struct pw_db_conn *conn, const char *script,
                                 int64_t deadline_ms, struct pw_db_result **out)
{
	return carry_out(conn, script, NULL, deadline_ms, out, NULL);
}

/* ---- listening ---- */

bool pw_db_conn_wait(struct pw_db_conn *conn, int other_fd, int64_t deadline_ms)
{
	struct pollfd fds[3] = {
		{ .fd = conn->pg ? PQsocket(conn->pg) : -1, .events = POLLIN },
		{ .fd = conn->stop_fd, .events = POLLIN },
		{ .fd = other_fd, .events = POLLIN },
	};
	int64_t left = deadline_ms - pw_clock_mono_ms();

	if (left > 0)
		(void)poll(fds, 3, left > INT32_MAX ? INT32_MAX : (int)left);
	if (!conn->pg)
		return false;
	if (fds[0].revents == 0 ||
	    (PQconsumeInput(conn->pg) == 1 && PQstatus(conn->pg) == CONNECTION_OK))
		return true;
	pw_db_conn_close(conn);
	return false;
}

bool pw_db_conn_was_notified(struct pw_db_conn *conn)
{
	PGnotify *notify;
	bool any = false;

	while (conn->pg && (notify = PQnotifies(conn->pg))) {
		any = true;
		PQfreemem(notify);
	}
	return any;
}
