#include "db/group.h"

#include <stdlib.h>
#include <string.h>

/* Most bytes of parameters sent as one, unless it is one query's. */
#define GROUP_BYTES_MAX 65536

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

static bool is_alike(const struct request *first, const struct request *r)
{
	return r == first || (first->statement->many && !first->is_alone &&
	                      r->statement == first->statement && !r->is_alone);
}

size_t requests_alike(const struct requests *all)
{
	const struct request *first = all->waiting.first;
	size_t n = 0, bytes = 0;

	if (!first->statement->many || first->is_alone)
		return 1;
	for (const struct request *r = first; r && n < REQUESTS_GROUP_MAX; r = r->next) {
		if (!is_alike(first, r))
			continue;
		bytes += r->params.bytes;
		if (n > 0 && bytes > GROUP_BYTES_MAX)
			break;
		n++;
	}
	return n;
}

struct request *requests_sent(struct requests *all, size_t count, int64_t now_ms)
{
	struct request *first = all->waiting.first, **at = &all->waiting.first, *r;

	for (size_t n = 0; n < count && (r = *at);) {
		if (!is_alike(first, r)) {
			at = &r->next;
			continue;
		}
		if (!(*at = r->next))
			all->waiting.last = at;
		all->waiting.count--;
		r->group = n++ == 0 ? count : 0;
		r->sent_as = count > 1 ? r->statement->many : r->statement;
		r->sent_ms = now_ms;
		push(&all->flight, r);
	}
	all->groups++;
	return first;
}

/* Back to the head of waiting. */
static void put_back(struct requests *all, struct request *r)
{
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

static bool is_refusal(enum pw_status status)
{
	return status == PW_ERR_DENIED || status == PW_ERR_PROTOCOL;
}

/* An answer that stands for one request, or for what it says about each of several.
 * Takes the result over. */
static void finish_group(struct requests *all, struct request *const members[],
                         size_t count, enum pw_status status, struct pw_db_result *result)
{
	struct pw_db_result *parts[REQUESTS_GROUP_MAX] = { NULL };

	if (count > 1 && status == PW_OK && !group_split(result, parts, count))
		status = PW_ERR_NOMEM;
	if (count == 1 && (status == PW_OK || is_refusal(status)))
		parts[0] = PW_TAKE(result);
	for (size_t i = 0; i < count; i++)
		finish(all, members[i], status, parts[i]);
	pw_db_result_free(&result);
}

/* The server did not carry it out: even what is not repeatable may go again, once; and
 * once more by itself if it was the group's statement the server would not have. */
static void finish_again(struct requests *all, struct request *const members[],
                         size_t count, enum pw_status status, bool ends)
{
	bool may_part = count > 1 && !ends;

	while (count-- > 0) {
		struct request *r = members[count];

		if (r->is_finished || (r->was_resent && !may_part)) {
			finish(all, r, status, NULL);
			continue;
		}
		r->is_alone = r->is_alone || r->was_resent;
		r->was_resent = true;
		put_back(all, r);
	}
}

/* One of them is to blame, which its own answer will tell. */
static void finish_singly(struct requests *all, struct request *const members[],
                          size_t count)
{
	while (count-- > 0) {
		struct request *r = members[count];

		r->is_alone = true;
		if (r->is_finished)
			finish(all, r, PW_ERR_TIMEOUT, NULL);
		else
			put_back(all, r);
	}
}

bool requests_answered(struct requests *all)
{
	struct request *members[REQUESTS_GROUP_MAX], *first = all->flight.first;
	size_t count = first->group;
	bool ends, is_stale = is_outdated(first),
		   again = requests_is_unprepared(first) || is_stale;
	struct pw_db_result *result = PW_TAKE(first->result);
	enum pw_status status = pw_db_judge(result, &ends);

	for (size_t i = 0; i < count; i++)
		members[i] = pop(&all->flight);
	all->groups--;
	if (ends || again)
		finish_again(all, members, count, status, ends);
	else if (count > 1 && is_refusal(status))
		finish_singly(all, members, count);
	else
		finish_group(all, members, count, status, PW_TAKE(result));
	pw_db_result_free(&result);
	return ends || is_stale;
}

void requests_lost(struct requests *all)
{
	struct request_queue flight = all->flight;
	struct request *again = NULL, *r;

	if (!flight.first)
		return;
	all->groups = 0;
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
		r->was_resent = true;
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
	all->groups = 0;
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
