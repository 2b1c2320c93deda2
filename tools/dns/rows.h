/* mail.dns_records into a survey, and what was found back into the database. */
#pragma once

#include "db/session.h"
#include "tools/dns/survey.h"

/* Read the records of some domains, or of all.
 *
 * domains  count names, in any case; none = all. With a domain come its mail hosts
 * why      what went wrong: the server's words, or a name that is no domain of ours
 *
 * Errors  PW_ERR_NOTFOUND no such domain; those of pw_db_session_exec; PW_ERR_NOMEM
 * Owner   out, dns_survey_done */
PW_MUST_CHECK enum pw_status dns_rows_read(struct dns_survey *out,
                                           struct pw_db_session *session,
                                           const char *const *domains, size_t count,
                                           bool only_keys, struct pw_buf *why);
/* Where setting mx_addresses is empty, fill it in with what DNS said of the mail hosts.
 *
 * is_filled_out  there are more records than were asked for now
 *
 * Errors  those of pw_db_session_exec */
PW_MUST_CHECK enum pw_status dns_rows_fill(const struct dns_survey *survey,
                                           struct pw_db_session *session,
                                           bool *is_filled_out, struct pw_buf *why);
/* mail.record_dns.
 *
 * Errors  those of pw_db_session_exec */
PW_MUST_CHECK enum pw_status dns_rows_record(const struct dns_survey *survey,
                                             struct pw_db_session *session,
                                             struct pw_buf *why);
