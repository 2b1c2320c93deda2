/* Queries of the asynchronous client: their queues and their end; not for other rooms.
 *
 * A request is in one of two queues, waiting (not sent) or flight (sent, in the order of
 * the answers). Once its fate is known it also is in the queue of finished ones until its
 * callback has run. One whose deadline passed in flight stays there, finished, for its
 * answer to be thrown away. Those that were sent as one follow each other in flight; the
 * first one stands for them. */
#pragma once

#include "db/async.h"
#include "db/pg.h"

/* Most queries sent as one. */
#define REQUESTS_GROUP_MAX 64

struct request {
	struct request *next;          /* of waiting or flight */
	struct request *next_finished; /* of finished */
	const struct pw_db_statement *statement;
	struct pw_db_params params;
	int64_t deadline_ms, sent_ms;
	pw_db_async_done_fn *done; /* NULL: nobody asks (our own) */
	void *arg;
	enum pw_status status;
	struct pw_db_result *result;
	const struct pw_db_statement *sent_as; /* statement, or its many */
	size_t group; /* in flight: how many share its answer; 0 = it is not the first */
	uint64_t preparation; /* of sent_as that it relies on; 0 = none */
	bool is_queued;       /* in waiting or flight */
	bool is_finished;     /* its fate is known */
	bool is_delivered;    /* its callback has run */
	bool was_resent;
	bool is_alone;   /* was refused among others: goes by itself */
	bool prepares;   /* sent together with the preparation of its statement */
	bool prepared;   /* which went well */
	bool has_failed; /* result is the first failure */
};

struct request_queue {
	struct request *first, **last; /* last: where the next one is hung */
	size_t count;
};

struct requests {
	struct request_queue waiting, flight;
	struct request *finished, **finished_last;
	size_t groups;            /* in flight */
	size_t pending;           /* not delivered */
	int64_t next_deadline_ms; /* no unfinished one ends before; INT64_MAX = none */
};

void requests_init(struct requests *all);
/* Errors  as pw_db_async_query */
PW_MUST_CHECK enum pw_status requests_add(struct requests *all,
                                          const struct pw_db_statement *statement,
                                          const struct pw_str *params, size_t count,
                                          int64_t deadline_ms, pw_db_async_done_fn *done,
                                          void *arg);
/* How many in waiting may go together with the first one, and with it; at least 1, at
 * most REQUESTS_GROUP_MAX. There is a first one. */
size_t requests_alike(const struct requests *all);
/* So many of these go to the end of flight; returns the first one. */
struct request *requests_sent(struct requests *all, size_t count, int64_t now_ms);
/* The answer of the first ones in flight is complete: finish with what it says, or put
 * them back to wait if the server did not carry it out and they may be sent again.
 * Returns true when the connection is good for nothing any more. */
bool requests_answered(struct requests *all);
/* Does its answer say that the session does not know its prepared statement? */
bool requests_is_unprepared(const struct request *r);
/* The connection is gone: send again what may be, finish the rest. */
void requests_lost(struct requests *all);
/* Finish whose deadline has passed. */
void requests_expire(struct requests *all, int64_t now_ms);
/* Finish all that is left with PW_ERR_AWAY. */
void requests_abandon(struct requests *all);
/* Run the callbacks of finished ones; these may add requests. */
void requests_deliver(struct requests *all);
