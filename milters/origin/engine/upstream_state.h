/* What the files of the engine share; front ends use upstream.h.
 *
 * upstream.c           life
 * upstream_open.c      from nothing to a session that carries an origin
 * upstream_envelope.c  MAIL and RCPT, and how they are said again
 * upstream_rcpts.c     all recipients at once
 * upstream_message.c   DATA to the reply to its dot */
#pragma once

#include "origin/engine/dot_stuff.h"
#include "origin/engine/envelope.h"
#include "origin/engine/smtp_client.h"
#include "origin/engine/upstream.h"

enum upstream_state {
	CLOSED,
	GREETED,     /* connected, nobody's yet */
	READY,       /* origin carried, no transaction */
	NAMED,       /* MAIL waits to go out with the first RCPT */
	TRANSACTION, /* MAIL accepted */
	UNWANTED,    /* MAIL refused: so is every RCPT, with the same words */
	STALE,       /* a transaction nobody wants any more: RSET before the next */
	DATA,        /* 354 seen, message on its way */
	UPSTREAM_STATES
};

struct upstream {
	enum upstream_state state;
	const struct upstream_target *target;
	struct smtp_client client;
	struct upstream_offers offers;
	struct pw_buf identity; /* the XCLIENT this session would need: same text, same
	                           origin */
	bool is_early;          /* holds one of the pool's early places */
	unsigned hellos;
	int64_t deadline_ms; /* of the client's command being served */
	int64_t heard_ms;    /* when the inner was heard last */
	int64_t owed_ms;     /* of the next command's time, spent already */
	struct upstream_failure failure;
	const struct smtp_reply *shown;
	/* the transaction: */
	const struct pw_origin *origin;
	struct smtp_reply kept; /* to the MAIL of UNWANTED */
	struct pw_buf unsent;   /* RSET, MAIL: go with the next command */
	struct pw_buf envelope; /* MAIL and the accepted RCPT, to be said again */
	size_t accepted;
	bool may_replay;
	/* the message: */
	struct pw_buf out;
	struct dot_stuff stuff;
	bool has_begun; /* a part of it is with the inner: no replay any more */
	enum upstream_verdict
		data_verdict; /* not OK: the rest of the message is dropped */
};

void upstream_enter(struct upstream *up, enum upstream_state next);
/* The last reply stays readable, for the log. */
void upstream_hang_up(struct upstream *up);
/* Say why, hang up. Returns UPSTREAM_FAILED. */
enum upstream_verdict upstream_fail(struct upstream *up, const char *step,
                                    enum pw_status status);
/* What a complete reply means for the client. */
enum upstream_verdict upstream_judge(struct upstream *up, const char *step);
/* Without waiting for an answer; never in the midst of a message. */
void upstream_say_quit(struct upstream *up);
/* No longer, or never more, a session of somebody who may not send mail. */
void upstream_settle(struct upstream *up);
void upstream_begin_command(struct upstream *up);
void upstream_begin_transaction(struct upstream *up);
/* Does RSET wait in front of MAIL? */
bool upstream_has_rset(const struct upstream *up);
/* Send a command, read its reply. */
PW_MUST_CHECK enum pw_status upstream_ask(struct upstream *up, struct pw_str command);

/* From CLOSED or GREETED to READY, or not. */
enum upstream_verdict upstream_open(struct upstream *up);
/* Forget a session that was opened for somebody else (AUTH or HELO came since).
 *
 * Errors  of xclient_build */
PW_MUST_CHECK enum pw_status upstream_identify(struct upstream *up,
                                               const struct pw_origin *origin);
/* Open anew and say again what was accepted; once in a transaction, and only while the
 * inner has nothing of the message. Not OK: the client learns why. */
enum upstream_verdict upstream_replay(struct upstream *up, const char *step);
/* Is the session lost, without anybody having been told? */
bool upstream_is_lost(struct upstream *up);

/* Refuse in the inner's name what it could not take. */
enum upstream_verdict upstream_refuse(struct upstream *up, enum envelope_verdict verdict);
/* MAIL or RCPT was accepted, or will be asked with the next command. */
void upstream_remember(struct upstream *up, struct pw_str line);
/* Send commands behind what waits, read the replies to the latter. */
enum upstream_verdict upstream_send_behind(struct upstream *up, const char *step,
                                           struct pw_str commands);
/* The reply to a command that went out with others. */
PW_MUST_CHECK enum pw_status upstream_next_reply(struct upstream *up);
