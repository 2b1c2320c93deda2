/* Every login's end, told to policyd as it happens: whatever the mechanism, from the
 * cache too. It is seen in Dovecot's event auth_request_finished. */
#pragma once

#include <stdint.h>

struct auth_request;

/* Watch the events; later calls do nothing. */
void report_init(void);
void report_deinit(void);

/* How our passdb answered a request, for its report. */
void report_mark(struct auth_request *request, enum passdb_result result);
/* The same where Dovecot's result does not say it: a refusal dressed as a wrong
 * password. */
void report_mark_refused(struct auth_request *request);
/* The password it came with, if it came with one, was wrong or nobody's. */
void report_mark_wrong(struct auth_request *request);
/* Which password was right. */
void report_mark_credential(struct auth_request *request, int64_t number);
