#include "../table.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <string.h>

#include "mail/dkim_check.h"
#include "mail/dkim_key.h"

#define NOW 1700000000
#define GOOD "a=rsa-sha256; d=example.org; s=s; h=from; bh=AAAA; b=AAAA"

struct signature_row {
	const char *label, *tags;
	const char *reason; /* NULL = fine */
};

static struct signature_row signature_rows[] = {
	/* clang-format off */
	{ "least", "v=1; " GOOD, NULL },
	{ "everything", "v=1; c=relaxed/simple; q=x : dns/txt; i=a@b.example.org; t=1; x=1800000000; l=0; " GOOD, NULL },
	{ "v= missing", GOOD, "v= missing" },
	{ "v= missing and more", "x=1; " GOOD, "signature expired" },
	{ "v= empty", "v=; " GOOD, "v= is not 1" },
	{ "v=01", "v=01; " GOOD, "v= is not 1" },
	{ "no domain", "v=1; a=rsa-sha256; s=s; h=from; bh=A; b=A", "d= missing or not a domain" },
	{ "domain with a label too long", "v=1; a=rsa-sha256; d=0123456789012345678901234567890123456789012345678901234567890123.org; s=s; h=from; bh=A; b=A", "d= missing or not a domain" },
	{ "domain with a blank", "v=1; a=rsa-sha256; d=a b; s=s; h=from; bh=A; b=A", "d= missing or not a domain" },
	{ "empty selector", "v=1; a=rsa-sha256; d=b; s=; h=from; bh=A; b=A", "s= missing or not a selector" },
	{ "algorithm in capitals", "v=1; a=RSA-SHA256; d=b; s=s; h=from; bh=A; b=A", NULL },
	{ "unknown algorithm", "v=1; a=rsa-sha512; d=b; s=s; h=from; bh=A; b=A", "a= missing or unknown" },
	{ "c= of three", "v=1; c=simple/simple/simple; " GOOD, "c= unknown" },
	{ "c= empty", "v=1; c=; " GOOD, "c= unknown" },
	{ "q= empty", "v=1; q=; " GOOD, "q= without dns/txt" },
	{ "h= without From", "v=1; a=rsa-sha256; d=b; s=s; h=to:xfrom; bh=A; b=A", "h= missing or without From" },
	{ "h= folded", "v=1; a=rsa-sha256; d=b; s=s; h=to\r\n\t:\r\n\tFROM; bh=A; b=A", NULL },
	{ "l= empty", "v=1; l=; " GOOD, "l= is not a length" },
	{ "l= signed", "v=1; l=+1; " GOOD, "l= is not a length" },
	{ "l= beyond 64 bits", "v=1; l=99999999999999999999; " GOOD, "l= is not a length" },
	{ "x= before t=", "v=1; t=5; x=4; " GOOD, "t= or x= is not a time, or x= not after t=" },
	{ "x= is t=", "v=1; t=5; x=5; " GOOD, "t= or x= is not a time, or x= not after t=" },
	{ "t= not a number", "v=1; t=now; " GOOD, "t= or x= is not a time, or x= not after t=" },
	{ "x= now", "v=1; x=1700000000; " GOOD, NULL },
	{ "x= a second ago", "v=1; x=1699999999; " GOOD, "signature expired" },
	{ "t= within drift", "v=1; t=1700000300; " GOOD, NULL },
	{ "t= beyond drift", "v=1; t=1700000301; " GOOD, "signature from the future" },
	{ "i= without @", "v=1; i=example.org; " GOOD, "i= is not within d=" },
	{ "i= of a look-alike", "v=1; i=@badexample.org; " GOOD, "i= is not within d=" },
	{ "i= of the parent", "v=1; i=@org; " GOOD, "i= is not within d=" },
	{ "bh= with a stray byte", "v=1; a=rsa-sha256; d=b; s=s; h=from; bh=A!; b=A", "bh= missing or not base64" },
	{ "bh= of pads", "v=1; a=rsa-sha256; d=b; s=s; h=from; bh====; b=A", "bh= missing or not base64" },
	{ "b= padded inside", "v=1; a=rsa-sha256; d=b; s=s; h=from; bh=A; b=A=A", "b= missing or not base64" },
	{ "b= folded", "v=1; a=rsa-sha256; d=b; s=s; h=from; bh=A; b=A\r\n\tA==", NULL },
	/* clang-format on */
};

static void check_signature(void **state)
{
	const struct signature_row *row = *state;
	struct pw_taglist tags;
	const char *reason;

	assert_int_equal(pw_taglist_parse(&tags, pw_str_from(row->tags)), PW_OK);
	reason = pw_dkim_check_signature(&tags, NOW);
	assert_string_equal(reason ? reason : "fine", row->reason ? row->reason : "fine");
}

