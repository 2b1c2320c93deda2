#include "mail/arc_crypto.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <stdlib.h>

#include "core/canon.h"
#include "core/taglist.h"

struct pw_arc_body {
	struct pw_canon_body canon;
	EVP_MD_CTX *hash;
	bool is_simple, has_failed, has_limit;
	uint64_t left; /* bytes that still count */
};

static void md_ctx_free(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static void pkey_free(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static void bytes_free(unsigned char **bytes)
{
	free(*bytes);
}

static void hash(void *context, struct pw_str bytes)
{
	struct pw_arc_body *body = context;

	if (bytes.len > body->left)
		bytes.len = (size_t)body->left;
	body->left -= bytes.len;
	if (EVP_DigestUpdate(body->hash, bytes.at, bytes.len) != 1)
		body->has_failed = true;
}

enum pw_status pw_arc_body_new(struct pw_arc_body **out, bool is_simple, int64_t body_max)
{
	PW_AUTO(md_ctx_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct pw_arc_body *body;

	if (ctx == NULL)
		return PW_ERR_NOMEM;
	if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		return PW_ERR_CRYPTO;
	if (!(body = calloc(1, sizeof(*body))))
		return PW_ERR_NOMEM;
	body->hash = PW_TAKE(ctx);
	body->is_simple = is_simple;
	body->left = (uint64_t)body_max;
	body->has_limit = body_max != INT64_MAX;
	pw_canon_body_init(&body->canon, hash, body);
	*out = body;
	return PW_OK;
}

void pw_arc_body_free(struct pw_arc_body **body)
{
	if (*body == NULL)
		return;
	EVP_MD_CTX_free((*body)->hash);
	free(*body);
	*body = NULL;
}

void pw_arc_body_add(struct pw_arc_body *body, struct pw_str chunk)
{
	if (body->is_simple)
		pw_canon_body_simple(&body->canon, chunk);
	else
		pw_canon_body_relaxed(&body->canon, chunk);
}

enum pw_status pw_arc_body_end(struct pw_arc_body *body, struct pw_buf *out,
                               size_t *line_max_out, bool *has_stray_out)
{
	unsigned char digest[32], text[sizeof(digest) * 2];
	int n;

	if (body->is_simple)
		pw_canon_body_simple_end(&body->canon);
	else
		pw_canon_body_end(&body->canon);
	if (body->has_failed || EVP_DigestFinal_ex(body->hash, digest, NULL) != 1)
		return PW_ERR_CRYPTO;
	if (body->has_limit && body->left > 0)
		return PW_ERR_RANGE;
	n = EVP_EncodeBlock(text, digest, sizeof(digest));
	pw_buf_puts(out, (struct pw_str){ (char *)text, (size_t)n });
	*line_max_out = body->canon.line_max;
	*has_stray_out = body->canon.has_stray;
	return pw_buf_status(out);
}

/* Base64, blanks and folds inside; pads at the end may be missing.
 *
 * Errors  PW_ERR_SYNTAX; PW_ERR_NOMEM */
static enum pw_status decode(unsigned char **out, size_t *len_out, struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf packed = { 0 };
	PW_AUTO(bytes_free) unsigned char *bytes = NULL;
	size_t pads = 0;
	int n;

	pw_tag_put_packed(&packed, text);
	while (packed.len > 0 && packed.at[packed.len - 1] == '=')
		pw_buf_truncate(&packed, packed.len - 1);
	for (; packed.len % 4 != 0 && pads < 3; pads++)
		pw_buf_putc(&packed, '=');
	if (pw_buf_status(&packed) != PW_OK || !(bytes = malloc(packed.len + 1)))
		return PW_ERR_NOMEM;
	n = EVP_DecodeBlock(bytes, (const unsigned char *)packed.at, (int)packed.len);
	if (pads > 2 || n < (int)pads)
		return PW_ERR_SYNTAX;
	*len_out = (size_t)n - pads;
	*out = PW_TAKE(bytes);
	return PW_OK;
}

static enum pw_status read_key(EVP_PKEY **out, struct pw_str record, bool is_rsa)
{
	PW_AUTO(bytes_free) unsigned char *bytes = NULL;
	const unsigned char *p;
	struct pw_taglist tags;
	size_t len;
	enum pw_status r;

	if (pw_taglist_parse(&tags, record) != PW_OK)
		return PW_ERR_CRYPTO;
	r = decode(&bytes, &len, pw_taglist_get(&tags, PW_STR("p")));
	if (r != PW_OK)
		return r == PW_ERR_NOMEM ? r : PW_ERR_CRYPTO;
	p = bytes;
	*out = is_rsa ? d2i_PUBKEY(NULL, &p, (long)len)
	              : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, len);
	return *out != NULL ? PW_OK : PW_ERR_CRYPTO;
}

enum pw_status pw_arc_check(struct pw_str record, struct pw_str algorithm,
                            struct pw_str data, struct pw_str signature)
{
	PW_AUTO(md_ctx_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	PW_AUTO(pkey_free) EVP_PKEY *pkey = NULL;
	PW_AUTO(bytes_free) unsigned char *bytes = NULL;
	bool is_rsa = pw_str_eq(algorithm, PW_STR("rsa-sha256"));
	const unsigned char *what = (const unsigned char *)data.at;
	unsigned char digest[32];
	size_t len;
	enum pw_status r;

	if (ctx == NULL)
		return PW_ERR_NOMEM;
	if ((r = read_key(&pkey, record, is_rsa)) != PW_OK)
		return r;
	if ((r = decode(&bytes, &len, signature)) != PW_OK)
		return r == PW_ERR_NOMEM ? r : PW_ERR_CRYPTO;
	if (!is_rsa) { /* RFC 8463 3: over the SHA-256 of the data */
		if (!EVP_Q_digest(NULL, "SHA256", NULL, what, data.len, digest, NULL))
			return PW_ERR_CRYPTO;
		what = digest;
	}
	if (EVP_DigestVerifyInit(ctx, NULL, is_rsa ? EVP_sha256() : NULL, NULL, pkey) !=
	            1 ||
	    EVP_DigestVerify(ctx, bytes, len, what, is_rsa ? data.len : sizeof(digest)) !=
	            1)
		return PW_ERR_CRYPTO;
	return PW_OK;
}
