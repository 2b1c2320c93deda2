#include "core/stamp.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string.h>

#include "core/address.h"
#include "core/base64.h"
#include "core/stamp_text.h"
#include "core/taglist.h"

#define MAC_BYTES 32

/* Addresses are compared in the normal form: between two hosts Postfix takes away quotes
 * that need not be. What is no address is taken as it is. */
static enum pw_status put_address(struct pw_buf *out, struct pw_str address)
{
	size_t start = out->len;
	enum pw_status r = pw_address_normalise(out, address);
	size_t at;

	if (r == PW_OK || r == PW_ERR_NOTFOUND || r == PW_ERR_NOMEM)
		return r == PW_ERR_NOMEM ? r : PW_OK;
	pw_buf_truncate(out, start);
	if (address.len >= 2 && address.at[0] == '<' &&
	    address.at[address.len - 1] == '>')
		address = pw_str_sub(address, 1, address.len - 2);
	at = pw_str_rfind(address, '@');
	pw_buf_puts(out, pw_str_sub(address, 0, at));
	pw_buf_put_lower(out, pw_str_sub(address, at, address.len));
	return pw_buf_status(out);
}

void pw_stamp_hash(uint8_t *out, const struct pw_stamp *stamp, struct pw_str address)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	uint8_t hash[EVP_MAX_MD_SIZE] = { 0 };

	pw_buf_puts(&text, (struct pw_str){ (const char *)stamp->nonce, PW_STAMP_NONCE });
	pw_buf_putc(&text, '\0');
	/* Without memory the hash is none of any address: the stamp will not be taken. */
	if (put_address(&text, address) == PW_OK)
		HMAC(EVP_sha256(), stamp->key->addr, sizeof(stamp->key->addr),
		     (const unsigned char *)text.at, text.len, hash, NULL);
	memcpy(out, hash, PW_STAMP_HASH);
}

void pw_stamp_begin(struct pw_stamp *stamp, const struct pw_stamp_key *key,
                    const uint8_t *nonce, struct pw_str sender)
{
	memset(stamp, 0, sizeof(*stamp));
	stamp->key = key;
	memcpy(stamp->nonce, nonce, PW_STAMP_NONCE);
	pw_stamp_hash(stamp->sender, stamp, sender);
}

void pw_stamp_add_recipient(struct pw_stamp *stamp, struct pw_str address)
{
	if (stamp->recipient_count < PW_STAMP_RECIPIENTS_MAX)
		pw_stamp_hash(stamp->recipients[stamp->recipient_count], stamp, address);
	stamp->recipient_count++;
}

/* text: all up to "m=". */
static enum pw_status make_mac(uint8_t *out, const struct pw_stamp_key *key,
                               struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf all = { 0 };
	enum pw_status r;

	pw_buf_puts(&all, PW_STR("postward-origin-v1"));
	pw_buf_putc(&all, '\0');
	pw_buf_puts(&all, text);
	if ((r = pw_buf_status(&all)) != PW_OK)
		return r;
	return HMAC(EVP_sha256(), key->mac, sizeof(key->mac),
	            (const unsigned char *)all.at, all.len, out, NULL)
	               ? PW_OK
	               : PW_ERR_CRYPTO;
}

enum pw_status pw_stamp_build(struct pw_buf *out, const struct pw_stamp *stamp)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { .max = PW_STAMP_TEXT_MAX };
	uint8_t mac[EVP_MAX_MD_SIZE];
	enum pw_status r;

	if ((r = pw_stamp_text_put(&text, stamp, PW_STAMP_TAGS)) != PW_OK ||
	    (r = make_mac(mac, stamp->key, pw_buf_str(&text))) != PW_OK)
		return r;
	pw_base64_put(&text, PW_BASE64_URL, mac, MAC_BYTES);
	if ((r = pw_buf_status(&text)) != PW_OK)
		return r;
	pw_stamp_text_fold(out, PW_STR(PW_STAMP_FIELD), pw_buf_str(&text));
	return pw_buf_status(out);
}

const char *pw_stamp_verdict_text(enum pw_stamp_verdict verdict)
{
	static const char *const texts[] = {
		[PW_STAMP_GOOD] = "good",
		[PW_STAMP_BROKEN] = "broken",
		[PW_STAMP_UNKNOWN_KEY] = "unknown key",
		[PW_STAMP_KEY_TIME] = "key time",
		[PW_STAMP_BAD_MAC] = "bad mac",
		[PW_STAMP_BAD_TIME] = "bad time",
	};

	return (size_t)verdict < PW_LEN(texts) ? texts[verdict] : "unknown";
}

