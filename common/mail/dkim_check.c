#include "mail/dkim_check.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <stdlib.h>

#include "core/ascii.h"
#include "mail/dkim_key.h"

#define PUBLIC_EXPONENT_BITS_MAX 64

static struct pw_str get(const struct pw_taglist *tags, const char *name)
{
	return pw_taglist_get(tags, pw_str_from(name));
}

/* Is item in the list parted by ':'? ASCII case is ignored. */
static bool list_has(struct pw_str list, const char *item)
{
	struct pw_str one;

	while (pw_tag_next_item(&list, &one))
		if (pw_str_eq_nocase(one, pw_str_from(item)))
			return true;
	return false;
}

bool pw_dkim_is_base64(struct pw_str value)
{
	size_t digits = 0, pads = 0;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];

		if (pw_is_wsp(c) || c == '\r' || c == '\n')
			continue;
		if (c == '=')
			pads++;
		else if (pads > 0 || !(pw_is_alnum(c) || c == '+' || c == '/'))
			return false;
		else
			digits++;
	}
	return digits > 0 && pads <= 2;
}

bool pw_dkim_is_name(struct pw_str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];

		if (!pw_is_alnum(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return name.len > 0 && pw_dns_name_is_valid(name);
}

/* The checks of one signature: each says true if its tag is fine. */

static bool version_ok(const struct pw_taglist *tags, int64_t now_s)
{
	struct pw_str v = get(tags, "v");

	(void)now_s;
	return v.at == NULL || pw_str_eq(v, PW_STR("1"));
}

static bool has_version(const struct pw_taglist *tags, int64_t now_s)
{
	(void)now_s;
	return get(tags, "v").at != NULL;
}

static bool domain_ok(const struct pw_taglist *tags, int64_t now_s)
{
	(void)now_s;
	return pw_dkim_is_name(get(tags, "d"));
}

static bool selector_ok(const struct pw_taglist *tags, int64_t now_s)
{
	(void)now_s;
	return pw_dkim_is_name(get(tags, "s"));
}

static bool algorithm_ok(const struct pw_taglist *tags, int64_t now_s)
{
	struct pw_str a = get(tags, "a");

	(void)now_s;
	return pw_str_eq_nocase(a, PW_STR("rsa-sha256")) ||
	       pw_str_eq_nocase(a, PW_STR("ed25519-sha256")) ||
	       pw_str_eq_nocase(a, PW_STR("rsa-sha1"));
}

static bool canon_ok(const struct pw_taglist *tags, int64_t now_s)
{
	struct pw_str c = get(tags, "c");

	(void)now_s;
	if (c.at == NULL)
		return true;
	while (c.at != NULL) {
		struct pw_str one = pw_str_cut(&c, '/');

		if (!pw_str_eq_nocase(one, PW_STR("simple")) &&
		    !pw_str_eq_nocase(one, PW_STR("relaxed")))
			return false;
	}
	return pw_str_find(get(tags, "c"), '/') >=
	       pw_str_rfind(get(tags, "c"), '/'); /* at most one */
}

static bool query_ok(const struct pw_taglist *tags, int64_t now_s)
{
	struct pw_str q = get(tags, "q");

	(void)now_s;
	return q.at == NULL || list_has(q, "dns/txt");
}

static bool names_ok(const struct pw_taglist *tags, int64_t now_s)
{
	struct pw_str h = get(tags, "h");

	(void)now_s;
	return h.at != NULL && list_has(h, "from"); /* RFC 6376 5.4 */
}

static bool number_ok(struct pw_str text, int64_t *out)
{
	return text.len > 0 && pw_is_digit(text.at[0]) &&
	       pw_str_to_int64(text, 0, INT64_MAX, out) == PW_OK;
}

static bool length_ok(const struct pw_taglist *tags, int64_t now_s)
{
	struct pw_str l = get(tags, "l");
	int64_t n;

	(void)now_s;
	return l.at == NULL || number_ok(l, &n);
}

static bool times_ok(const struct pw_taglist *tags, int64_t now_s)
{
	struct pw_str t = get(tags, "t"), x = get(tags, "x");
	int64_t from = 0, until = INT64_MAX;

	(void)now_s;
	if ((t.at != NULL && !number_ok(t, &from)) ||
	    (x.at != NULL && !number_ok(x, &until)))
		return false;
	return t.at == NULL || x.at == NULL || until > from;
}

static bool not_expired(const struct pw_taglist *tags, int64_t now_s)
{
	int64_t until;

	return !number_ok(get(tags, "x"), &until) || now_s <= until;
}

static bool not_of_the_future(const struct pw_taglist *tags, int64_t now_s)
{
	int64_t from;

	return !number_ok(get(tags, "t"), &from) || from <= now_s + PW_DKIM_DRIFT_S;
}

static bool identity_ok(const struct pw_taglist *tags, int64_t now_s)
{
	struct pw_str i = get(tags, "i"), d = get(tags, "d"), domain;
	size_t at;

	(void)now_s;
	if (i.at == NULL)
		return true;
	if ((at = pw_str_rfind(i, '@')) == i.len)
		return false;
	domain = pw_str_sub(i, at + 1, i.len);
	return pw_str_eq_nocase(domain, d) ||
	       (domain.len > d.len && pw_str_ends_nocase(domain, d) &&
	        domain.at[domain.len - d.len - 1] == '.');
}

static bool body_hash_ok(const struct pw_taglist *tags, int64_t now_s)
{
	(void)now_s;
	return pw_dkim_is_base64(get(tags, "bh"));
}

static bool signature_ok(const struct pw_taglist *tags, int64_t now_s)
{
	(void)now_s;
	return pw_dkim_is_base64(get(tags, "b"));
}

static const struct check {
	bool (*ok)(const struct pw_taglist *tags, int64_t now_s);
	const char *reason;
} checks[] = {
	/* clang-format off */
	{ version_ok,        "v= is not 1" },
	{ domain_ok,         "d= missing or not a domain" },
	{ selector_ok,       "s= missing or not a selector" },
	{ algorithm_ok,      "a= missing or unknown" },
	{ canon_ok,          "c= unknown" },
	{ query_ok,          "q= without dns/txt" },
	{ names_ok,          "h= missing or without From" },
	{ length_ok,         "l= is not a length" },
	{ times_ok,          "t= or x= is not a time, or x= not after t=" },
	{ not_expired,       "signature expired" },
	{ not_of_the_future, "signature from the future" },
	{ identity_ok,       "i= is not within d=" },
	{ body_hash_ok,      "bh= missing or not base64" },
	{ signature_ok,      "b= missing or not base64" },
	{ has_version,       PW_DKIM_NO_VERSION }, /* the last: see the header */
	/* clang-format on */
};

const char *pw_dkim_check_signature(const struct pw_taglist *tags, int64_t now_s)
{
	for (size_t i = 0; i < PW_LEN(checks); i++)
		if (!checks[i].ok(tags, now_s))
			return checks[i].reason;
	return NULL;
}

static void pkey_free(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static void text_free(char **text)
{
	free(*text);
}

/* The TXT record that is a key. Others at the name (a wildcard's v=spf1) do not matter.
 */
static const char *find_record(struct pw_taglist *out, const struct pw_dns_answer *answer)
{
	size_t found = 0;

	for (size_t i = 0; i < answer->count; i++) {
		struct pw_taglist one;

		if (pw_taglist_parse(&one, answer->records[i].text) != PW_OK ||
		    get(&one, "p").at == NULL)
			continue;
		*out = one;
		found++;
	}
	if (found == 1)
		return NULL;
	if (found > 1)
		return "several keys at one selector";
	return answer->count > 0 ? "key record not usable" : "no key";
}

/* Everything about the record but the key itself. */
static const char *check_record(const struct pw_taglist *tags, struct pw_str algorithm)
{
	struct pw_str v = get(tags, "v"), h = get(tags, "h"), k = get(tags, "k");
	struct pw_str s = get(tags, "s");
	bool is_rsa = pw_str_starts_nocase(algorithm, PW_STR("rsa-"));
	bool is_sha1 = pw_str_ends_nocase(algorithm, PW_STR("-sha1"));

	if (v.at != NULL && (!pw_str_eq(v, PW_STR("DKIM1")) ||
	                     !pw_str_eq(tags->tags[0].name, PW_STR("v"))))
		return "key record has an unknown version";
	if (h.at != NULL && !list_has(h, is_sha1 ? "sha1" : "sha256"))
		return "key is not for this hash";
	if (s.at != NULL && !list_has(s, "email") && !list_has(s, "*"))
		return "key is not for mail";
	if (!pw_str_eq_nocase(k.at != NULL ? k : PW_STR("rsa"),
	                      is_rsa ? PW_STR("rsa") : PW_STR("ed25519")))
		return "key is of another type than the signature";
	if (get(tags, "p").len == 0)
		return "key revoked";
	return NULL;
}

/* Bytes of p=, or SIZE_MAX. */
static size_t decode_base64(unsigned char *out, struct pw_str packed)
{
	size_t pads = 0;
	int n;

	while (pads < packed.len && packed.at[packed.len - 1 - pads] == '=')
		pads++;
	if (pads > 2 || packed.len % 4 != 0)
		return SIZE_MAX;
	n = EVP_DecodeBlock(out, (const unsigned char *)packed.at, (int)packed.len);
	return n < (int)pads ? SIZE_MAX : (size_t)n - pads;
}

/* An exponent of 1 verifies anything, a huge one takes forever. */
static bool exponent_ok(const EVP_PKEY *pkey)
{
	BIGNUM *e = NULL;
	bool ok;

	if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
		return false;
	ok = BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= PUBLIC_EXPONENT_BITS_MAX;
	BN_free(e);
	return ok;
}

/* SubjectPublicKeyInfo as everybody publishes it, or the RSAPublicKey that RFC 6376 3.6.1
 * names. */
static EVP_PKEY *rsa_from(const unsigned char *der, size_t len)
{
	const unsigned char *p = der;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)len);

	p = der;
	return pkey ? pkey : d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)len);
}

