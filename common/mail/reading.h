/* Reading a message apart from judging it: what strangers wrote is read in one process,
 * which tells the other the symbols it found. The forms in between are here. Pure.
 *
 * A reader that was taken over may lie about the content, and about nothing else: what
 * authentication, the session and lists fire is never taken from it; of own symbols,
 * those of own rules alone. */
#pragma once

#include "mail/checks.h"
#include "mail/message_tokens.h"

/* Append what a reader must be told.
 *
 * wants_tokens  what Bayes knows the message by is to be told, too
 *
 * Errors  that of the buffer */
PW_MUST_CHECK enum pw_status pw_reading_put_job(struct pw_buf *out,
                                                const struct pw_message *message,
                                                const struct pw_envelope *envelope,
                                                bool wants_tokens, int64_t now_s);

/* Its part that is the same however often the message comes. */
struct pw_str pw_reading_message_of(struct pw_str job);

/* The reader's side: take the message apart, run the checks of its content, append what
 * they fired.
 *
 * job      as pw_reading_put_job made it
 * context  psl, is_local_domain, user and own_rules of it are used; its arena, made for
 *          PW_MESSAGE_ARENA_MAX, takes all
 * weights  names of own symbols
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_PROTOCOL the job is none */
PW_MUST_CHECK enum pw_status pw_reading_do_job(struct pw_buf *out, struct pw_str job,
                                               const struct pw_check *context,
                                               const struct pw_weights *weights);

/* Where to put what came back; what is NULL is not wanted. */
struct pw_reading {
	struct pw_hits *hits;             /* added to */
	const struct pw_weights *weights; /* with hits: names of own symbols */
	struct pw_tokens *tokens;
	struct pw_links *links; /* their urls alone */
	struct pw_rules_limited *limited;
};

/* Any bytes may be in answer: what is no symbol, or not for a reader to tell, is passed
 * over. Texts are copied into the arena.
 *
 * Errors  PW_ERR_PROTOCOL not to be understood; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status
pw_reading_take(struct pw_reading *out, struct pw_arena *arena, struct pw_str answer);