/* The value without blanks and folds. */
static enum pw_status pack(struct pw_buf *out, struct pw_str value)
{
	if (value.len > PW_STAMP_MAX)
		return PW_ERR_SYNTAX;
	pw_tag_put_packed(out, value);
	return pw_buf_status(out);
}

static enum pw_status judge(enum pw_stamp_verdict *out, const struct pw_stamp *stamp,
                            struct pw_str protected, struct pw_str mac_text,
                            int64_t now_s)
{
	uint8_t mac[EVP_MAX_MD_SIZE], given[MAC_BYTES] = { 0 };
	bool is_mac =
		pw_base64_get(given, sizeof(given), PW_BASE64_URL, mac_text) == PW_OK;
	int64_t at_s = stamp->facts.at_s;
	enum pw_status r;

	if ((r = make_mac(mac, stamp->key, protected)) != PW_OK)
		return r;
	if (!pw_stamp_key_is_valid(stamp->key, now_s))
		*out = PW_STAMP_KEY_TIME;
	else if (CRYPTO_memcmp(mac, given, sizeof(given)) != 0 || !is_mac)
		*out = PW_STAMP_BAD_MAC;
	else if (at_s < now_s - PW_STAMP_AGE_S || at_s > now_s + PW_STAMP_SKEW_S)
		*out = PW_STAMP_BAD_TIME;
	else
		*out = PW_STAMP_GOOD;
	return PW_OK;
}

enum pw_status pw_stamp_read(enum pw_stamp_verdict *verdict_out, struct pw_stamp *out,
                             struct pw_arena *arena, const struct pw_stamp_keys *keys,
                             struct pw_str value, int64_t now_s)
{
	PW_AUTO(pw_buf_done) struct pw_buf packed = { 0 };
	struct pw_str id, mac, text;
	enum pw_status r;

	out->key = NULL;
	if ((r = pack(&packed, value)) == PW_OK)
		r = pw_stamp_text_parse(out, arena, pw_buf_str(&packed), PW_STAMP_TAGS,
		                        &id, &mac);
	if (r == PW_ERR_SYNTAX) {
		*verdict_out = PW_STAMP_BROKEN;
		out->key = NULL;
		return PW_OK;
	}
	if (r != PW_OK)
		return r;
	if ((out->key = pw_stamp_keys_find(keys, id)) == NULL) {
		*verdict_out = PW_STAMP_UNKNOWN_KEY;
		return PW_OK;
	}
	text = pw_buf_str(&packed);
	return judge(verdict_out, out, pw_str_sub(text, 0, text.len - mac.len), mac,
	             now_s);
}

bool pw_stamp_is_sender(const struct pw_stamp *stamp, struct pw_str address)
{
	uint8_t hash[PW_STAMP_HASH];

	pw_stamp_hash(hash, stamp, address);
	return CRYPTO_memcmp(hash, stamp->sender, sizeof(hash)) == 0;
}

bool pw_stamp_is_recipient(const struct pw_stamp *stamp, struct pw_str address)
{
	uint8_t hash[PW_STAMP_HASH];

	if (stamp->recipient_count > PW_STAMP_RECIPIENTS_MAX)
		return true;
	pw_stamp_hash(hash, stamp, address);
	for (size_t i = 0; i < stamp->recipient_count; i++)
		if (CRYPTO_memcmp(hash, stamp->recipients[i], sizeof(hash)) == 0)
			return true;
	return false;
}

enum pw_status pw_client_build(struct pw_buf *out, const struct pw_stamp_facts *facts)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { .max = PW_STAMP_TEXT_MAX };
	struct pw_stamp stamp = { .facts = *facts };
	enum pw_status r;

	if ((r = pw_stamp_text_put(&text, &stamp, PW_CLIENT_TAGS)) != PW_OK)
		return r;
	pw_stamp_text_fold(out, PW_STR(PW_CLIENT_FIELD), pw_buf_str(&text));
	return pw_buf_status(out);
}

enum pw_status pw_client_parse(struct pw_stamp_facts *out, struct pw_arena *arena,
                               struct pw_str value)
{
	PW_AUTO(pw_buf_done) struct pw_buf packed = { 0 };
	struct pw_stamp stamp;
	struct pw_str id, mac;
	enum pw_status r;

	if ((r = pack(&packed, value)) != PW_OK ||
	    (r = pw_stamp_text_parse(&stamp, arena, pw_buf_str(&packed), PW_CLIENT_TAGS,
	                             &id, &mac)) != PW_OK)
		return r;
	*out = stamp.facts;
	return PW_OK;
}
