/* What Bayes asks the database about a message, within a deadline. A database that is
 * away costs the deadline once; then nobody asks for a while. Thread-safe. */
#pragma once

#include "db/config.h"
#include "mail/judge.h"

/* So long nobody asks after a failure. */
#define MEMORY_REST_MS 10000
/* A message to more recipients is judged by what all share. */
#define MEMORY_RECIPIENTS_MAX 10

struct memory;

/* Errors  PW_ERR_CONFIG (why_out), PW_ERR_NOMEM
 * Owner   caller, memory_close */
PW_MUST_CHECK enum pw_status memory_open(struct memory **out,
                                         const struct pw_db_config *config,
                                         unsigned int connections,
                                         struct pw_buf *why_out);
void memory_close(struct memory **memory);

/* One session's way to it. */
struct recall {
	struct memory *memory;
	int64_t patience_ms; /* longest wait for an answer; 0 = nobody asks */
};
/* For struct pw_judge_tools; recall is a struct recall. */
bool memory_recall(void *recall, const struct pw_envelope *envelope,
                   const struct pw_tokens *tokens, struct pw_bayes_counts *out);
/* For struct pw_judge_tools: the same of the places it came from. */
bool memory_standing(void *recall, struct pw_reputation *sources);
