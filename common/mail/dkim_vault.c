#include "mail/dkim_vault.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <stdlib.h>
#include <string.h>

#include "core/base64.h"

#define KEY_BYTES 32
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define TEXT_MAX 32768
#define MARK "pwk1:"

struct host_key {
	unsigned char bytes[KEY_BYTES];
	char id[PW_VAULT_ID];
};

struct pw_vault {
	struct host_key keys[PW_VAULT_KEYS_MAX];
	size_t count;
};

static void cipher_free(EVP_CIPHER_CTX **ctx)
{
	EVP_CIPHER_CTX_free(*ctx);
}

/* ---- the file ---- */

static enum pw_status name_key(struct host_key *key)
{
	static const char purpose[] = "postward host key";
	unsigned char input[sizeof(purpose) + KEY_BYTES], digest[32];
	bool is_made;

	memcpy(input, purpose, sizeof(purpose));
	memcpy(input + sizeof(purpose), key->bytes, KEY_BYTES);
	is_made = EVP_Q_digest(NULL, "SHA256", NULL, input, sizeof(input), digest,
	                       NULL) == 1;
	pw_wipe(input, sizeof(input));
	for (size_t i = 0; is_made && i < PW_VAULT_ID; i++)
		key->id[i] = "0123456789abcdef"[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
	return is_made ? PW_OK : PW_ERR_CRYPTO;
}

static enum pw_status add_line(struct pw_vault *vault, struct pw_str line)
{
	struct host_key *key = &vault->keys[vault->count];
	enum pw_status r;

	if (vault->count == PW_VAULT_KEYS_MAX)
		return PW_ERR_LIMIT;
	if ((r = pw_base64_get(key->bytes, KEY_BYTES, PW_BASE64, line)) != PW_OK ||
	    (r = name_key(key)) != PW_OK)
		return r;
	vault->count++;
	return PW_OK;
}

enum pw_status pw_vault_parse(struct pw_vault **out, struct pw_str text,
                              unsigned int *line_out)
{
	PW_AUTO(pw_vault_free) struct pw_vault *vault = calloc(1, sizeof(*vault));
	enum pw_status r;

	if (!vault)
		return PW_ERR_NOMEM;
	for (*line_out = 1; text.len > 0; ++*line_out) {
		struct pw_str line = pw_str_trim(pw_str_cut(&text, '\n'));

		if (line.len == 0 || line.at[0] == '#')
			continue;
		if ((r = add_line(vault, line)) != PW_OK)
			return r;
	}
	*line_out = 0;
	if (vault->count == 0)
		return PW_ERR_SYNTAX;
	*out = PW_TAKE(vault);
	return PW_OK;
}

void pw_vault_free(struct pw_vault **vault)
{
	if (!*vault)
		return;
	pw_wipe(*vault, sizeof(**vault));
	free(*vault);
	*vault = NULL;
}

enum pw_status pw_vault_put_new(struct pw_buf *out)
{
	unsigned char bytes[KEY_BYTES];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return PW_ERR_CRYPTO;
	pw_base64_put(out, PW_BASE64, bytes, sizeof(bytes));
	pw_wipe(bytes, sizeof(bytes));
	pw_buf_putc(out, '\n');
	return pw_buf_status(out);
}

size_t pw_vault_count(const struct pw_vault *vault)
{
	return vault->count;
}

struct pw_str pw_vault_id(const struct pw_vault *vault, size_t i)
{
	return (struct pw_str){ vault->keys[i].id, PW_VAULT_ID };
}

/* ---- sealing ---- */

bool pw_vault_is_sealed(struct pw_str text)
{
	return pw_str_starts(text, PW_STR(MARK));
}

/* NUL stands in no name, so no two pairs look alike. */
static void put_names(struct pw_buf *out, struct pw_str domain, struct pw_str selector)
{
	pw_buf_puts(out, domain);
	pw_buf_putc(out, '\0');
	pw_buf_puts(out, selector);
}

/* EVP_EncryptInit(3): one shot of AES-256-GCM; both ways, by is_sealing. */
static bool run_cipher(const struct host_key *key, bool is_sealing,
                       const unsigned char *nonce, struct pw_str names,
                       const unsigned char *in, size_t len, unsigned char *out,
                       unsigned char tag[TAG_BYTES])
{
	PW_AUTO(cipher_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	if (!ctx ||
	    EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, nonce,
	                      is_sealing) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)names.at,
	                     (int)names.len) != 1 ||
	    EVP_CipherUpdate(ctx, out, &n, in, (int)len) != 1)
		return false;
	if (is_sealing)
		return EVP_CipherFinal_ex(ctx, out + n, &n) == 1 &&
		       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) ==
		               1;
	return EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
	       EVP_CipherFinal_ex(ctx, out + n, &n) == 1;
}

