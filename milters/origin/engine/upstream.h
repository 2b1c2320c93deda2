/* The engine behind every front end: one SMTP session with the inner server on behalf of
 * one client, its origin carried by XCLIENT. Postfix takes XCLIENT once per session, so a
 * session serves one origin only; a message is never sent without it.
 *
 * Life: hello (may be left out), { mail, rcpt... or rcpts, data (may be left out),
 * write..., finish; reset }... A session that dies before the first byte of a message is
 * opened anew, once, and told what was said so far: nothing is lost by that. */
#pragma once

#include "core/origin.h"
#include "origin/engine/smtp_reply.h"
#include "origin/engine/target.h"

enum upstream_verdict {
	UPSTREAM_OK,      /* the inner said 2xx, or will be asked with the next command */
	UPSTREAM_REFUSED, /* the inner's 4xx or 5xx, for the client: upstream_reply */
	UPSTREAM_FAILED,  /* nobody can say: 451; upstream_failure tells why */
};

/* Why a step failed, for the log. */
struct upstream_failure {
	const char
		*step; /* connect, greeting, ehlo, tls, xclient, mail, rcpt, data, dot */
	enum pw_status status;
	bool in_doubt; /* the final dot was sent: the inner may have taken the message */
};

struct upstream;

/* Errors  PW_ERR_NOMEM. Owner  caller, upstream_free (says QUIT and does not wait) */
PW_MUST_CHECK enum pw_status upstream_new(struct upstream **out,
                                          const struct upstream_target *target);
void upstream_free(struct upstream **up);

/* The client has said who it is: make the session ready if a greeted connection is in
 * store and can be spared. What goes wrong is tried again by upstream_mail. Takes a
 * command's time at most, which upstream_mail then has less of. */
void upstream_hello(struct upstream *up, const struct pw_origin *origin);

/* Is the inner there? Holds a greeted connection, from the store or a new one, if there
 * is no session; nothing is said about any client.
 *
 * Returns UPSTREAM_OK or UPSTREAM_FAILED */
enum upstream_verdict upstream_ready(struct upstream *up);

/* Begin a transaction; opens the session first if there is none, or if it was for another
 * origin. Where the inner takes commands in one go, MAIL goes out with the first
 * recipient: then the reply's code is 0 here, and a refusal of the sender is the answer
 * to each recipient.
 *
 * origin  NULL = a message that was born here: the session says EHLO in our own name and
 *         no XCLIENT. Else borrowed until the transaction is over
 * argv    address, then parameters, then NULL: what the inner offers is passed on; a
 *         message the inner cannot take (8BITMIME, SMTPUTF8, SIZE) is refused here in its
 *         name */
enum upstream_verdict upstream_mail(struct upstream *up, const struct pw_origin *origin,
                                    char *const *argv);
enum upstream_verdict upstream_rcpt(struct upstream *up, char *const *argv);
/* All recipients at once, and DATA behind them: for a message whose recipients are known.
 *
 * argvs  count recipients, as upstream_rcpt has them
 * told   called for each in turn, the inner's words in upstream_reply; may be NULL
 *
 * Returns UPSTREAM_OK       one at least was accepted: go on with write
 *         UPSTREAM_REFUSED  none was
 *         UPSTREAM_FAILED   perhaps some were not told; none has got anything */
enum upstream_verdict
upstream_rcpts(struct upstream *up, char *const *const *argvs, size_t count,
               void (*told)(void *user, size_t index, enum upstream_verdict verdict),
               void *user);
/* Ask the inner for the message now, so that its reply is there when the message is. Not
 * needed; what goes wrong is told by upstream_finish. */
void upstream_data(struct upstream *up);
/* A piece of the message, header or body. What goes wrong is told by upstream_finish. */
void upstream_write(struct upstream *up, struct pw_str bytes);
/* The final dot. alive is called every few seconds while the inner thinks; may be NULL.
 */
enum upstream_verdict upstream_finish(struct upstream *up, void (*alive)(void *user),
                                      void *user);
/* The transaction is over, however it ended; half a message never gets its final dot. */
void upstream_reset(struct upstream *up);

/* The reply that goes with the last verdict (code 0 = none); borrowed until the next
 * call. 421 stays 421 here: a front end says 451 instead, lest its client hang up. */
const struct smtp_reply *upstream_reply(const struct upstream *up);
const struct upstream_failure *upstream_failure(const struct upstream *up);
/* What the inner offered last; all zero = it was not heard yet. */
struct upstream_offers upstream_offers(const struct upstream_target *target);
