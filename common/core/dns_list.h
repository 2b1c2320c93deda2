/* Lists asked over DNS (RFC 5782): the name to ask for, what an answer means, and whether
 * the list can be believed at all. Pure. */
#pragma once

#include "core/buf.h"
#include "core/dns.h"

#define PW_DNS_CODES_MAX 8 /* patterns of one text */

/* Answers of a list: patterns of IPv4 addresses. */
struct pw_dns_codes {
	struct pw_dns_code {
		struct {
			uint8_t low, high; /* both included */
			uint8_t mask;      /* not 0: any of these bits instead */
		} octet[4];
	} at[PW_DNS_CODES_MAX];
	size_t count;
};

/* Read "127.0.0.2", "127.0.0.4-7", "127.0.*.1", "127.0.0.&8" (any of these bits), several
 * with blanks between; empty = none.
 *
 * Errors  PW_ERR_SYNTAX; PW_ERR_LIMIT over PW_DNS_CODES_MAX */
PW_MUST_CHECK enum pw_status pw_dns_codes_parse(struct pw_dns_codes *out,
                                                struct pw_str text);
bool pw_dns_codes_match(const struct pw_dns_codes *codes, struct pw_ip ip);

/* The name under which zone lists an address: octets, or nibbles, turned around.
 *
 * RFC  5782 2.1, 2.4 */
void pw_dns_list_put_name(struct pw_buf *out, struct pw_ip ip, struct pw_str zone);

enum pw_dns_list_word {
	PW_DNS_LIST_CLEAN,    /* not on it */
	PW_DNS_LIST_LISTED,   /* on it: the codes say as what */
	PW_DNS_LIST_REFUSED,  /* the list does not want to answer us: says nothing */
	PW_DNS_LIST_NO_ANSWER /* nor does this */
};
/* refusals: answers that mean "ask elsewhere". So do addresses outside of 127.0.0.0/8: no
 * list gives them (RFC 5782 2.1), but who parks dead domains does. */
enum pw_dns_list_word pw_dns_list_read(const struct pw_dns_answer *answer,
                                       const struct pw_dns_codes *refusals);

enum pw_dns_list_state {
	PW_DNS_LIST_UNKNOWN, /* not looked at yet */
	PW_DNS_LIST_GOOD,    /* the one state in which it is asked about mail */
	PW_DNS_LIST_AWAY,    /* does not answer */
	PW_DNS_LIST_REFUSES, /* answers, but not us */
	PW_DNS_LIST_BROKEN   /* lists everybody, or nobody */
};
#define PW_DNS_LIST_STATES 5
/* "good", "refuses": static text. */
const char *pw_dns_list_state_text(enum pw_dns_list_state state);

/* What its test points say of a list; NULL: it has no such point.
 *
 * listed    of the one that is always on it
 * unlisted  of the one that never is
 *
 * RFC  5782 5 */
enum pw_dns_list_state pw_dns_list_judge(const enum pw_dns_list_word *listed,
                                         const enum pw_dns_list_word *unlisted);
