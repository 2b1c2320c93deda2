/* Mail that the edge has taken into its queue and the inner server refuses for good. It
 * may go back only to a sender whose domain says that the client may send for it (SPF);
 * to anybody else a bounce would be spam of our own. Such mail is put on hold in the
 * edge's queue, where an administrator sees it.
 *
 *     hold_begin, hold_write..., hold_commit (if refused), hold_reset */
#pragma once

#include "core/origin.h"
#include "origin/engine/smtp_reply.h"

struct hold;
struct holds;

enum hold_verdict {
	HOLD_PASS,  /* the refusal may go back: Postfix makes a bounce of it */
	HOLD_HELD,  /* it is on hold: 250 */
	HOLD_LATER, /* neither is possible now: 4xx, it stays in the queue */
};

struct hold_settings {
	const char *listener; /* HOST:PORT of an smtpd of the edge's own that puts all on
	                         hold; empty = there is none */
	int64_t after_ms;     /* age from which mail that cannot be delivered is treated
	                         as if refused */
	const char *hello;    /* our name */
};

/* What all threads share: the resolver, made when it is first needed.
 *
 * folder, dns_servers  borrowed for its life
 * Errors  PW_ERR_NOMEM. Owner  caller, holds_free */
PW_MUST_CHECK enum pw_status holds_new(struct holds **out, const char *folder,
                                       const char *dns_servers);
void holds_free(struct holds **holds);

/* Errors  PW_ERR_NOMEM. Owner  caller, hold_free */
PW_MUST_CHECK enum pw_status hold_new(struct hold **out, struct holds *holds);
void hold_free(struct hold **hold);

/* A new message. Texts are copied.
 *
 * origin  the client it came from; NULL = born on this host
 * mail    MAIL's address and parameters, as upstream_mail takes them */
void hold_begin(struct hold *hold, const struct pw_origin *origin, char *const *mail);
/* The message, header and body, as it has to lie in the queue, in any pieces. */
void hold_write(struct hold *hold, struct pw_str bytes);
/* The message is complete, and refused for these recipients ("<a@b>"); others may have
 * been refused in other words. May ask the DNS and wait for the listener, 60 s in all for
 * one message: Postfix waits for the replies to all of it. What was done is logged and
 * counted.
 *
 * reply  the inner server's refusal */
enum hold_verdict hold_commit(struct hold *hold, const struct hold_settings *set,
                              const char *queue_id, const char *const *rcpts,
                              size_t rcpt_count, const struct smtp_reply *reply);
void hold_reset(struct hold *hold);

/* Has mail that came at at_ms (0 = not known) been waiting too long, so that 4xx of the
 * inner server, or its absence, is to be treated as a refusal? */
bool hold_is_due(const struct hold_settings *set, int64_t at_ms, int64_t now_ms);
