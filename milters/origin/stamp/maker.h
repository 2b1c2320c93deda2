/* Makes stamps: of one message after another, as the milter is shown them. */
#pragma once

#include "core/stamp.h"

struct maker;

/* keys and edge (our name) are borrowed until maker_free.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, maker_free */
PW_MUST_CHECK enum pw_status
maker_new(struct maker **out, const struct pw_stamp_keys *keys, struct pw_str edge);
void maker_free(struct maker **maker);

/* A message begins. sender as in MAIL, <> or not.
 *
 * Errors  PW_ERR_NOTFOUND (no key whose time it is), PW_ERR_IO (no random bytes) */
PW_MUST_CHECK enum pw_status maker_begin(struct maker *maker, struct pw_str sender,
                                         int64_t now_s);
/* A recipient the message will go to. */
void maker_recipient(struct maker *maker, struct pw_str recipient);
/* A field of the client's that stays in the message, in its order; none of ours. value as
 * kit gives it. */
void maker_field(struct maker *maker, struct pw_str name, struct pw_str value);
void maker_body(struct maker *maker, struct pw_str chunk);
/* The message is complete: append the value of Postward-Origin, for index 0. May be
 * called again for the same message.
 *
 * Errors  PW_ERR_LIMIT (header or login too long), PW_ERR_NOMEM, PW_ERR_CRYPTO,
 *         PW_ERR_STATE (maker_begin failed) */
PW_MUST_CHECK enum pw_status maker_finish(struct maker *maker, struct pw_buf *out,
                                          const struct pw_origin *origin,
                                          struct pw_str queue_id, int64_t now_s);
