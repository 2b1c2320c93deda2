#include "tools/edge/wireguard.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#define KEY_BYTES 32

static void key_free(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void put_base64(char out[EDGE_WG_KEY], const unsigned char *bytes)
{
	(void)EVP_EncodeBlock((unsigned char *)out, bytes, KEY_BYTES);
}

static enum pw_status make_pair(char private_out[EDGE_WG_KEY],
                                char public_out[EDGE_WG_KEY])
{
	PW_AUTO(key_free) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	unsigned char secret[KEY_BYTES], public[KEY_BYTES];
	size_t secret_len = sizeof(secret), public_len = sizeof(public);
	bool is_well = key != NULL &&
	               EVP_PKEY_get_raw_private_key(key, secret, &secret_len) == 1 &&
	               EVP_PKEY_get_raw_public_key(key, public, &public_len) == 1 &&
	               secret_len == KEY_BYTES && public_len == KEY_BYTES;

	if (is_well) {
		/* RFC 7748 5: every user of it does so; wg prints keys that way */
		secret[0] &= 248;
		secret[31] = (unsigned char)((secret[31] & 127) | 64);
		put_base64(private_out, secret);
		put_base64(public_out, public);
	}
	pw_wipe(secret, sizeof(secret));
	return is_well ? PW_OK : PW_ERR_CRYPTO;
}

enum pw_status edge_keys_make(struct edge_keys *out)
{
	unsigned char shared[KEY_BYTES];
	bool is_well = RAND_bytes(shared, sizeof(shared)) == 1;

	if (is_well)
		put_base64(out->shared, shared);
	pw_wipe(shared, sizeof(shared));
	is_well = is_well && make_pair(out->edge, out->edge_public) == PW_OK &&
	          make_pair(out->inner, out->inner_public) == PW_OK;
	return is_well ? PW_OK : PW_ERR_CRYPTO;
}
