/* The arithmetic of ARC: the hash of a body, and signatures looked at. */
#pragma once

#include "core/buf.h"

struct pw_arc_body; /* one body, one thread */

/* body_max: bytes of the canonical body that count (l=).
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO
 * Owner   caller, pw_arc_body_free */
PW_MUST_CHECK enum pw_status pw_arc_body_new(struct pw_arc_body **out, bool is_simple,
                                             int64_t body_max);
void pw_arc_body_free(struct pw_arc_body **body);
/* Some of the body, lines ended by CRLF, cut anywhere. */
void pw_arc_body_add(struct pw_arc_body *body, struct pw_str chunk);
/* The body is complete: append its SHA-256 as base64. Once.
 *
 * line_max_out, has_stray_out  as in core/canon.h
 *
 * Errors  PW_ERR_CRYPTO; PW_ERR_NOMEM; PW_ERR_RANGE it is shorter than body_max */
PW_MUST_CHECK enum pw_status pw_arc_body_end(struct pw_arc_body *body, struct pw_buf *out,
                                             size_t *line_max_out, bool *has_stray_out);

/* Is signature (base64) that of data under the key?
 *
 * record  as pw_dkim_check_key gives it
 *
 * Errors  PW_ERR_CRYPTO it is not; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_arc_check(struct pw_str record, struct pw_str algorithm,
                                          struct pw_str data, struct pw_str signature);