/* base64 of a public key with any modulus and exponent, as SubjectPublicKeyInfo or as the
 * bare RSAPublicKey. */
static char *rsa_text(unsigned bits, unsigned long exponent, bool is_bare)
{
	static char text[8192];
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = BN_new(), *e = BN_new();
	unsigned char *der = NULL;
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM *params;
	int len;

	assert_true(BN_rand((n), (int)bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) == 1);
	assert_true(BN_set_word(e, exponent) == 1);
	assert_true(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1);
	assert_true(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1);
	assert_non_null(params = OSSL_PARAM_BLD_to_param(build));
	assert_true(EVP_PKEY_fromdata_init(ctx) == 1);
	assert_true(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1);
	len = is_bare ? i2d_PublicKey(pkey, &der) : i2d_PUBKEY(pkey, &der);
	assert_true(len > 0 && (size_t)len < sizeof(text) / 2);
	EVP_EncodeBlock((unsigned char *)text, der, len);
	OPENSSL_free(der);
	EVP_PKEY_free(pkey);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(n);
	BN_free(e);
	return text;
}

#define ED "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" /* RFC 8463 A.2 */
#define RSA "rsa-sha256"
#define SHA1 "rsa-sha1"
#define EDDSA "ed25519-sha256"

struct key_row {
	const char *label, *algorithm;
	const char *record[3]; /* TXT; %s is the key of the columns below */
	unsigned bits;
	unsigned long exponent;
	bool is_bare;
	enum pw_dns_rcode rcode;
	enum pw_status status;
	const char *says; /* reason, or weakness; "" = none */
	bool is_test;
};

