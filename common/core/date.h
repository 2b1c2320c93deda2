/* Dates of mail (RFC 5322 3.3, obsolete forms too) as seconds. */
#pragma once

#include "core/str.h"

/* Parse a Date value, already unfolded; comments are skipped. A zone without meaning is
 * read as UTC, as RFC 5322 4.3 says.
 *
 * zone_minutes_out  east of UTC; may be NULL
 *
 * Errors  PW_ERR_SYNTAX; PW_ERR_RANGE a day that does not exist */
PW_MUST_CHECK enum pw_status pw_date_parse(int64_t *unix_s_out, int *zone_minutes_out,
                                           struct pw_str text);
/* Days since 1970-01-01 of a date of the Gregorian calendar. */
int64_t pw_date_days(int64_t year, int month, int day);
