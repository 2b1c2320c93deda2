#include "db/request.h"

#include <stdlib.h>
#include <string.h>

void requests_init(struct requests *all)
{
	*all = (struct requests){ .next_deadline_ms = INT64_MAX };
	all->waiting.last = &all->waiting.first;
	all->flight.last = &all->flight.first;
	all->finished_last = &all->finished;
}

static void push(struct request_queue *q, struct request *r)
{
	r->next = NULL;
	r->is_queued = true;
	*q->last = r;
	q->last = &r->next;
	q->count++;
}

static struct request *pop(struct request_queue *q)
{
	struct request *r = q->first;

	q->first = r->next;
	if (!q->first)
		q->last = &q->first;
	q->count--;
	r->is_queued = false;
	return r;
}

static void release(struct request *r)
{
	if (r->is_queued || !r->is_delivered)
		return;
	pw_db_result_free(&r->result);
	pw_db_params_done(&r->params);
	free(r);
}

/* Its fate is known; takes the result over. A second fate is ignored. */
static void finish(struct requests *all, struct request *r, enum pw_status status,
                   struct pw_db_result *result)
{
	if (r->is_finished) {
		pw_db_result_free(&result);
		release(r);
		return;
	}
	pw_db_result_free(&r->result);
	r->result = result;
	r->status = status;
	r->is_finished = true;
	r->next_finished = NULL;
	*all->finished_last = r;
	all->finished_last = &r->next_finished;
}

enum pw_status requests_add(struct requests *all, const struct pw_db_statement *statement,
                            const struct pw_str *params, size_t count,
                            int64_t deadline_ms, pw_db_async_done_fn *done, void *arg)
{
	struct request *r = calloc(1, sizeof(*r));
	enum pw_status status;

	if (!r)
		return PW_ERR_NOMEM;
	if ((status = pw_db_params_init(&r->params, params, count)) != PW_OK) {
		free(r);
		return status;
	}
	r->statement = statement;
	r->deadline_ms = deadline_ms;
	r->done = done;
	r->arg = arg;
	push(&all->waiting, r);
	all->pending++;
	if (deadline_ms < all->next_deadline_ms)
		all->next_deadline_ms = deadline_ms;
	return PW_OK;
}

void requests_sent(struct requests *all, int64_t now_ms)
{
	struct request *r = pop(&all->waiting);

	r->sent_ms = now_ms;
	push(&all->flight, r);
}

/* Back to the head of waiting, for its second and last try. */
static void put_back(struct requests *all, struct request *r)
{
	r->was_resent = true;
	r->prepares = r->prepared = r->has_failed = false;
	pw_db_result_free(&r->result);
	r->next = all->waiting.first;
	all->waiting.first = r;
	if (!r->next)
		all->waiting.last = &r->next;
	all->waiting.count++;
	r->is_queued = true;
}

bool requests_is_unprepared(const struct request *r)
{
	return strcmp(pw_db_sqlstate(r->result), "26000") == 0;
}

/* "Cached plan must not change result type": a migration went over a prepared statement.
 * The session cannot prepare the name again, a new one can. */
static bool is_outdated(const struct request *r)
{
	return !r->prepares && strcmp(pw_db_sqlstate(r->result), "0A000") == 0;
}

bool requests_answered(struct requests *all)
{
	struct request *r = pop(&all->flight);
	bool ends, is_stale = is_outdated(r),
		   again = requests_is_unprepared(r) || is_stale;
	struct pw_db_result *result = PW_TAKE(r->result);
	enum pw_status status = pw_db_judge(result, &ends);

	/* the server says it did not carry it out: even what is not repeatable may go
	 * again */
	if ((ends || again) && !r->was_resent && !r->is_finished) {
		pw_db_result_free(&result);
		put_back(all, r);
	} else {
		if (status != PW_OK && status != PW_ERR_DENIED &&
		    status != PW_ERR_PROTOCOL)
			pw_db_result_free(&result);
		finish(all, r, status, result);
	}
	return ends || is_stale;
}

void requests_lost(struct requests *all)
{
	struct request_queue flight = all->flight;
	struct request *again = NULL, *r;

	if (!flight.first)
		return;
	all->flight = (struct request_queue){ 0 };
	all->flight.last = &all->flight.first;
	flight.last = NULL;
	while ((r = flight.first)) { /* `again` comes out in reverse order */
		flight.first = r->next;
		r->is_queued = false;
		if (r->statement->is_repeatable && !r->was_resent && !r->is_finished) {
			r->next = again;
			again = r;
		} else {
			finish(all, r, PW_ERR_AWAY, NULL);
		}
	}
	while ((r = again)) {
		again = r->next;
		put_back(all, r);
	}
}

static void expire_flight(struct requests *all, int64_t now_ms)
{
	for (struct request *r = all->flight.first; r; r = r->next)
		if (r->is_finished)
			continue;
		else if (r->deadline_ms <= now_ms)
			finish(all, r, PW_ERR_TIMEOUT, NULL);
		else if (r->deadline_ms < all->next_deadline_ms)
			all->next_deadline_ms = r->deadline_ms;
}

static void expire_waiting(struct requests *all, int64_t now_ms)
{
	for (size_t n = all->waiting.count; n > 0; n--) {
		struct request *r = pop(&all->waiting);

		if (r->deadline_ms <= now_ms) {
			finish(all, r, PW_ERR_TIMEOUT, NULL);
			continue;
		}
		if (r->deadline_ms < all->next_deadline_ms)
			all->next_deadline_ms = r->deadline_ms;
		push(&all->waiting, r);
	}
}

void requests_expire(struct requests *all, int64_t now_ms)
{
	if (now_ms < all->next_deadline_ms)
		return;
	all->next_deadline_ms = INT64_MAX;
	expire_flight(all, now_ms);
	expire_waiting(all, now_ms);
}

void requests_abandon(struct requests *all)
{
	while (all->flight.first)
		finish(all, pop(&all->flight), PW_ERR_AWAY, NULL);
	while (all->waiting.first)
		finish(all, pop(&all->waiting), PW_ERR_AWAY, NULL);
}

void requests_deliver(struct requests *all)
{
	struct request *r;

	while ((r = all->finished)) {
		all->finished = r->next_finished;
		if (!all->finished)
			all->finished_last = &all->finished;
		all->pending--;
		r->is_delivered = true;
		if (r->done)
			r->done(r->arg, r->status, r->result);
		release(r);
	}
}
