/* DKIM verification (RFC 6376, 8301, 8463). libopendkim canonicalises and computes; what
 * it is lax about, how many signatures are looked at and where keys come from is decided
 * here.
 *
 * A message is fed as the milter gets it: each header field in order, the end of the
 * header, body chunks, the end of the message. */
#pragma once

#include "core/arena.h"
#include "core/str.h"
#include "io/dns.h"
#include "mail/arc_chain.h"

#define PW_DKIM_SIGNATURES_MAX 8 /* verified a message; those aligned with From first */
#define PW_DKIM_FIELDS_MAX 64    /* reported a message; further ones are not looked at */
#define PW_DKIM_HEADERS_MAX                                                              \
	1000 /* header fields; with more every result is permerror                       \
	      */

/* Clock shift of readers of old mail: 31 years, longer than there is DKIM. More than the
 * clock's own time would run below zero inside libopendkim. */
#define PW_DKIM_ANY_TIME_S INT64_C(1000000000)

enum pw_dkim_result {
	PW_DKIM_NONE, /* not signed; of a whole message only */
	PW_DKIM_PASS,
	PW_DKIM_FAIL,    /* the message or its signature was changed */
	PW_DKIM_POLICY,  /* right, but too weak to count: rsa-sha1, RSA below 1024 bits */
	PW_DKIM_NEUTRAL, /* not looked at: over PW_DKIM_SIGNATURES_MAX */
	PW_DKIM_TEMPERROR, /* the key could not be fetched now */
	PW_DKIM_PERMERROR, /* signature or key cannot be used */
};
#define PW_DKIM_RESULTS 7

/* One signature, in the order of the message. Text tags are empty when they cannot be
 * read. */
struct pw_dkim_verdict {
	enum pw_dkim_result result;
	const char *reason; /* static text: "body hash mismatch"; "" on a plain pass */
	struct pw_str domain, selector, algorithm; /* d=, s=, a= */
	struct pw_str identity;                    /* i=, or "@" and d= */
	struct pw_str signature_start; /* first bytes of b=, for header.b (RFC 6008) */
	unsigned key_bits;             /* 0 = no key seen */
	bool has_length;  /* l= was used: bytes can be appended; treat a pass with care */
	bool is_test_key; /* t=y */
};

struct pw_dkim_lib; /* shared by all threads */
struct pw_dkim;     /* one message, one thread */

/* clock_shift_s: by how much the now_ms of the messages may differ from the system's
 * clock, which libopendkim reads by itself; 0 for live mail.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO
 * Owner   caller, pw_dkim_lib_free, after the last message */
PW_MUST_CHECK enum pw_status pw_dkim_lib_new(struct pw_dkim_lib **out,
                                             int64_t clock_shift_s);
void pw_dkim_lib_free(struct pw_dkim_lib **lib);

/* Begin a message; what is kept of it lives in arena.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, pw_dkim_free, before the arena is reset */
PW_MUST_CHECK enum pw_status pw_dkim_new(struct pw_dkim **out, struct pw_dkim_lib *lib,
                                         struct pw_resolver *resolver,
                                         struct pw_arena *arena, int64_t now_ms);
void pw_dkim_free(struct pw_dkim **dkim);

/* The next header field: value is everything behind the colon, leading blank and folds
 * included (SMFIP_HDR_LEADSPC), without the final line end. Folds may be LF or CRLF.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dkim_header(struct pw_dkim *dkim, struct pw_str name,
                                            struct pw_str value);
/* The header is complete: choose the signatures to verify, file the questions for their
 * keys.
 *
 * from_domain  domain of header From, empty when there is no such one mailbox
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dkim_eoh(struct pw_dkim *dkim, struct pw_str from_domain);
/* Some of the body, lines ended by CRLF, cut anywhere.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dkim_body(struct pw_dkim *dkim, struct pw_str chunk);
/* All of the header once more, for what libopendkim does not look at
 * (mail/dkim_header.h); before pw_dkim_eom, borrowed until then. Without it such
 * signatures are permerror. */
void pw_dkim_lend_header(struct pw_dkim *dkim, const struct pw_arc_field *fields,
                         size_t count);
/* The message is complete. Waits for keys until deadline_ms (CLOCK_MONOTONIC); a key not
 * there by then is a temperror of its signature.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO
 * Owner   the verdicts live in the arena */
PW_MUST_CHECK enum pw_status pw_dkim_eom(struct pw_dkim *dkim, int64_t deadline_ms,
                                         const struct pw_dkim_verdict **verdicts_out,
                                         size_t *count_out);

/* The message's one word: pass if any passes, else temperror, policy, fail, permerror,
 * neutral in this order; none without signatures. */
enum pw_dkim_result pw_dkim_overall(const struct pw_dkim_verdict *verdicts, size_t count);
/* "pass", "permerror": static text (RFC 8601 2.7.1). */
const char *pw_dkim_result_text(enum pw_dkim_result result);
