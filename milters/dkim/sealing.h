/* One message on its way to a seal: glue between the session and mail/arc_seal.h. A seal
 * that cannot be made is no reason to hold a message. */
#pragma once

#include "dkim/seal.h"
#include "kit/kit.h"

struct sealing;

/* line_max: as in mail/arc_seal.h.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO
 * Owner   caller, sealing_free */
PW_MUST_CHECK enum pw_status sealing_new(struct sealing **out, size_t line_max);
void sealing_free(struct sealing **sealing);

/* As the message comes; NULL is allowed and does nothing. */
void sealing_header(struct sealing *sealing, struct pw_str name, struct pw_str value);
void sealing_body(struct sealing *sealing, struct pw_str chunk);
/* Mail for a domain of ours goes outside: the first one counts. */
void sealing_leads(struct sealing *sealing, struct pw_str domain);
/* Whom a Sieve script sent it on from, in normal form; empty: none did. */
struct pw_str sealing_redirector(const struct sealing *sealing);

struct sealing_rules {
	struct pw_str authserv_id; /* whose results are ours */
	struct pw_str domain; /* whose key, always; empty: of where it was forwarded */
	bool is_signed;       /* it has got a DKIM signature of ours */
};

/* The message is complete: decide, add the set, log and count. Nothing happens to what is
 * not forwarded.
 *
 * Errors  PW_ERR_IO: perhaps a part of the set is in the message, which must not pass */
PW_MUST_CHECK enum pw_status sealing_end(struct sealing *sealing, struct kit_session *s,
                                         const struct keyring *keyring,
                                         const struct sealing_rules *rules);
