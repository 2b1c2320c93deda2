/* The memory of greylisting: who waits, who passed; decisions by core/greylist.h. One
 * thread owns it; it is bounded, and who waits cannot push out who passed. Pure. */
#pragma once

#include "core/greylist.h"

#define GREY_WAITING_MAX ((size_t)200 * 1000)
#define GREY_KNOWN_MAX ((size_t)200 * 1000)
/* A pass is worth writing down when the last one written is so old. */
#define GREY_STORE_MS (INT64_C(60) * 60 * 1000)

struct grey;

struct grey_question {
	struct pw_ip client;             /* unmapped */
	struct pw_str sender, recipient; /* normal form; sender may be empty */
};

/* What the database is to know: a row of mail.greylist. */
struct grey_row {
	struct pw_str client, sender, recipient; /* of a client as a whole both "*" */
	struct pw_greylist_record record;
};

struct grey_answer {
	int64_t wait_ms;         /* 0 = it passes */
	struct grey_row rows[2]; /* that changed; good until the next call */
	size_t row_count;
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, grey_free */
PW_MUST_CHECK enum pw_status grey_new(struct grey **out, const uint8_t seed[16]);
void grey_free(struct grey **grey);

/* May this mail pass? Without memory, or without a client address, it may.
 *
 * knows_all  what other programs met is known here; if not, who was not met here may
 *            have been met by them, and passes
 * now_ms     wall clock */
void grey_judge(struct grey *grey, struct grey_answer *out,
                const struct pw_greylist_rule *rule, const struct grey_question *question,
                bool knows_all, int64_t now_ms);
/* Take over a stored row. Without memory it is left out. */
void grey_take(struct grey *grey, const struct pw_greylist_rule *rule,
               const struct grey_row *row);
/* Entries in memory. */
size_t grey_count(const struct grey *grey);
