#include "db/async.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/group.h"

/* Most queries sent and not answered: a slow server shall not make libpq's buffer grow.
 */
#define FLIGHT_MAX 256
#define STATEMENTS_MAX 64
/* Queries that may go as one wait for each other while so many are being answered, until
 * there are enough of them: alone a query goes at once, under load the server works on
 * one group while the next one gathers. */
#define GROUPS_BUSY 2
#define GROUP_ENOUGH 32
/* A server that does not even stop a statement this long after its timeout is dead. */
#define STALL_GRACE_MS 1000

enum state {
	ASYNC_IDLE,       /* no connection */
	ASYNC_CONNECTING, /* PQconnectPoll */
	ASYNC_UP,         /* pipeline mode */
};

/* clang-format off */
static const bool moves[3][3] = {
	/* from               IDLE   CONNECTING  UP */
	[ASYNC_IDLE]       = { false, true,       false },
	[ASYNC_CONNECTING] = { true,  false,      true },
	[ASYNC_UP]         = { true,  false,      false },
};
/* clang-format on */

struct prepared {
	const struct pw_db_statement *statement;
	uint64_t number;
};

struct pw_db_async {
	struct pw_db_target *target;
	struct pw_db_loop loop;
	size_t queue_max;
	struct requests all;
	enum state state;
	PGconn *pg;
	/* What the loop watches is a duplicate of libpq's socket: libpq closes its own
	 * whenever it likes (and the number may at once belong to something else), which
	 * loops do not survive. */
	int fd;
	unsigned int want;
	int64_t armed_ms; /* the timer; -1 = none */
	int64_t connect_deadline_ms;
	struct pw_db_backoff backoff;
	struct prepared prepared[STATEMENTS_MAX]; /* on this connection */
	size_t prepared_count;
	uint64_t preparations; /* ever */
	bool wants_connection;
	bool is_closing;
};

static int64_t now_of(const struct pw_db_async *a)
{
	return a->loop.now_ms(a->loop.arg);
}

static const struct pw_db_config *config_of(const struct pw_db_async *a)
{
	return pw_db_target_config(a->target);
}

static void enter(struct pw_db_async *a, enum state to)
{
	assert(moves[a->state][to]);
	(void)moves;
	a->state = to;
}

enum pw_status pw_db_async_open(struct pw_db_async **out,
                                const struct pw_db_config *config,
                                const struct pw_db_loop *loop, size_t queue_max,
                                struct pw_buf *why_out)
{
	struct pw_db_async *a = calloc(1, sizeof(*a));
	enum pw_status r;

	if (!a)
		return PW_ERR_NOMEM;
	if ((r = pw_db_target_new(&a->target, config, why_out)) != PW_OK) {
		free(a);
		return r;
	}
	a->loop = *loop;
	a->queue_max = queue_max;
	a->fd = -1;
	a->armed_ms = -1;
	requests_init(&a->all);
	*out = a;
	return PW_OK;
}

/* ---- the loop ---- */

static void watch(struct pw_db_async *a, unsigned int want)
{
	if (a->fd < 0 || want == a->want)
		return;
	a->want = want;
	a->loop.watch(a->loop.arg, a->fd, want);
}

static void unwatch(struct pw_db_async *a)
{
	if (a->fd < 0)
		return;
	watch(a, 0);
	(void)close(a->fd);
	a->fd = -1;
}