enum pw_status pw_vault_seal(const struct pw_vault *vault, struct pw_str domain,
                             struct pw_str selector, struct pw_str pem,
                             struct pw_buf *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf names = { 0 };
	const struct host_key *key = &vault->keys[0];
	size_t len = NONCE_BYTES + pem.len + TAG_BYTES;
	unsigned char *raw;
	bool is_sealed;

	put_names(&names, domain, selector);
	if (pem.len == 0 || pem.len > TEXT_MAX)
		return PW_ERR_LIMIT;
	if (pw_buf_status(&names) != PW_OK || !(raw = malloc(len)))
		return PW_ERR_NOMEM;
	is_sealed = RAND_bytes(raw, NONCE_BYTES) == 1 &&
	            run_cipher(key, true, raw, pw_buf_str(&names),
	                       (const unsigned char *)pem.at, pem.len, raw + NONCE_BYTES,
	                       raw + NONCE_BYTES + pem.len);
	if (is_sealed) {
		pw_buf_printf(out, MARK "%.*s:", PW_VAULT_ID, key->id);
		pw_base64_put(out, PW_BASE64, raw, len);
	}
	free(raw);
	return is_sealed ? pw_buf_status(out) : PW_ERR_CRYPTO;
}

static const struct host_key *find_key(const struct pw_vault *vault, struct pw_str id)
{
	for (size_t i = 0; i < vault->count; i++)
		if (pw_str_eq(pw_vault_id(vault, i), id))
			return &vault->keys[i];
	return NULL;
}

/* raw: nonce, text, tag; the text is opened in its own place. */
static enum pw_status open_raw(const struct host_key *key, struct pw_str names,
                               unsigned char *raw, size_t len, struct pw_buf *out)
{
	size_t text_len = len - NONCE_BYTES - TAG_BYTES;
	unsigned char *text = raw + NONCE_BYTES;

	if (!run_cipher(key, false, raw, names, text, text_len, text, text + text_len))
		return PW_ERR_CRYPTO;
	pw_buf_puts(out, (struct pw_str){ (const char *)text, text_len });
	return pw_buf_status(out);
}

enum pw_status pw_vault_open(const struct pw_vault *vault, struct pw_str domain,
                             struct pw_str selector, struct pw_str sealed,
                             struct pw_buf *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf names = { 0 };
	PW_AUTO(pw_buf_wipe) struct pw_buf raw = { 0 };
	struct pw_str text = pw_str_sub(sealed, sizeof(MARK) - 1, sealed.len);
	const struct host_key *key;
	size_t len;

	if (!pw_vault_is_sealed(sealed) || sealed.len > 2 * TEXT_MAX)
		return PW_ERR_SYNTAX;
	if ((key = find_key(vault, pw_str_cut(&text, ':'))) == NULL)
		return PW_ERR_NOTFOUND;
	len = text.len / 4 * 3;
	for (size_t i = text.len; i > 0 && i + 2 > text.len && text.at[i - 1] == '='; i--)
		len--;
	if (text.len % 4 != 0 || len <= NONCE_BYTES + TAG_BYTES)
		return PW_ERR_SYNTAX;
	for (size_t i = 0; i < len; i++)
		pw_buf_putc(&raw, '\0');
	put_names(&names, domain, selector);
	if (pw_buf_status(&raw) != PW_OK || pw_buf_status(&names) != PW_OK)
		return PW_ERR_NOMEM;
	if (pw_base64_get(raw.at, len, PW_BASE64, text) != PW_OK)
		return PW_ERR_SYNTAX;
	return open_raw(key, pw_buf_str(&names), (unsigned char *)raw.at, len, out);
}
