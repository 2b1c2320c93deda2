/* What became of a message: the log line and the counters, the same for every front end.
 */
#pragma once

#include "core/origin.h"
#include "origin/engine/upstream.h"

/* Whom a line is about. Borrowed. */
struct record {
	const char *front;              /* queue, proxy */
	const char *queue_id;           /* of the edge's Postfix; NULL = not known */
	const struct pw_origin *client; /* NULL = the message was born here */
	struct pw_str address;          /* the client's, as text */
	struct pw_str sender;
};

/* The inner has the message. retry_of: the transaction that was in doubt; empty = it was
 * none. */
void record_relay(const struct record *about, const struct smtp_reply *reply,
                  int64_t recipients, int64_t bytes, int64_t ms, struct pw_str retry_of);
/* The inner refused; rcpt: NULL = it was not about a recipient. */
void record_refuse(const struct record *about, const char *stage, const char *rcpt,
                   const struct smtp_reply *reply);
/* Nobody can say: it comes back. transaction: its id, told when it is in doubt. */
void record_defer(const struct record *about, const char *stage,
                  const struct upstream_failure *failure, const struct smtp_reply *reply,
                  struct pw_str transaction);
/* It comes back because of this host: the disk, memory. */
void record_broken(const struct record *about, const char *stage, enum pw_status status);
/* The client must not be sent as an origin. */
void record_withhold(const struct record *about, const char *why);

/* Count what the client was answered at the end, or for one recipient. */
void record_count_message(enum upstream_verdict verdict);
void record_count_recipient(enum upstream_verdict verdict);

/* The one place where an error becomes an SMTP answer: always 451, here its enhanced
 * code. */
const char *record_enhanced(enum pw_status status);
#define RECORD_LATER "Mail server cannot be reached now, try later"
#define RECORD_WITHHELD "Your address cannot be passed on, try later"

/* "<a@b>" without its brackets. */
struct pw_str record_bare(const char *address);
