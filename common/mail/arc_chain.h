/* Reading ARC (RFC 8617): the sets of a message, their structure, and the bytes their
 * signatures are made over. Pure. */
#pragma once

#include "core/buf.h"

#define PW_ARC_SETS_MAX 50     /* RFC 8617 5.2, step 1 */
#define PW_ARC_FIELDS_MAX 1000 /* header fields of a message that is verified */
#define PW_ARC_HEADER_MAX ((size_t)2 * 1024 * 1024) /* bytes of them */
#define PW_ARC_NAMES_MAX 2000                       /* names in one h= */

enum pw_arc_kind { PW_ARC_RESULTS, PW_ARC_MESSAGE, PW_ARC_SEAL }; /* as they are sealed */
#define PW_ARC_KINDS 3

enum pw_arc_result { PW_ARC_NONE, PW_ARC_PASS, PW_ARC_FAIL };

struct pw_arc_field {
	struct pw_str name,
		value; /* value: everything behind the colon, folds included */
};

struct pw_arc_set {
	struct pw_arc_field fields[PW_ARC_KINDS]; /* value.at NULL: not there */
	enum pw_arc_result cv; /* what its seal says of the sets below */
	struct pw_str domain;  /* d= of its seal */
};

/* All zero is a message without ARC. Texts are borrowed. */
struct pw_arc_chain {
	struct pw_arc_set sets[PW_ARC_SETS_MAX]; /* by instance, less one */
	unsigned count;                          /* highest instance */
	const char
		*broken; /* why the fields are no chain; static text, NULL = they are */
};

/* What a signature field says; texts are slices of its value. */
struct pw_arc_signature {
	struct pw_str algorithm, domain, selector, names, body_hash, signature;
	bool is_header_simple, is_body_simple;
	int64_t body_max; /* l=, INT64_MAX without */
};

/* The name of a field of ARC, ASCII case ignored; false: it is none. */
bool pw_arc_kind_of(struct pw_str name, enum pw_arc_kind *out);
const char *pw_arc_field_name(enum pw_arc_kind kind);
/* "none", "pass", "fail": static text. */
const char *pw_arc_result_text(enum pw_arc_result result);

/* Take in a field of that kind; what is wrong with it breaks the chain. */
void pw_arc_chain_add(struct pw_arc_chain *chain, enum pw_arc_kind kind,
                      struct pw_str name, struct pw_str value);
/* Steps 1 to 3 of RFC 8617 5.2: count, highest cv=, structure.
 *
 * Returns NULL if the signatures are worth looking at, else why not, as static text. */
const char *pw_arc_chain_check(const struct pw_arc_chain *chain);

/* Read a signature field and judge its tags.
 *
 * Returns NULL if fine, else why not, as static text. */
const char *pw_arc_signature_read(struct pw_arc_signature *out, enum pw_arc_kind kind,
                                  struct pw_str value, int64_t now_s);

/* Append what the seal of an instance is made over: all sets up to it, or that one alone
 * (RFC 8617 5.1.1, 5.1.2), its own b= empty. */
void pw_arc_put_sealed(struct pw_buf *out, const struct pw_arc_chain *chain,
                       unsigned instance, bool is_alone);
/* Append what a message signature is made over (RFC 6376 3.7): the fields that names
 * names, the last of a name first, but never that of own, then own with its b= empty.
 *
 * Errors  PW_ERR_LIMIT too many fields or names; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status
pw_arc_put_signed(struct pw_buf *out, const struct pw_arc_field *fields, size_t count,
                  const struct pw_arc_field *own, struct pw_str names, bool is_simple);
