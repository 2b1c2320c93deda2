/* A message's row of the history, as mail.record_messages takes it. Pure. */
#pragma once

#include "mail/judge.h"

#define RECORD_RECIPIENTS_MAX 1000 /* written; further ones are not */
#define RECORD_SIGNATURES_MAX 64   /* as many as are reported by mail/dkim.h */
#define RECORD_TEXT_MAX 1000       /* bytes of one text of a stranger */

struct record {
	struct pw_str queue_id, host, action;
	const struct pw_envelope *envelope;
	const struct pw_verdict *verdict;
	bool is_dmarc_refused; /* DMARC's rejection was carried out */
	int64_t at_ms;
};

void record_put(struct pw_buf *out, const struct record *record);