static const char *put_rsa(struct pw_dkim_public *out, struct pw_buf *record_out,
                           const unsigned char *der, size_t len)
{
	PW_AUTO(pkey_free) EVP_PKEY *pkey = rsa_from(der, len);
	unsigned char *spki = NULL;
	char text[2048]; /* base64 of the largest key is 1420 */
	int n;

	if (!pkey || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA || !exponent_ok(pkey))
		return "key cannot be read";
	out->bits = (unsigned)EVP_PKEY_get_bits(pkey);
	if (out->bits > PW_DKIM_RSA_BITS_VERIFIED)
		return "key too large";
	if (out->bits < PW_DKIM_RSA_BITS_MIN)
		out->weakness = "RSA key below 1024 bits";
	n = i2d_PUBKEY(pkey, &spki);
	if (n > 0 && (size_t)n / 3 * 4 + 5 < sizeof(text)) {
		(void)EVP_EncodeBlock((unsigned char *)text, spki, n);
		pw_buf_puts(record_out, pw_str_from(text));
	}
	OPENSSL_free(spki);
	return n > 0 ? NULL : "key cannot be read";
}

static const char *put_key(struct pw_dkim_public *out, struct pw_buf *record_out,
                           struct pw_str p, bool is_rsa)
{
	PW_AUTO(pw_buf_done) struct pw_buf packed = { 0 };
	PW_AUTO(text_free) char *bytes = malloc(p.len + 4);
	size_t len;

