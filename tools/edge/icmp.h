/* Questions that a kernel answers itself: is the way wide enough, and what time is it?
 * Need root's right to raw sockets. */
#pragma once

#include "core/ip.h"
#include "core/status.h"

enum icmp_result {
	ICMP_ANSWERED,
	ICMP_SILENT,    /* nobody answered in time */
	ICMP_TOO_BIG,   /* the kernel knows that packets of that size do not pass */
	ICMP_IMPOSSIBLE /* could not be asked */
};

/* An echo in one packet of that many bytes, IP header included, that nobody on the way
 * may cut into pieces. Sent twice when the first stays without an answer. */
enum icmp_result icmp_echo(struct pw_ip ip, size_t packet_bytes, int64_t timeout_ms);
/* How far the clock of an IPv4 host is ahead of ours (RFC 792, timestamp): milliseconds,
 * of a day at most half. */
enum icmp_result icmp_clock(struct pw_ip ip, int64_t timeout_ms, int64_t *ahead_ms_out);
/* The same of the three times of the answer: milliseconds since midnight UT. Pure. */
int64_t icmp_ahead(int64_t sent_ms, int64_t theirs_ms, int64_t heard_ms);
