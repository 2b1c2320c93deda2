/* XCLIENT commands from an origin. Pure.
 *
 * What is not sent stays the edge's in the inner server's eyes, so everything that is
 * offered is sent, if need be as [UNAVAILABLE]. Each accepted XCLIENT forgets HELO, PROTO
 * and LOGIN unless they are in that very command: if one line is too long, those stand
 * with ADDR in the second. */
#pragma once

#include "core/origin.h"

#define XCLIENT_LINE 512  /* above this the command is split in two */
#define XCLIENT_VALUE 255 /* encoded bytes of one value Postfix takes */

/* Append one or two commands, each with CRLF.
 *
 * offers  enum smtp_offer of the inner's EHLO
 *
 * Errors  PW_ERR_DENIED     the inner does not offer ADDR and NAME: not authorised; or
 *                           not LOGIN, and there is one
 *         PW_ERR_NOTFOUND   the origin has no address
 *         PW_ERR_LIMIT      a login too long to carry
 *         or the buffer's own */
PW_MUST_CHECK enum pw_status
xclient_build(struct pw_buf *out, const struct pw_origin *origin, unsigned offers);
/* Would Postfix take text as a host name (letters, digits, '-', '_', '.', labels
 * of 1..63)? */
bool xclient_is_hostname(struct pw_str text);