	pw_tag_put_packed(&packed, p);
	if (!bytes || pw_buf_status(&packed) != PW_OK)
		return "key cannot be read";
	len = decode_base64((unsigned char *)bytes, pw_buf_str(&packed));
	if (len == SIZE_MAX)
		return "p= is not base64";
	if (is_rsa)
		return put_rsa(out, record_out, (unsigned char *)bytes, len);
	if (len != 32) /* RFC 8463 4.2 */
		return "key cannot be read";
	out->bits = 256;
	pw_buf_puts(record_out, pw_buf_str(&packed));
	return NULL;
}

enum pw_status pw_dkim_check_key(struct pw_dkim_public *out, struct pw_buf *record_out,
                                 const char **reason_out,
                                 const struct pw_dns_answer *answer,
                                 struct pw_str algorithm)
{
	bool is_rsa = pw_str_starts_nocase(algorithm, PW_STR("rsa-"));
	struct pw_dkim_public key = { 0 };
	struct pw_taglist tags;
	struct pw_str t;

	if (pw_dns_is_error(answer)) {
		*reason_out = answer->rcode == PW_DNS_TIMEOUT ? "key lookup timed out"
		                                              : "key lookup failed";
		return PW_ERR_AWAY;
	}
	if ((*reason_out = find_record(&tags, answer)) ||
	    (*reason_out = check_record(&tags, algorithm)))
		return PW_ERR_SYNTAX;
	t = get(&tags, "t");
	key.is_test = list_has(t, "y");
	pw_buf_printf(record_out, "v=DKIM1; k=%s; %sp=", is_rsa ? "rsa" : "ed25519",
	              list_has(t, "s") ? "t=s; " : "");
	if ((*reason_out = put_key(&key, record_out, get(&tags, "p"), is_rsa)))
		return PW_ERR_SYNTAX;
	if (pw_str_ends_nocase(algorithm, PW_STR("-sha1")))
		key.weakness = "rsa-sha1"; /* RFC 8301 3.1 */
	*out = key;
	return pw_buf_status(record_out);
}
