/* DNS as values, shared by the machines that ask and the glue that answers. */
#pragma once

#include "core/arena.h"
#include "core/ip.h"
#include "core/str.h"

#define PW_DNS_NAME_MAX 253 /* bytes of a name in text, without final dot */
#define PW_DNS_LABEL_MAX 63 /* bytes of a label */
#define PW_DNS_TXT_MAX                                                                   \
	(8 * 1024) /* bytes of one joined TXT record; longer ones are left out */
#define PW_DNS_RECORDS_MAX 256 /* records of one answer; further ones are left out */

enum pw_dns_type {
	PW_DNS_A,
	PW_DNS_AAAA,
	PW_DNS_MX,
	PW_DNS_TXT,
	PW_DNS_PTR,
	PW_DNS_NS,
	PW_DNS_SRV
};
#define PW_DNS_TYPES 7

/* An answer that could not be had (SERVFAIL, TIMEOUT) is never "there is none". */
enum pw_dns_rcode { PW_DNS_OK, PW_DNS_NXDOMAIN, PW_DNS_SERVFAIL, PW_DNS_TIMEOUT };

struct pw_dns_question {
	enum pw_dns_type type;
	struct pw_str name; /* without final dot */
};

struct pw_dns_record {
	struct pw_ip ip; /* A, AAAA */
	struct pw_str
		text; /* TXT: strings joined, any byte; others: host, no final dot */
	uint16_t preference; /* MX, SRV */
	uint16_t port;       /* SRV */
};

/* rcode OK with count 0 is "name exists, no such data". Records have the type asked for;
 * aliases were followed. A host name with bytes that DNS allows but text cannot carry
 * (dots in labels, blanks, control characters) is left out. */
struct pw_dns_answer {
	enum pw_dns_rcode rcode;
	bool is_secure; /* DNSSEC-validated by us */
	uint32_t ttl_s;
	const struct pw_dns_record *records;
	size_t count;
	struct pw_str canonical; /* where aliases led; empty = there was none */
};

/* Could the answer not be had (SERVFAIL, TIMEOUT)? */
bool pw_dns_is_error(const struct pw_dns_answer *answer);
/* A name that can be asked for: labels of 1..63 bytes, at most 253 bytes in all; one
 * final dot is allowed. Bytes are not judged. */
bool pw_dns_name_is_valid(struct pw_str name);
/* "4.3.2.1.in-addr.arpa" or the ip6.arpa form. */
void pw_dns_put_arpa(struct pw_buf *out, struct pw_ip ip);
/* "MX", "NXDOMAIN": static text. */
const char *pw_dns_type_text(enum pw_dns_type type);
const char *pw_dns_rcode_text(enum pw_dns_rcode rcode);
/* Type by its name, ASCII case ignored.
 *
 * Errors  PW_ERR_NOTFOUND */
PW_MUST_CHECK enum pw_status pw_dns_type_parse(enum pw_dns_type *out, struct pw_str text);
/* "NXDOMAIN", "SERVFAIL", "TIMEOUT", "OK", exactly.
 *
 * Errors  PW_ERR_NOTFOUND */
PW_MUST_CHECK enum pw_status pw_dns_rcode_parse(enum pw_dns_rcode *out,
                                                struct pw_str text);
/* One record from the rdata of a message (names not compressed, as libunbound hands them
 * over).
 *
 * Errors  PW_ERR_SYNTAX malformed, or a host name that text cannot carry; PW_ERR_LIMIT a
 * TXT record over PW_DNS_TXT_MAX; PW_ERR_NOMEM Owner   text lives in arena RFC 1035 3.3
 */
PW_MUST_CHECK enum pw_status pw_dns_record_read(struct pw_dns_record *out,
                                                struct pw_arena *arena,
                                                enum pw_dns_type type,
                                                struct pw_str rdata);
