/* Speak to a server for a moment, to see that it answers and in the right language. */
#pragma once

#include "core/ip.h"
#include "core/str.h"

enum probe_kind {
	PROBE_CONNECT, /* nothing is said */
	PROBE_MILTER,
	PROBE_POLICY, /* Postfix's policy protocol */
	PROBE_MAP,    /* policyd's tables for Postfix */
	PROBE_SMTP,   /* waits for 220 */
	PROBE_AUTH,   /* Dovecot's auth protocol: waits for VERSION */
	PROBE_CLAMD,
};

enum probe_result {
	PROBE_FINE,
	PROBE_NOT_THERE,   /* no such socket */
	PROBE_DENIED,      /* may not connect */
	PROBE_REFUSED,     /* nobody listens */
	PROBE_SILENT,      /* no connection, or no answer, in time */
	PROBE_STRANGE,     /* another answer than that protocol has */
	PROBE_UNREACHABLE, /* no way there, or any other failure */
};
#define PROBE_RESULTS 7

/* Ends at deadline_ms (monotonic) at the latest. */
enum probe_result probe_unix(const char *path, enum probe_kind kind, int64_t deadline_ms);
enum probe_result probe_tcp(struct pw_ip ip, unsigned int port, enum probe_kind kind,
                            int64_t deadline_ms);
/* "nobody listens": static text. */
const char *probe_text(enum probe_result result);
