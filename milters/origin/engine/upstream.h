/* The engine behind every front end: one SMTP session with the inner server on behalf of
 * one client, its origin carried by XCLIENT. Postfix takes XCLIENT once per session, so a
 * session serves one origin only; a message is never sent without it. */
#pragma once

#include <sys/socket.h>

#include "core/origin.h"
#include "origin/engine/smtp_reply.h"

#define UPSTREAM_ADDRESSES 4

/* Where and how; immutable while sessions use it. */
struct upstream_target {
	struct {
		struct sockaddr_storage address;
		socklen_t len;
	} addresses[UPSTREAM_ADDRESSES]; /* tried in turn */
	size_t count;
	const char *hello;  /* our own name, before XCLIENT */
	int64_t connect_ms; /* for the connection itself */
	int64_t command_ms; /* for all that one command of the client takes */
	int64_t dot_ms;     /* for the reply to the final dot */
};

enum upstream_verdict {
	UPSTREAM_OK,      /* the inner said 2xx */
	UPSTREAM_REFUSED, /* the inner's 4xx or 5xx, for the client: upstream_reply */
	UPSTREAM_FAILED,  /* nobody can say: 451; upstream_failure tells why */
};

/* Why a step failed, for the log. */
struct upstream_failure {
	const char *step; /* connect, greeting, ehlo, xclient, mail, rcpt, data, dot */
	enum pw_status status;
	bool in_doubt; /* the final dot was sent: the inner may have taken the message */
};

struct upstream;

/* Errors  PW_ERR_NOMEM. Owner  caller, upstream_free (says QUIT and does not wait) */
PW_MUST_CHECK enum pw_status upstream_new(struct upstream **out,
                                          const struct upstream_target *target);
void upstream_free(struct upstream **up);

/* Begin a transaction; opens the session first if there is none, or if it was for another
 * origin. A session that died between two transactions is opened anew, once.
 *
 * argv  address, then parameters, then NULL: what the inner offers is passed on; a
 * message the inner cannot take (8BITMIME, SMTPUTF8) is refused here in its name */
enum upstream_verdict upstream_mail(struct upstream *up, const struct pw_origin *origin,
                                    char *const *argv);
enum upstream_verdict upstream_rcpt(struct upstream *up, char *const *argv);
/* A piece of the message, header or body. DATA is opened with the first full buffer; what
 * goes wrong is told by upstream_finish. */
void upstream_write(struct upstream *up, struct pw_str bytes);
/* The final dot. alive is called every few seconds while the inner thinks; may be NULL.
 */
enum upstream_verdict upstream_finish(struct upstream *up, void (*alive)(void *user),
                                      void *user);
/* The transaction is over, however it ended; half a message never gets its final dot. */
void upstream_reset(struct upstream *up);

/* The inner's last reply (code 0 = none); borrowed until the next call. */
const struct smtp_reply *upstream_reply(const struct upstream *up);
const struct upstream_failure *upstream_failure(const struct upstream *up);
