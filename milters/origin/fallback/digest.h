/* What a message is known by when it comes again: keyed hashes of its sender, its header
 * and all of it (SHA-256 under the ledger's key). Bytes may come in any pieces. */
#pragma once

#include <openssl/types.h>

#include "core/str.h"
#include "origin/fallback/ledger.h"

/* All zero is ready for digest_begin. */
struct digest {
	EVP_MD_CTX *running, *copy;
	struct ledger_key key;
	enum pw_status status;
};

void digest_done(struct digest *digest);
/* A new message. secret: LEDGER_KEY_BYTES. key.sender stands from here on. */
void digest_begin(struct digest *digest, const uint8_t *secret, struct pw_str sender);
void digest_put(struct digest *digest, struct pw_str bytes);
/* The header is complete: key.header stands. */
void digest_header_end(struct digest *digest);
/* The message is complete: key.whole stands.
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_CRYPTO: of this message or any step before */
PW_MUST_CHECK enum pw_status digest_end(struct digest *digest);
