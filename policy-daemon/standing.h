/* Which open submission sessions are older than the last change of their login: a session
 * that logged in by a password that is no longer good must log in again. Postfix tells a
 * session by login, client address and port, Dovecot tells logins without the port; so a
 * session seen for the first time is taken for the earliest login from that address that
 * no session has claimed yet. One thread owns the table; it is bounded, who was idle
 * longest is forgotten. Pure. */
#pragma once

#include "core/str.h"

#define STANDING_CLIENTS_MAX 20000
#define STANDING_CHANGES_MAX 100000
/* Logins so soon after a change may have been let in by a cached password. */
#define STANDING_SETTLE_MS 2000
/* For so long a change is remembered. */
#define STANDING_KEEP_MS (INT64_C(24) * 60 * 60 * 1000)

struct standing;

/* Errors  PW_ERR_NOMEM
 * Owner   caller, standing_free */
PW_MUST_CHECK enum pw_status standing_new(struct standing **out, const uint8_t seed[16]);
void standing_free(struct standing **standing);

/* Without memory what is noted is not remembered: such a session may go on.
 *
 * login   in normal form
 * now_ms  a clock that only grows */
/* It logged in for sending, from address. */
void standing_note_login(struct standing *standing, struct pw_str login,
                         struct pw_str address, int64_t now_ms);
/* Its password or rights changed, or those of all of "@domain"; is_gone: it was deleted.
 */
void standing_note_change(struct standing *standing, struct pw_str login, bool is_gone,
                          int64_t now_ms);

/* Must this session log in again? Then it is forgotten: the next one from there is
 * another. A session of which no login was told is let go on unless its login changed;
 * then it is asked once. */
bool standing_is_old(struct standing *standing, struct pw_str login,
                     struct pw_str address, int64_t port, int64_t now_ms);
/* Was the login, or its domain, deleted the last time something changed? */
bool standing_is_gone(const struct standing *standing, struct pw_str login,
                      int64_t now_ms);