/* Take hold of the socket libpq uses now. */
static bool hold_socket(struct pw_db_async *a)
{
	unwatch(a);
	if (PQsocket(a->pg) >= 0)
		a->fd = fcntl(PQsocket(a->pg), F_DUPFD_CLOEXEC, 0);
	return a->fd >= 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t stall_ms(const struct pw_db_async *a)
{
	return config_of(a)->statement_timeout_ms + STALL_GRACE_MS;
}

static bool wants_connection(const struct pw_db_async *a)
{
	return a->state == ASYNC_IDLE && !a->is_closing &&
	       (a->wants_connection || a->all.waiting.first);
}

/* Set the timer to whatever comes first. One that is set too early is left alone: it
 * costs a call for nothing, setting it anew would cost one per query. */
static void arm(struct pw_db_async *a)
{
	int64_t at = a->all.next_deadline_ms;

	if (a->all.finished)
		at = 0;
	if (a->state == ASYNC_CONNECTING)
		at = earlier(at, a->connect_deadline_ms);
	if (wants_connection(a))
		at = earlier(at, a->backoff.next_ms);
	if (a->all.flight.first)
		at = earlier(at, a->all.flight.first->sent_ms + stall_ms(a));
	if (at == INT64_MAX)
		at = -1;
	if (at == -1 || (a->armed_ms != -1 && a->armed_ms <= at))
		return;
	a->armed_ms = at;
	a->loop.timer(a->loop.arg, at);
}

/* ---- the connection's life ---- */

static void drop(struct pw_db_async *a)
{
	unwatch(a);
	PQfinish(a->pg);
	a->pg = NULL;
	a->prepared_count = 0;
	enter(a, ASYNC_IDLE);
	requests_lost(&a->all);
}

static void connect_failed(struct pw_db_async *a, const char *what)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	pw_buf_puts(&why, pw_str_from(what));
	if (a->pg)
		pw_db_error_line(&why, a->pg);
	a->wants_connection = false;
	drop(a);
	if (pw_db_backoff_failed(&a->backoff, now_of(a)))
		pw_db_tell(a->target, PW_DB_UNREACHABLE, pw_buf_text(&why), 0);
}

static void connection_lost(struct pw_db_async *a, const char *what)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	pw_buf_puts(&why, pw_str_from(what));
	if (what[0] == '\0')
		pw_db_error_line(&why, a->pg);
	drop(a);
	pw_db_tell(a->target, PW_DB_LOST, pw_buf_text(&why), 0);
}

static void connect_begin(struct pw_db_async *a)
{
	enter(a, ASYNC_CONNECTING);
	a->connect_deadline_ms = now_of(a) + config_of(a)->connect_timeout_ms;
	a->pg = pw_db_target_start(a->target, a->backoff.failures);
	if (!a->pg || PQstatus(a->pg) == CONNECTION_BAD || !hold_socket(a))
		connect_failed(a, "");
	else
		watch(a, PW_DB_WRITE);
}

static bool flush(struct pw_db_async *a)
{
	int n = PQflush(a->pg);

	if (n >= 0)
		watch(a, PW_DB_READ | (n == 1 ? PW_DB_WRITE : 0));
	return n >= 0;
}

/* ---- sending ---- */

static struct prepared *find_prepared(struct pw_db_async *a,
                                      const struct pw_db_statement *statement)
{
	for (size_t i = 0; i < a->prepared_count; i++)
		if (a->prepared[i].statement == statement)
			return &a->prepared[i];
	return NULL;
}

/* The preparation this request relied on is not there. Another request behind it may have
 * made a new one in the meantime: that one stays. */
static void forget_prepared(struct pw_db_async *a, const struct request *r)
{
	struct prepared *p = find_prepared(a, r->sent_as);

	if (p && p->number == r->preparation)
		*p = a->prepared[--a->prepared_count];
}

/* Each query ends with a sync of its own, so that one that fails does not abort those
 * behind it. What is first seen on this connection is prepared on the way. */
static bool send_prepared(struct pw_db_async *a, struct request *r,
                          const struct pw_db_params *params)
{
	const struct pw_db_statement *st = r->sent_as;
	struct prepared *p = find_prepared(a, st);

	if (!p) {
		if (PQsendPrepare(a->pg, st->name, st->sql, 0, NULL) == 0)
			return false;
		p = &a->prepared[a->prepared_count++];
		*p = (struct prepared){ st, ++a->preparations };
		r->prepares = true;
	}
	r->preparation = p->number;
	return PQsendQueryPrepared(a->pg, st->name, params->count, params->values, NULL,
	                           NULL, 0) == 1;
}

