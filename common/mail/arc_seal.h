/* Sealing (RFC 8617 5.1): one more set of ARC fields on top of a message. Own code on the
 * canonicalisation of DKIM; relaxed/relaxed, never l=. */
#pragma once

#include "core/arena.h"
#include "mail/arc_chain.h"
#include "mail/dkim_key.h"

struct pw_arc_sealer; /* one message, one thread */

/* line_max: longest line (bytes) that arrives whole; 0 = any does. What is kept lives in
 * arena.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO
 * Owner   caller, pw_arc_sealer_free, before the arena is reset */
PW_MUST_CHECK enum pw_status pw_arc_sealer_new(struct pw_arc_sealer **out,
                                               struct pw_arena *arena, size_t line_max);
void pw_arc_sealer_free(struct pw_arc_sealer **sealer);

/* The next header field, as in mail/dkim_sign.h; of any name.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT more than PW_ARC_FIELDS_MAX */
PW_MUST_CHECK enum pw_status pw_arc_sealer_header(struct pw_arc_sealer *sealer,
                                                  struct pw_str name,
                                                  struct pw_str value);
/* Some of the body, lines ended by CRLF, cut anywhere. */
void pw_arc_sealer_body(struct pw_arc_sealer *sealer, struct pw_str chunk);
/* The sets that are there already. */
const struct pw_arc_chain *pw_arc_sealer_chain(const struct pw_arc_sealer *sealer);

/* Append what authserv_id says of the message in its header (mail/arc_results.h). */
void pw_arc_sealer_results(const struct pw_arc_sealer *sealer, struct pw_buf *out,
                           struct pw_str authserv_id);

struct pw_arc_seal_as {
	struct pw_str domain, selector;
	const struct pw_dkim_key *key;
	struct pw_str names;        /* h=; empty: all that matters of what is there */
	struct pw_str results;      /* "authserv-id; results": what this host found out */
	bool keeps_signature_whole; /* b= is one line, as in published examples */
	enum pw_arc_result cv;      /* what it found of the chain */
};

/* The message is complete: the values of the three fields, without leading blank, folded
 * with LF and HTAB. Once.
 *
 * Errors  PW_ERR_STATE no further set may be added: the last seal says cv=fail, there are
 *         50 sets, or what is there has no number to go on from;
 *         PW_ERR_LIMIT a line is too long to arrive whole; PW_ERR_SYNTAX a CR or LF that
 *         is no line end; PW_ERR_CRYPTO; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_arc_sealer_seal(struct pw_arc_sealer *sealer,
                                                const struct pw_arc_seal_as *as,
                                                struct pw_buf values[PW_ARC_KINDS],
                                                int64_t now_ms);
