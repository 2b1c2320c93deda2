/* The part of a message's row that reports about DMARC are made from (RFC 7489 7.2).
 * Pure.
 */
#pragma once

#include "score/record.h"

/* Append {"from", "policy", "evaluated", "spf", "dkim", "arc"}; without a DMARC record of
 * the author there is no "policy" and no "evaluated". */
void record_put_auth(struct pw_buf *out, const struct record *record);
