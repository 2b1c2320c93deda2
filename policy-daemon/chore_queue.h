/* The waiting chores, the one that is due first at the top. Pure. */
#pragma once

#include "core/buf.h"

enum chore_kind { CHORE_KICK, CHORE_WARN, CHORE_KINDS };

/* Most chores of a kind that wait at once. */
#define CHORE_WAITING_MAX 10000

struct chore {
	enum chore_kind kind;
	struct pw_buf login;
	struct pw_buf subject; /* of a warning; why, of a kick */
	struct pw_buf text;
	int64_t percent, used_bytes, quota_bytes;
	bool is_again;        /* the second round of a kick */
	bool is_notice;       /* a warning about a limit of sending, not of a quota */
	int64_t due_ms;       /* not before */
	int64_t first_try_ms; /* 0 = not tried yet */
	int tries;
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, chore_free */
PW_MUST_CHECK enum pw_status chore_new(struct chore **out, enum chore_kind kind,
                                       struct pw_str login);
void chore_free(struct chore **chore);

struct chore_queue;

/* Errors  PW_ERR_NOMEM
 * Owner   caller, chore_queue_free */
PW_MUST_CHECK enum pw_status chore_queue_new(struct chore_queue **out,
                                             const uint8_t seed[16]);
void chore_queue_free(struct chore_queue **queue);

/* Add a chore, which then belongs to the queue (*chore becomes NULL, on failure too). The
 * first round of a kick that waits already is not added twice: its patience begins anew.
 *
 * Errors  PW_ERR_LIMIT CHORE_WAITING_MAX of its kind wait, and it is no kick of "*";
 *         PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status chore_queue_put(struct chore_queue *queue,
                                             struct chore **chore);
/* Take the chore that is due first, for the caller to free or put back; NULL = none is
 * due at now_ms.
 *
 * due_ms_out  when it is worth asking again; INT64_MAX = the queue is empty */
struct chore *chore_queue_take(struct chore_queue *queue, int64_t *due_ms_out,
                               int64_t now_ms);
size_t chore_queue_count(const struct chore_queue *queue, enum chore_kind kind);

/* Is a chore that just failed worth another try? Then its due_ms is set. Kicks are tried
 * for CHORE_KICK_MS, warnings for CHORE_WARN_MS, counted from the first try. */
bool chore_may_retry(struct chore *chore, int64_t now_ms);
#define CHORE_KICK_MS 60000
#define CHORE_WARN_MS 3600000
