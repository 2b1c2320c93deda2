/* Password hashes of other systems: which scheme a bare hash is of, and whether it is one
 * to keep. What is kept in the end SQL's mail.is_password_hash says. */
#pragma once

#include "core/buf.h"

enum pw_hash_kind {
	PW_HASH_NAMED, /* {SCHEME}hash was made of it */
	PW_HASH_NONE,  /* nothing, or a mark that nobody may log in */
	PW_HASH_DES,  /* eight letters count: crypt(3) of old, or pgcrypto's answer to $6$
	               */
	PW_HASH_WEAK, /* MD5, SHA-1, no salt, no work: guessed in hours once it leaks */
	PW_HASH_CLEAR,  /* clear text, or what amounts to it */
	PW_HASH_UNKNOWN /* no form known here; may be a password in clear text */
};

/* Name the scheme: "$6$..." becomes "{SHA512-CRYPT}$6$...", "{sha512-crypt}" gets its
 * capitals. Appends to out only for PW_HASH_NAMED. Naming twice changes nothing. */
enum pw_hash_kind pw_hash_name(struct pw_buf *out, struct pw_str text);
/* Why a hash of that kind is not taken: static text; "" for PW_HASH_NAMED. */
const char *pw_hash_kind_text(enum pw_hash_kind kind);
