/* The recipients the inner server has accepted, for all threads, with a file in the state
 * directory. A file that is no such file is set aside, which is said once. */
#pragma once

#include "core/str.h"
#include "origin/engine/upstream.h"

struct known;

/* Load the file, or begin without. What is wrong with it is logged.
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_CRYPTO (no random). Owner  caller, known_close */
PW_MUST_CHECK enum pw_status known_open(struct known **out, const char *folder,
                                        size_t max);
void known_close(struct known **known);

/* What the inner server said of a recipient: one it accepted is known, one it says does
 * not exist (5.1.1) is not any more.
 *
 * address  as in RCPT, brackets or not; what is no address is never known */
void known_learn(struct known *known, struct pw_str address,
                 enum upstream_verdict verdict, const struct smtp_reply *reply);
bool known_has(struct known *known, struct pw_str address, int64_t age_ms);
size_t known_count(struct known *known);
/* Write the file if anything changed; a failure is logged, and tried again next time. */
void known_write(struct known *known, int64_t age_ms);
