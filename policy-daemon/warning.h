/* The message in which a user is warned (RFC 5322, 2045, 2047, 3834). Pure. */
#pragma once

#include "core/buf.h"
#include "policyd/chores.h"

/* Most bytes of a subject and of a text, variables filled in. */
#define WARNING_SUBJECT_MAX 1000
#define WARNING_TEXT_MAX ((size_t)64 * 1024)

/* Write the message, lines ended by CRLF, none longer than 78 but by a long address.
 *
 * token        makes the Message-ID unique: letters, digits, dots
 * now_wall_ms  of the Date
 *
 * Errors  PW_ERR_SYNTAX the login is no address that can stand in a header; the buffer's
 *         own */
PW_MUST_CHECK enum pw_status warning_put(struct pw_buf *out,
                                         const struct chores_warning *warning,
                                         struct pw_str token, int64_t now_wall_ms);
