#include "origin/fallback/digest.h"

#include <string.h>

#include <openssl/evp.h>

#include "core/map.h"

void digest_done(struct digest *digest)
{
	EVP_MD_CTX_free(digest->running);
	EVP_MD_CTX_free(digest->copy);
	*digest = (struct digest){ 0 };
}

static void remember(struct digest *digest, bool is_ok)
{
	if (!is_ok && digest->status == PW_OK)
		digest->status = PW_ERR_CRYPTO;
}

static bool make_contexts(struct digest *digest)
{
	if (!digest->running)
		digest->running = EVP_MD_CTX_new();
	if (!digest->copy)
		digest->copy = EVP_MD_CTX_new();
	return digest->running && digest->copy;
}

void digest_begin(struct digest *digest, const uint8_t *secret, struct pw_str sender)
{
	uint64_t hash = pw_siphash(secret, sender);

	digest->status = make_contexts(digest) ? PW_OK : PW_ERR_NOMEM;
	digest->key = (struct ledger_key){ 0 };
	memcpy(digest->key.sender, &hash, sizeof(digest->key.sender));
	if (digest->status != PW_OK)
		return;
	remember(digest, EVP_DigestInit_ex(digest->running, EVP_sha256(), NULL) == 1);
	digest_put(digest, (struct pw_str){ (const char *)secret, LEDGER_KEY_BYTES });
	digest_put(digest, sender);
	digest_put(digest, PW_STR("\0"));
}

void digest_put(struct digest *digest, struct pw_str bytes)
{
	if (digest->status == PW_OK && bytes.len > 0)
		remember(digest,
		         EVP_DigestUpdate(digest->running, bytes.at, bytes.len) == 1);
}

void digest_header_end(struct digest *digest)
{
	unsigned char hash[EVP_MAX_MD_SIZE];

	if (digest->status != PW_OK)
		return;
	remember(digest, EVP_MD_CTX_copy_ex(digest->copy, digest->running) == 1 &&
	                         EVP_DigestFinal_ex(digest->copy, hash, NULL) == 1);
	if (digest->status == PW_OK)
		memcpy(digest->key.header, hash, sizeof(digest->key.header));
	digest_put(digest, PW_STR("\r\n"));
}

enum pw_status digest_end(struct digest *digest)
{
	unsigned char hash[EVP_MAX_MD_SIZE];

	if (digest->status != PW_OK)
		return digest->status;
	remember(digest, EVP_DigestFinal_ex(digest->running, hash, NULL) == 1);
	if (digest->status == PW_OK)
		memcpy(digest->key.whole, hash, sizeof(digest->key.whole));
	return digest->status;
}