static struct key_row key_rows[] = {
	/* clang-format off */
	{ "RSA", RSA, { "v=DKIM1; k=rsa; p=%s" }, 2048, 65537, .says = "" },
	{ "only p=", RSA, { "p=%s" }, 1024, 3, .says = "" },
	{ "everything", RSA, { "v=DKIM1; h=sha1:sha256; k=rsa; n=a note; s=x:email; t=y:s; p=%s;" }, 2048, 65537, .says = "", .is_test = true },
	{ "RSAPublicKey", RSA, { "v=DKIM1; p=%s" }, 2048, 65537, .is_bare = true, .says = "" },
	{ "4096 bits", RSA, { "p=%s" }, 4096, 65537, .says = "" },
	{ "8192 bits", RSA, { "p=%s" }, 8192, 65537, .says = "" },
	{ "8193 bits", RSA, { "p=%s" }, 8193, 65537, .status = PW_ERR_SYNTAX, .says = "key too large" },
	{ "16384 bits", RSA, { "p=%s" }, 16384, 65537, .status = PW_ERR_SYNTAX, .says = "key too large" },
	{ "1023 bits", RSA, { "p=%s" }, 1023, 65537, .says = "RSA key below 1024 bits" },
	{ "512 bits", RSA, { "p=%s" }, 512, 65537, .says = "RSA key below 1024 bits" },
	{ "rsa-sha1", SHA1, { "p=%s" }, 2048, 65537, .says = "rsa-sha1" },
	{ "exponent 1", RSA, { "p=%s" }, 2048, 1, .status = PW_ERR_SYNTAX, .says = "key cannot be read" },
	{ "even exponent", RSA, { "p=%s" }, 2048, 4, .status = PW_ERR_SYNTAX, .says = "key cannot be read" },
	{ "Ed25519", EDDSA, { "v=DKIM1; k=ed25519; p=" ED }, .says = "" },
	{ "Ed25519 without k=", EDDSA, { "v=DKIM1; p=" ED }, .status = PW_ERR_SYNTAX, .says = "key is of another type than the signature" },
	{ "Ed25519 key for RSA", RSA, { "k=ed25519; p=" ED }, .status = PW_ERR_SYNTAX, .says = "key is of another type than the signature" },
	{ "Ed25519 bytes as RSA", RSA, { "k=rsa; p=" ED }, .status = PW_ERR_SYNTAX, .says = "key cannot be read" },
	{ "Ed25519 of 31 bytes", EDDSA, { "k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==" }, .status = PW_ERR_SYNTAX, .says = "key cannot be read" },
	{ "Ed25519 of 33 bytes", EDDSA, { "k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }, .status = PW_ERR_SYNTAX, .says = "key cannot be read" },
	{ "unknown type", RSA, { "k=dsa; p=AAAA" }, .status = PW_ERR_SYNTAX, .says = "key is of another type than the signature" },
	{ "revoked", RSA, { "v=DKIM1; p=" }, .status = PW_ERR_SYNTAX, .says = "key revoked" },
	{ "p= missing", RSA, { "v=DKIM1; k=rsa" }, .status = PW_ERR_SYNTAX, .says = "key record not usable" },
	{ "p= garbage", RSA, { "p=@@@@" }, .status = PW_ERR_SYNTAX, .says = "p= is not base64" },
	{ "p= of pads", RSA, { "p=====" }, .status = PW_ERR_SYNTAX, .says = "p= is not base64" },
	{ "unknown version", RSA, { "v=DKIM2; p=AAAA" }, .status = PW_ERR_SYNTAX, .says = "key record has an unknown version" },
	{ "version not first", RSA, { "p=AAAA; v=DKIM1" }, .status = PW_ERR_SYNTAX, .says = "key record has an unknown version" },
	{ "for sha1 only", RSA, { "h=sha1; p=%s" }, 2048, 65537, .status = PW_ERR_SYNTAX, .says = "key is not for this hash" },
	{ "for another service", RSA, { "s=tlsrpt; p=%s" }, 2048, 65537, .status = PW_ERR_SYNTAX, .says = "key is not for mail" },
	{ "for every service", RSA, { "s=*; p=%s" }, 2048, 65537, .says = "" },
	{ "a wildcard's SPF beside it", RSA, { "v=spf1 -all", "p=%s" }, 2048, 65537, .says = "" },
	{ "only a wildcard's SPF", RSA, { "v=spf1 -all" }, .status = PW_ERR_SYNTAX, .says = "key record not usable" },
	{ "two keys", RSA, { "p=%s", "p=%s" }, 2048, 65537, .status = PW_ERR_SYNTAX, .says = "several keys at one selector" },
	{ "empty record", RSA, { "" }, .status = PW_ERR_SYNTAX, .says = "key record not usable" },
	{ "no record", RSA, { NULL }, .status = PW_ERR_SYNTAX, .says = "no key" },
	{ "no name", RSA, { NULL }, .rcode = PW_DNS_NXDOMAIN, .status = PW_ERR_SYNTAX, .says = "no key" },
	{ "no answer", RSA, { NULL }, .rcode = PW_DNS_TIMEOUT, .status = PW_ERR_AWAY, .says = "key lookup timed out" },
	{ "failed answer", RSA, { NULL }, .rcode = PW_DNS_SERVFAIL, .status = PW_ERR_AWAY, .says = "key lookup failed" },
	/* clang-format on */
};

static size_t put_records(const struct key_row *row, struct pw_buf *texts,
                          struct pw_dns_record *records)
{
	size_t count = 0;

	for (; count < 3 && row->record[count] != NULL; count++) {
		const char *text = row->record[count];
		const char *hole = strstr(text, "%s");

		pw_buf_puts(&texts[count],
		            (struct pw_str){ text, hole ? (size_t)(hole - text)
		                                        : strlen(text) });
		if (hole) {
			pw_buf_puts(&texts[count],
			            pw_str_from(rsa_text(row->bits, row->exponent,
			                                 row->is_bare)));
			pw_buf_puts(&texts[count], pw_str_from(hole + 2));
		}
		records[count].text =
			(struct pw_str){ pw_buf_text(&texts[count]), texts[count].len };
	}
	return count;
}

static void check_key(void **state)
{
	const struct key_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf record = { 0 };
	struct pw_buf texts[3] = { 0 };
	struct pw_dns_record records[3] = { 0 };
	struct pw_dns_answer answer = { .rcode = row->rcode, .records = records };
	struct pw_dkim_public key = { 0 };
	const char *reason = "";

	answer.count = put_records(row, texts, records);
	assert_int_equal(pw_dkim_check_key(&key, &record, &reason, &answer,
	                                   pw_str_from(row->algorithm)),
	                 row->status);
	if (row->status == PW_OK) {
		reason = key.weakness ? key.weakness : "";
		assert_int_equal(key.bits, row->bits ? row->bits : 256);
		assert_int_equal(key.is_test, row->is_test);
		if (key.bits <= PW_DKIM_RSA_BITS_MAX)
			assert_in_range(record.len, 1, 1000); /* libopendkim's buffer */
		else
			assert_int_not_equal(pw_str_rfind(pw_buf_str(&record), ';'),
			                     record.len);
	}
	assert_string_equal(reason, row->says);
	for (size_t i = 0; i < PW_LEN(texts); i++)
		pw_buf_done(&texts[i]);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(signature_rows) + PW_LEN(key_rows)];

	PW_TABLE_TESTS(tests, 0, signature_rows, check_signature);
	PW_TABLE_TESTS(tests, PW_LEN(signature_rows), key_rows, check_key);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
