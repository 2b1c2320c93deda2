/* Changes to a message's header, as values, and carrying them out (at end of message
 * only). */
#pragma once

#include "core/buf.h"
#include "kit/kit.h"

enum kit_edit_kind {
	KIT_ADD,    /* at the end of the header; index unused */
	KIT_INSERT, /* before the index-th field; 0 = above everything, Postfix's own
	               Received too, 1 = above the first field the milter was shown */
	KIT_DELETE, /* the index-th field (1...) of that name, counted in the message as
	               received */
};

/* name and value are NUL-terminated and live until kit_apply returns. value has no
 * leading blank; folds are "\n\t" or "\r\n\t". */
struct kit_edit {
	enum kit_edit_kind kind;
	int index;
	const char *name;
	const char *value; /* NULL for KIT_DELETE */
};

/* Carry out edits in an order in which no index shifts: deletes last to first, then
 * inserts (those of one index stand in the message in the order given), then adds.
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_IO (the wire refused: wrong stage, or not in `actions`)
 */
PW_MUST_CHECK enum pw_status kit_apply(struct kit_session *s,
                                       const struct kit_edit *edits, size_t count);
/* The order kit_apply works in: order_out gets count indices into edits. Pure. */
void kit_edit_order(size_t *order_out, const struct kit_edit *edits, size_t count);
