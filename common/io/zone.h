/* A resolver that answers from a JSON zone file, for tests and for reading old mail.
 *
 *     {"example.org": {"TXT": ["v=spf1 -all"], "MX": [[10, "mx.example.org"]],
 *                      "A": ["192.0.2.1"], "AAAA": [...], "PTR": ["host.example.org"]},
 *      "alias.example": {"CNAME": "example.org"},
 *      "slow.example": {"rcode": "TIMEOUT"}}
 *
 * rcode answers the types not listed beside it; an absent name is NXDOMAIN, an absent
 * type no data. A TXT entry is one record, already joined. In TXT text, U+0080..U+00FF
 * stand for themselves as UTF-8. Names are compared without case and final dot. */
#pragma once

#include "io/dns.h"

#define PW_ZONE_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Read the file.
 *
 * why  gets one line of text for a person when the result is not PW_OK
 *
 * Errors  those of pw_file_read; PW_ERR_SYNTAX not a zone file; PW_ERR_LIMIT;
 * PW_ERR_NOMEM Owner   caller, pw_resolver_close */
PW_MUST_CHECK enum pw_status pw_zone_open(struct pw_resolver **out, const char *path,
                                          struct pw_buf *why);