static bool send_params(struct pw_db_async *a, struct request *r,
                        const struct pw_db_params *params)
{
	bool prepare = config_of(a)->prepared && (find_prepared(a, r->sent_as) ||
	                                          a->prepared_count < STATEMENTS_MAX);
	bool sent = prepare ? send_prepared(a, r, params)
	                    : PQsendQueryParams(a->pg, r->sent_as->sql, params->count,
	                                        NULL, params->values, NULL, NULL, 0) == 1;

	return sent && PQpipelineSync(a->pg) == 1;
}

/* The first of a group. */
static bool send_request(struct pw_db_async *a, struct request *r)
{
	PW_AUTO(pw_db_params_done) struct pw_db_params arrays = { 0 };

	if (r->group == 1)
		return send_params(a, r, &r->params);
	return group_params(&arrays, r) == PW_OK && send_params(a, r, &arrays);
}

/* How many of those that wait should go now, as one; 0 = none yet. */
static size_t next_group(const struct pw_db_async *a)
{
	size_t n;

	if (!a->all.waiting.first || a->all.flight.count >= FLIGHT_MAX)
		return 0;
	n = requests_alike(&a->all);
	return a->all.waiting.first->statement->many && n < GROUP_ENOUGH &&
	                       a->all.groups >= GROUPS_BUSY
	               ? 0
	               : n;
}

/* Send what waits, as far as there is room in flight. */
static void send_waiting(struct pw_db_async *a)
{
	size_t n;

	while (a->state == ASYNC_UP && (n = next_group(a)) > 0)
		if (!send_request(a, requests_sent(&a->all, n, now_of(a))))
			connection_lost(a, ""); /* half sent is as good as sent */
	if (a->state == ASYNC_UP && !flush(a))
		connection_lost(a, "");
}

static void connect_done(struct pw_db_async *a)
{
	if (PQsetnonblocking(a->pg, 1) != 0 || PQenterPipelineMode(a->pg) == 0 ||
	    !hold_socket(a)) {
		connect_failed(a, "");
		return;
	}
	enter(a, ASYNC_UP);
	a->wants_connection = false;
	(void)pw_db_backoff_done(&a->backoff);
	pw_db_tell(a->target, PW_DB_CONNECTED, PQhost(a->pg), 0);
	send_waiting(a);
}

static void connect_step(struct pw_db_async *a)
{
	PostgresPollingStatusType step = PQconnectPoll(a->pg);

	if (step == PGRES_POLLING_OK)
		connect_done(a);
	else if (step == PGRES_POLLING_FAILED ||
	         !hold_socket(a)) /* may be a new socket */
		connect_failed(a, "");
	else
		watch(a, step == PGRES_POLLING_READING ? PW_DB_READ : PW_DB_WRITE);
}

/* ---- receiving ---- */

/* One result of the first request in flight: the first failure counts, else the last. */
static void take_result(struct pw_db_async *a, struct request *r, PGresult *result)
{
	struct pw_db_result *mine = pw_db_result_from(result);
	bool is_good = PQresultStatus(result) == PGRES_COMMAND_OK ||
	               PQresultStatus(result) == PGRES_TUPLES_OK;

	if (r->prepares && !r->prepared) {
		r->prepared = is_good;
		if (!is_good)
			forget_prepared(a, r);
	}
	if (r->has_failed) {
		pw_db_result_free(&mine);
		return;
	}
	r->has_failed = !is_good;
	pw_db_result_free(&r->result);
	r->result = mine;
}

