#include "mail/dkim_key.h"

#include <openssl/bio.h>
#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>

struct pw_dkim_key {
	enum pw_dkim_algorithm algorithm;
	EVP_PKEY *pkey;
	atomic_size_t owners;
};

static const struct algorithm {
	const char *text; /* a= */
	const char *type; /* k= */
	int id;
	const char *name; /* in OpenSSL */
} algorithms[PW_DKIM_ALGORITHMS] = {
	[PW_DKIM_RSA_SHA256] = { "rsa-sha256", "rsa", EVP_PKEY_RSA, "RSA" },
	[PW_DKIM_ED25519_SHA256] = { "ed25519-sha256", "ed25519", EVP_PKEY_ED25519,
	                             "ED25519" },
};

static void bio_free(BIO **bio)
{
	BIO_free(*bio);
}

static void md_ctx_free(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

const char *pw_dkim_algorithm_text(enum pw_dkim_algorithm algorithm)
{
	return algorithms[algorithm].text;
}

enum pw_status pw_dkim_algorithm_parse(enum pw_dkim_algorithm *out, struct pw_str text)
{
	for (size_t i = 0; i < PW_LEN(algorithms); i++) {
		if (pw_str_eq(text, pw_str_from(algorithms[i].text))) {
			*out = (enum pw_dkim_algorithm)i;
			return PW_OK;
		}
	}
	return PW_ERR_NOTFOUND;
}

/* Takes pkey, also when it fails. */
static enum pw_status key_new(struct pw_dkim_key **out, enum pw_dkim_algorithm algorithm,
                              EVP_PKEY *pkey)
{
	struct pw_dkim_key *key = calloc(1, sizeof(*key));

	if (!key) {
		EVP_PKEY_free(pkey);
		return PW_ERR_NOMEM;
	}
	key->algorithm = algorithm;
	key->pkey = pkey;
	atomic_init(&key->owners, 1);
	*out = key;
	return PW_OK;
}

/* An encrypted key has no one to ask for its password: never read the terminal. */
static int no_password(char *buf, int size, int rwflag, void *user)
{
	(void)buf, (void)size, (void)rwflag, (void)user;
	return -1;
}

/* PKCS#8 of a known kind; a third of the time that it takes to try every kind there is.
 * NULL: not that. */
static EVP_PKEY *read_pkcs8(BIO *bio, const struct algorithm *algorithm)
{
	EVP_PKEY *pkey = NULL;
	OSSL_DECODER_CTX *ctx = OSSL_DECODER_CTX_new_for_pkey(
		&pkey, "PEM", "PrivateKeyInfo", algorithm->name, EVP_PKEY_KEYPAIR, NULL,
		NULL);

	if (!ctx)
		return NULL;
	(void)OSSL_DECODER_from_bio(ctx, bio);
	OSSL_DECODER_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *read_key(BIO *bio, const struct algorithm *algorithm, struct pw_str pem)
{
	EVP_PKEY *pkey = NULL;

	if (pw_str_starts(pem, PW_STR("-----BEGIN PRIVATE KEY-----")))
		pkey = read_pkcs8(bio, algorithm);
	if (pkey)
		return pkey;
	(void)BIO_reset(bio);
	return PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
}

enum pw_status pw_dkim_key_load(struct pw_dkim_key **out,
                                enum pw_dkim_algorithm algorithm, struct pw_str pem)
{
	PW_AUTO(bio_free) BIO *bio = NULL;
	EVP_PKEY *pkey;
	int bits;

	if (pem.len == 0 || pem.len > PW_DKIM_PEM_MAX)
		return PW_ERR_SYNTAX;
	if (!(bio = BIO_new_mem_buf(pem.at, (int)pem.len)))
		return PW_ERR_NOMEM;
	if (!(pkey = read_key(bio, &algorithms[algorithm], pem)))
		return PW_ERR_SYNTAX;
	if (EVP_PKEY_get_base_id(pkey) != algorithms[algorithm].id) {
		EVP_PKEY_free(pkey);
		return PW_ERR_SYNTAX;
	}
	bits = EVP_PKEY_get_bits(pkey);
	if (algorithm == PW_DKIM_RSA_SHA256 &&
	    (bits < PW_DKIM_RSA_BITS_MIN || bits > PW_DKIM_RSA_BITS_MAX)) {
		EVP_PKEY_free(pkey);
		return PW_ERR_RANGE;
	}
	return key_new(out, algorithm, pkey);
}

enum pw_status pw_dkim_key_make(struct pw_dkim_key **out,
                                enum pw_dkim_algorithm algorithm)
{
	EVP_PKEY *pkey = algorithm == PW_DKIM_RSA_SHA256
	                         ? EVP_RSA_gen(PW_DKIM_RSA_BITS_NEW)
	                         : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	return pkey ? key_new(out, algorithm, pkey) : PW_ERR_CRYPTO;
}

enum pw_status pw_dkim_key_make_rsa(struct pw_dkim_key **out, int bits)
{
	EVP_PKEY *pkey;

	if (bits < PW_DKIM_RSA_BITS_NEW || bits > PW_DKIM_RSA_BITS_MAX)
		return PW_ERR_RANGE;
	pkey = EVP_RSA_gen((unsigned int)bits);
	return pkey ? key_new(out, PW_DKIM_RSA_SHA256, pkey) : PW_ERR_CRYPTO;
}

struct pw_dkim_key *pw_dkim_key_share(struct pw_dkim_key *key)
{
	atomic_fetch_add(&key->owners, 1);
	return key;
}

void pw_dkim_key_free(struct pw_dkim_key **key)
{
	if (!*key)
		return;
	if (atomic_fetch_sub(&(*key)->owners, 1) == 1) {
		EVP_PKEY_free((*key)->pkey);
		free(*key);
	}
	*key = NULL;
}

enum pw_dkim_algorithm pw_dkim_key_algorithm(const struct pw_dkim_key *key)
{
	return key->algorithm;
}

enum pw_status pw_dkim_key_pem(const struct pw_dkim_key *key, struct pw_buf *out)
{
	PW_AUTO(bio_free) BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
	char *text;
	long len;

	if (!bio)
		return PW_ERR_NOMEM;
	if (!PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL))
		return PW_ERR_CRYPTO;
	len = BIO_get_mem_data(bio, &text);
	pw_buf_puts(out, (struct pw_str){ text, (size_t)len });
	return pw_buf_status(out);
}

static enum pw_status put_base64(struct pw_buf *out, const unsigned char *bytes,
                                 size_t len)
{
	char *text = malloc(len / 3 * 4 + 5);
	int n;

	if (!text)
		return PW_ERR_NOMEM;
	n = EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
	pw_buf_puts(out, (struct pw_str){ text, (size_t)n });
	free(text);
	return pw_buf_status(out);
}

/* The p= of the key: Ed25519 is the bare 32 bytes (RFC 8463 3), RSA a
 * SubjectPublicKeyInfo. */
static enum pw_status put_public(struct pw_buf *out, EVP_PKEY *pkey, bool is_raw)
{
	unsigned char raw[32];
	size_t raw_len = sizeof(raw);
	unsigned char *der = NULL;
	enum pw_status r;
	int len;

	if (is_raw) {
		if (EVP_PKEY_get_raw_public_key(pkey, raw, &raw_len) != 1)
			return PW_ERR_CRYPTO;
		return put_base64(out, raw, raw_len);
	}
	if ((len = i2d_PUBKEY(pkey, &der)) <= 0)
		return PW_ERR_CRYPTO;
	r = put_base64(out, der, (size_t)len);
	OPENSSL_free(der);
	return r;
}

enum pw_status pw_dkim_key_record(const struct pw_dkim_key *key, struct pw_buf *out)
{
	pw_buf_printf(out, "v=DKIM1; k=%s; p=", algorithms[key->algorithm].type);
	return put_public(out, key->pkey, key->algorithm == PW_DKIM_ED25519_SHA256);
}

enum pw_status pw_dkim_key_sign(const struct pw_dkim_key *key, struct pw_str data,
                                struct pw_buf *out)
{
	PW_AUTO(md_ctx_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool is_rsa = key->algorithm == PW_DKIM_RSA_SHA256;
	unsigned char digest[32], signature[PW_DKIM_RSA_BITS_MAX / 8];
	const unsigned char *bytes = (const unsigned char *)data.at;
	size_t len = sizeof(signature);

	if (!ctx)
		return PW_ERR_NOMEM;
	if (!is_rsa) { /* RFC 8463 3: PureEdDSA over the SHA-256 of the data */
		if (!EVP_Q_digest(NULL, "SHA256", NULL, bytes, data.len, digest, NULL))
			return PW_ERR_CRYPTO;
		bytes = digest;
	}
	if (EVP_DigestSignInit(ctx, NULL, is_rsa ? EVP_sha256() : NULL, NULL,
	                       key->pkey) != 1 ||
	    EVP_DigestSign(ctx, signature, &len, bytes,
	                   is_rsa ? data.len : sizeof(digest)) != 1)
		return PW_ERR_CRYPTO;
	return put_base64(out, signature, len);
}
