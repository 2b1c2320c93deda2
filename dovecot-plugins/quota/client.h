/* A process's connection to policyd's usage socket. Opened when first needed, kept, and
 * opened again by itself. One exchange takes at most USAGE_WAIT_MS; after a failure the
 * server counts as away for USAGE_AWAY_MS and every call returns at once. */
#pragma once

#include "protocol.h"

#define USAGE_WAIT_MS 200
#define USAGE_AWAY_MS 5000

struct usage_client;

/* Monotonic clock. */
int64_t usage_clock_ms(void);

/* path is copied; no connection is made yet.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_LIMIT the path is too long for a unix socket
 * Owner   caller, usage_client_free */
PW_MUST_CHECK enum pw_status usage_client_new(struct usage_client **out,
                                              const char *path);
void usage_client_free(struct usage_client **client);

/* Send one request line made by usage_put_*, wait for its answer (limit_out as in
 * usage_parse_answer).
 *
 * Errors  PW_ERR_AWAY away, or no answer in time; PW_ERR_PROTOCOL a server that does not
 *         speak this protocol (then away too) */
PW_MUST_CHECK enum pw_status usage_client_ask(struct usage_client *client,
                                              struct pw_str request,
                                              enum usage_verdict *verdict_out,
                                              struct usage_numbers *limit_out);
