/* The answer a decision becomes: what Postfix does, and for people why and until when.
 * One line of valid UTF-8 without control characters, whatever a rule's text says. Pure.
 */
#pragma once

#include "core/buf.h"
#include "policyd/decide.h"
#include "policyd/stolen.h"

/* Bytes of the text after the codes; longer ones are cut. */
#define TEXT_MAX 400

/* Append "action=...\n\n".
 *
 * A rule's own text may use $who, $login, $sender, $recipient, $client, $limit, $unit,
 * $period and $until.
 *
 * now_wall_ms  for $until; rounded up to a full second
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status text_answer(struct pw_buf *out,
                                         const struct decision *decision,
                                         const struct request *request,
                                         int64_t now_wall_ms);

/* Append a notice, its variables filled in: those above.
 *
 * Errors  the buffer's own */
PW_MUST_CHECK enum pw_status text_notice(struct pw_buf *out, struct pw_str text,
                                         const struct decide_breach *breach,
                                         const struct request *request,
                                         int64_t now_wall_ms);

/* What an event says: "ann@example.test: 5 messages per hour reached". */
PW_MUST_CHECK enum pw_status
text_event(struct pw_buf *out, const struct catalog_rule *rule, struct pw_str who);
/* "used from 21 networks within 180 minutes"; out remembers a failure. */
void text_stolen(struct pw_buf *out, const struct stolen_alarm *alarm, int64_t window_ms);
