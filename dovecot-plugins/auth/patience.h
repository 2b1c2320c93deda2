/* How long a request waits for the database, and what becomes of it then.
 *
 * Stock Postfix turns every FAIL of Dovecot into 535, temporary ones too; only an
 * authentication server that is silent (10 s) or lost makes it say 454. So a request of
 * service smtp that cannot be answered stays unanswered until Postfix has hung up. */
#pragma once

#include <stdint.h>

struct auth_request;

/* Longest wait for an answer of the database. */
int64_t patience_ms(const struct auth_request *request);

/* Called when the request may be ended as an internal failure. */
typedef void patience_done_fn(void *arg);

/* The request (the caller holds a reference) cannot be answered: calls done(arg), at
 * once, or for Postfix when its client has gone. */
void patience_end(struct auth_request *request, patience_done_fn *done, void *arg);

/* The driver goes: hang up on Postfix, which says 454 then too, and end all that is held.
 */
void patience_deinit(void);
