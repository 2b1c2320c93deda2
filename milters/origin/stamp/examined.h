/* What role inner learns of one message on its way: envelope, fields of ours, digest. */
#pragma once

#include "core/arena.h"
#include "core/stamp_digest.h"
#include "origin/strip.h"

#define EXAMINED_BYTES ((size_t)2 * 1024 * 1024) /* envelope and stamp of a message */

/* What came in the header besides stamps. */
enum {
	EXAMINED_TRANSACTION = 1, /* it has an id, of the edge */
	EXAMINED_RETRY = 2,       /* the edge says it may have been here */
	EXAMINED_CHECK = 4, /* of `postwardctl edge check`: is told, not delivered */
};

/* All zero is ready for examined_reset. */
struct examined {
	struct pw_arena *arena;
	struct pw_stamp_digest *digest;
	struct strip strip;
	struct pw_buf recipients; /* struct pw_str, one after another */
	struct pw_str sender;
	size_t fields, stamps;
	bool is_first;       /* the first field is a stamp */
	struct pw_str value; /* of the first stamp */
	struct pw_stamp *stamp;
	enum pw_stamp_verdict verdict;
	unsigned marks;
	enum pw_status failure; /* first one */
};

/* Errors  PW_ERR_NOMEM, PW_ERR_CRYPTO
 * Owner   caller, examined_done */
PW_MUST_CHECK enum pw_status examined_init(struct examined *examined);
void examined_done(struct examined *examined);
void examined_reset(struct examined *examined);

void examined_sender(struct examined *examined, struct pw_str address);
void examined_recipient(struct examined *examined, struct pw_str address);
/* is_trusted: the peer is an edge of ours, whose stamp may be believed and whose marks
 * stay. */
void examined_field(struct examined *examined, struct pw_str name, struct pw_str value,
                    bool is_trusted, const struct pw_stamp_keys *keys, int64_t now_s);
void examined_body(struct examined *examined, struct pw_str chunk);

/* Do envelope and content agree with the stamp? Only where verdict is PW_STAMP_GOOD. */
bool examined_is_sender(const struct examined *examined);
bool examined_is_recipients(const struct examined *examined);
/* Once, at the end of the message. */
bool examined_is_digest(struct examined *examined);
const struct pw_str *examined_recipients(const struct examined *examined,
                                         size_t *count_out);
