/* policyd's auth socket (docs/auth-socket.md): asked before a password is looked at, told
 * how each login ended. Never in the way: an answer is waited for 200 ms, and while
 * policyd is away everything may be tried and nothing is told. */
#pragma once

#include "lib.h" /* before ours: it brings a bool of its own */

#include <stdint.h>

struct pw_auth_line;

/* The answer to an ask; is_refused: to be treated like a wrong password. */
typedef void guard_done_fn(void *arg, bool is_refused);

/* path  "" = nobody is asked or told; later calls do nothing */
void guard_init(const char *path);
/* The driver goes: what was asked is allowed. */
void guard_deinit(void);

/* May this be tried? done is called at once or later, once. line: login, remote and
 * service; borrowed for the call. */
void guard_ask(struct pw_auth_line *line, guard_done_fn *done, void *arg);
/* The short hash of a wrong password, for its report; 0 = policyd wants none. */
int64_t guard_password(const char *login, const char *password);
/* Tell how it ended. line: all of PW_AUTH_REPORT; borrowed. */
void guard_report(struct pw_auth_line *line);
