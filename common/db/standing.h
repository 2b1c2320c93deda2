/* What PostgreSQL knows of where a message came from: mail.reputation_recall as
 * core/reputation.h wants it. One question a message; who asks it, and how long it waits,
 * is the caller's. */
#pragma once

#include "core/reputation.h"
#include "db/result.h"

#define PW_STANDING_SQL                                                                  \
	"SELECT n, spam_milli, ham_milli FROM mail.reputation_recall($1::text[])"

/* $1: the sources. */
void pw_standing_put(struct pw_buf *out, const struct pw_reputation *sources);
/* Its rows. */
void pw_standing_read(struct pw_reputation *sources, const struct pw_db_result *rows);
