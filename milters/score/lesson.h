/* A message to be learned, as mail.record_lessons takes it. Pure. */
#pragma once

#include "mail/message_tokens.h"

struct lesson {
	struct pw_str login; /* whose base; empty = the shared one */
	bool is_spam;
	const char *origin; /* "move", "auto" */
	const struct pw_message *message;
	const struct pw_tokens *tokens;
};

/* Append one JSON object.
 *
 * Errors  PW_ERR_CRYPTO, PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status lesson_put(struct pw_buf *out, const struct lesson *lesson);
