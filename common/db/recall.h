/* What PostgreSQL knows of a message's tokens: mail.bayes_recall as core/bayes.h wants
 * it. One question a message; who asks it, and how long it waits, is the caller's. */
#pragma once

#include "core/bayes.h"
#include "db/result.h"

#define PW_RECALL_SQL                                                                    \
	"SELECT base, token, spam, ham FROM mail.bayes_recall($1::text[], $2::bigint[])"

/* $1: an array of addresses, whatever bytes they are made of; $2: the tokens. */
void pw_recall_put_addresses(struct pw_buf *out, const struct pw_str *addresses,
                             size_t count);
void pw_recall_put_tokens(struct pw_buf *out, const struct pw_tokens *tokens);
/* Its rows. */
void pw_recall_read(struct pw_bayes_counts *out, const struct pw_tokens *tokens,
                    const struct pw_db_result *rows);
