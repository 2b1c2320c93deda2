/* Fields whose names begin with Postward-: only hosts of ours write them, what others
 * wrote is taken out at the end of the message. */
#pragma once

#include "core/buf.h"
#include "kit/edit.h"

#define STRIP_MAX 200 /* fields taken out of one message */

/* Of one message. All zero is empty; strip_reset for the next, strip_done at last. */
struct strip {
	struct pw_buf names; /* NUL-terminated, in the order of the message */
	size_t count;        /* of all of them, kept ones too */
	size_t taken;
};

/* Is it such a name? */
bool strip_is_ours(struct pw_str name);
/* Every such field, in the order of the message. is_kept: it stays, and is only counted.
 */
void strip_see(struct strip *strip, struct pw_str name, bool is_kept);
void strip_reset(struct strip *strip);
void strip_done(struct strip *strip);

/* Delete them, and carry out more edits in the same go.
 *
 * Errors  PW_ERR_LIMIT (over STRIP_MAX), as kit_apply */
PW_MUST_CHECK enum pw_status strip_apply(const struct strip *strip, struct kit_session *s,
                                         const struct kit_edit *more, size_t more_count);
/* The edits of strip_apply, as a list. Pure.
 *
 * out  room for STRIP_MAX
 *
 * Errors  PW_ERR_LIMIT, PW_ERR_NOMEM (of names) */
PW_MUST_CHECK enum pw_status strip_plan(const struct strip *strip, struct kit_edit *out,
                                        size_t *count_out);