/* Take what has arrived. Returns false when the connection is of no more use. */
static bool receive(struct pw_db_async *a)
{
	unsigned int nothing = 0; /* NULLs in a row: one ends a query, two all of them */

	while (a->all.flight.first && nothing < 2 && !PQisBusy(a->pg)) {
		PGresult *result = PQgetResult(a->pg);

		nothing = result ? 0 : nothing + 1;
		if (!result)
			continue;
		if (PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
			take_result(a, a->all.flight.first, result);
			continue;
		}
		PQclear(result);
		if (requests_is_unprepared(a->all.flight.first))
			forget_prepared(a, a->all.flight.first);
		if (requests_answered(&a->all))
			return false;
	}
	return PQstatus(a->pg) == CONNECTION_OK;
}

/* The server says goodbye in a result of the first request, without a sync after it. */
static bool was_told_goodbye(const struct pw_db_async *a)
{
	bool ends = false;
	const struct request *r = a->all.flight.first;

	if (r && r->result)
		(void)pw_db_judge(r->result, &ends);
	return ends && pw_db_sqlstate(r->result)[0] != '\0';
}

static void ready(struct pw_db_async *a)
{
	bool is_good = PQconsumeInput(a->pg) == 1;

	is_good = receive(a) && is_good;
	if (!is_good && was_told_goodbye(a))
		(void)requests_answered(&a->all);
	if (is_good)
		send_waiting(a);
	else
		connection_lost(a, "");
}

/* ---- entries ---- */

/* Every entry ends here, but the one that must not run callbacks. */
static void settle(struct pw_db_async *a)
{
	requests_deliver(&a->all);
	arm(a);
}

void pw_db_async_on_fd(struct pw_db_async *a)
{
	if (a->state == ASYNC_CONNECTING)
		connect_step(a);
	else if (a->state == ASYNC_UP)
		ready(a);
	settle(a);
}

void pw_db_async_on_timer(struct pw_db_async *a)
{
	int64_t now = now_of(a);

	a->armed_ms = -1;
	if (a->state == ASYNC_CONNECTING && now >= a->connect_deadline_ms)
		connect_failed(a, "no answer in time; ");
	if (a->state == ASYNC_UP && a->all.flight.first &&
	    now >= a->all.flight.first->sent_ms + stall_ms(a))
		connection_lost(a, "no answer in time");
	requests_expire(&a->all, now);
	if (wants_connection(a) && now >= a->backoff.next_ms)
		connect_begin(a);
	settle(a);
}

void pw_db_async_connect(struct pw_db_async *a)
{
	a->wants_connection = a->state == ASYNC_IDLE;
	arm(a);
}

enum pw_status pw_db_async_query(struct pw_db_async *a,
                                 const struct pw_db_statement *statement,
                                 const struct pw_str *params, size_t count,
                                 int64_t deadline_ms, pw_db_async_done_fn *done,
                                 void *arg)
{
	enum pw_status r;

	if (a->is_closing)
		return PW_ERR_AWAY;
	if (a->all.pending >= a->queue_max)
		return PW_ERR_LIMIT;
	if ((r = requests_add(&a->all, statement, params, count, deadline_ms, done,
	                      arg)) != PW_OK)
		return r;
	if (a->state == ASYNC_UP)
		send_waiting(a);
	arm(a);
	return PW_OK;
}

void pw_db_async_close(struct pw_db_async **client)
{
	struct pw_db_async *a = *client;

	if (!a)
		return;
	a->is_closing = true;
	requests_abandon(&a->all);
	if (a->state != ASYNC_IDLE)
		drop(a);
	requests_deliver(&a->all);
	if (a->armed_ms != -1)
		a->loop.timer(a->loop.arg, -1);
	pw_db_target_free(&a->target);
	free(a);
	*client = NULL;
}

bool pw_db_async_is_up(const struct pw_db_async *a)
{
	return a->state == ASYNC_UP;
}

size_t pw_db_async_pending(const struct pw_db_async *a)
{
	return a->all.pending;
}
