/* One message on its way to the inner server, whichever front end it came by: it gets a
 * transaction id, stands in the ledger from its final dot to the handing on of the reply,
 * and if it may be the next try of one in doubt it is kept back until that is known.
 *
 *     outgoing_begin, outgoing_rcpt..., outgoing_top, outgoing_header...,
 *     outgoing_header_end, outgoing_body..., outgoing_finish, outgoing_reset */
#pragma once

#include "origin/engine/upstream.h"
#include "origin/fallback/doubt.h"

struct outgoing;

/* Asked at the end of a message that outgoing_hold_back kept: bytes that belong above
 * everything, now that all of it is known.
 *
 * Errors  the message is then not sent */
typedef enum pw_status (*outgoing_seal)(void *user, struct pw_buf *out);

/* up, doubt and folder (for what is kept back) outlive it.
 *
 * Errors  PW_ERR_NOMEM. Owner  caller, outgoing_free */
PW_MUST_CHECK enum pw_status outgoing_new(struct outgoing **out, struct upstream *up,
                                          struct doubt *doubt, const char *folder);
void outgoing_free(struct outgoing **out);

/* A new message; also says that the reply to the one before has reached the client.
 * sender as in MAIL. */
void outgoing_begin(struct outgoing *out, struct pw_str sender);
/* Keep the message back to its end in any case. Call before the first byte. */
void outgoing_hold_back(struct outgoing *out, outgoing_seal seal, void *user);
/* A recipient the inner server accepted, as in RCPT. */
void outgoing_rcpt(struct outgoing *out, struct pw_str address);

/* Fields of ours above the client's (Received); whole lines. */
void outgoing_top(struct outgoing *out, struct pw_str bytes);
/* The client's fields, in any pieces, then the empty line (not given), then the body.
 * Fields that nobody but us may set (origin/strip.h) must be left out. */
void outgoing_header(struct outgoing *out, struct pw_str bytes);
void outgoing_header_end(struct outgoing *out);
void outgoing_body(struct outgoing *out, struct pw_str bytes);
/* The final dot; as upstream_finish. UPSTREAM_FAILED with outgoing_status not PW_OK: it
 * never left this host. */
enum upstream_verdict outgoing_finish(struct outgoing *out, void (*alive)(void *user),
                                      void *user);
/* The inner server has it, and whoever handed it over cannot be told any more: it will
 * come again. */
void outgoing_unheard(struct outgoing *out);
/* The message is over, however it ended; half of it never gets its final dot. */
void outgoing_reset(struct outgoing *out);

/* What went wrong here: PW_ERR_LIMIT the disk is full. */
enum pw_status outgoing_status(const struct outgoing *out);
/* Did it go out as the next try of a message in doubt? */
bool outgoing_is_retry(const struct outgoing *out);
/* Its id, 16 characters; borrowed. Empty before it is known. */
struct pw_str outgoing_id(const struct outgoing *out);
