/* Put a private key into mail.dkim_keys. */
#pragma once

#include "db/session.h"
#include "mail/dkim_key.h"

enum dkim_outcome {
	DKIM_MADE,   /* it signs from now on */
	DKIM_KEPT,   /* this very key is there already */
	DKIM_REFUSED /* why says why */
};

/* Insert the key, with the record that belongs to it, in a transaction that the caller
 * has begun; one that is refused leaves the transaction as it was.
 *
 * record_out, why_out  appended
 *
 * Errors  as pw_db_session_exec but for refusals; PW_ERR_CRYPTO; PW_ERR_NOMEM; why_out
 * then says what */
PW_MUST_CHECK enum pw_status dkim_put(struct pw_db_session *session, struct pw_str domain,
                                      struct pw_str selector,
                                      const struct pw_dkim_key *key,
                                      enum dkim_outcome *outcome_out,
                                      struct pw_buf *record_out, struct pw_buf *why_out);
