/* A process's connection to policyd's usage socket, kept for all its users. Nothing here
 * waits but usage_client_wait. It knows no event loop: who owns one calls
 * usage_client_turn when the descriptor is ready, when there is something to send, and
 * about each USAGE_AGAIN_MS while the server is away. */
#pragma once

#include "book.h"

#define USAGE_WAIT_MS 100   /* for the first limit of a session */
#define USAGE_AWAY_MS 5000  /* after a wait in vain nobody waits again for so long */
#define USAGE_AGAIN_MS 1000 /* between two attempts to connect, at least */

struct usage_client;

/* Monotonic clock, the same in all processes of a host. */
int64_t usage_clock_us(void);

/* path is copied; no connection is made yet.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT the path is too long for a unix socket
 * Owner   caller, usage_client_free */
PW_MUST_CHECK enum pw_status usage_client_new(struct usage_client **out,
                                              const char *path);
void usage_client_free(struct usage_client **client);

struct usage_book *usage_client_book(struct usage_client *client);

/* Connect if need be, take what has come, send what the book has to say; at once.
 *
 * Errors  PW_ERR_AWAY no connection; PW_ERR_PROTOCOL a server that does not speak this
 *         protocol (hung up). Tried again by a later turn, USAGE_AGAIN_MS apart */
PW_MUST_CHECK enum pw_status usage_client_turn(struct usage_client *client);

/* Take turns until the watch of entry is answered, for at most USAGE_WAIT_MS.
 *
 * Errors  as usage_client_turn; PW_ERR_TIMEOUT no answer, or not waited for because one
 *         failed to come less than USAGE_AWAY_MS ago */
PW_MUST_CHECK enum pw_status usage_client_wait(struct usage_client *client,
                                               const struct usage_entry *entry);

/* The descriptor to look at; -1 = not connected. serial changes with each connection: a
 * descriptor may come back under the same number. */
int usage_client_fd(const struct usage_client *client, unsigned int *serial_out);
/* Has the server to read before more can be sent? */
bool usage_client_is_full(const struct usage_client *client);
/* Lines that came since the start: a server that says something is there. */
uint64_t usage_client_heard(const struct usage_client *client);
