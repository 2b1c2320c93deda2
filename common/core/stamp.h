/* The stamp: what an edge says about a message's client in the header field
 * Postward-Origin, bound to the message's envelope and content, so that the inner host
 * can believe it. Made and read here; what is done about a bad one the caller decides. */
#pragma once

#include "core/arena.h"
#include "core/origin.h"
#include "core/stamp_key.h"

#define PW_STAMP_FIELD "Postward-Origin"
#define PW_STAMP_MAX 8192 /* bytes of the value, folds included */
#define PW_STAMP_NONCE 12
#define PW_STAMP_HASH 8
#define PW_STAMP_DIGEST 32
#define PW_STAMP_RECIPIENTS_MAX 200
#define PW_STAMP_AGE_S ((int64_t)7 * 86400) /* the oldest that is taken */

/* About the client and the edge. Slices are borrowed; empty = not known. */
struct pw_stamp_facts {
	int64_t at_s;              /* when the edge made the stamp */
	struct pw_str edge;        /* its name */
	struct pw_str queue_id;    /* there */
	struct pw_origin origin;   /* at_ms is not carried: at_s instead */
	struct pw_str client_cert; /* SHA-256 of the client's certificate */
};

struct pw_stamp {
	struct pw_stamp_facts facts;
	const struct pw_stamp_key *key; /* borrowed */
	uint8_t nonce[PW_STAMP_NONCE];
	uint8_t sender[PW_STAMP_HASH];
	uint32_t recipient_count; /* over PW_STAMP_RECIPIENTS_MAX none is listed */
	uint8_t recipients[PW_STAMP_RECIPIENTS_MAX][PW_STAMP_HASH];
	uint32_t fields;                 /* header fields the digest covers */
	uint8_t digest[PW_STAMP_DIGEST]; /* core/stamp_digest.h */
};

/* Making one: begin at MAIL, add at each RCPT; facts, fields and digest when they are
 * known; build last.
 *
 * nonce    PW_STAMP_NONCE random bytes, for this stamp alone
 * address  as in MAIL and RCPT, with or without <> */
void pw_stamp_begin(struct pw_stamp *stamp, const struct pw_stamp_key *key,
                    const uint8_t *nonce, struct pw_str sender);
void pw_stamp_add_recipient(struct pw_stamp *stamp, struct pw_str address);
/* Append the field's value: no leading blank, folded with CRLF TAB before column 77,
 * without a final line end. Texts longer than 255 bytes are cut, a login never.
 *
 * Errors  PW_ERR_LIMIT (the login), PW_ERR_CRYPTO, PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_stamp_build(struct pw_buf *out,
                                            const struct pw_stamp *stamp);

/* What a stamp is worth by itself, in the order in which it is found out. */
enum pw_stamp_verdict {
	PW_STAMP_GOOD,
	PW_STAMP_BROKEN,      /* no stamp of a version we know, or out of bounds */
	PW_STAMP_UNKNOWN_KEY, /* not in our file */
	PW_STAMP_KEY_TIME,    /* the key's time is over or to come */
	PW_STAMP_BAD_MAC,
	PW_STAMP_BAD_TIME, /* too old, or made in the future */
};
/* "good", "broken", "unknown key", "key time", "bad mac", "bad time". */
const char *pw_stamp_verdict_text(enum pw_stamp_verdict verdict);

/* Read a field's value. Envelope and digest are not looked at: see below.
 *
 * out    whole if PW_STAMP_GOOD; else facts may be told to an operator if out->key, and
 *        believed by nobody. Texts live in arena, the key in keys
 * now_s  wall clock
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status pw_stamp_read(enum pw_stamp_verdict *verdict_out,
                                           struct pw_stamp *out, struct pw_arena *arena,
                                           const struct pw_stamp_keys *keys,
                                           struct pw_str value, int64_t now_s);
/* Is it the stamp's sender, is it one of its recipients? One of a stamp that lists none
 * is any. The key of the hash is secret: who reads a stamp learns no recipient. */
bool pw_stamp_is_sender(const struct pw_stamp *stamp, struct pw_str address);
bool pw_stamp_is_recipient(const struct pw_stamp *stamp, struct pw_str address);
/* The address's hash under the stamp's key and nonce: equal for equal addresses of one
 * stamp only. */
void pw_stamp_hash(uint8_t *out, const struct pw_stamp *stamp, struct pw_str address);

/* Postward-Client: the facts of an accepted stamp, for readers on the inner host, put by
 * nobody but the daemon that accepted it. */
#define PW_CLIENT_FIELD "Postward-Client"

/* Append the field's value, as pw_stamp_build does.
 *
 * Errors  PW_ERR_LIMIT, PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_client_build(struct pw_buf *out,
                                             const struct pw_stamp_facts *facts);
/* Errors  PW_ERR_SYNTAX, PW_ERR_NOMEM
 * Owner   texts live in arena */
PW_MUST_CHECK enum pw_status pw_client_parse(struct pw_stamp_facts *out,
                                             struct pw_arena *arena, struct pw_str value);
