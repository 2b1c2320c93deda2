#include "tools/certificate.h"

#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "io/file.h"
#include "tools/postconf.h"

#define FILE_BYTES_MAX ((size_t)1024 * 1024)
#define SECONDS_PER_DAY 86400

static void bio_free(BIO **bio)
{
	(void)BIO_free(*bio);
}

static void x509_free(X509 **cert)
{
	X509_free(*cert);
}

static void key_free(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

/* Seconds since 1970: the difference to then, in days and seconds. */
static int64_t unix_time(const ASN1_TIME *time)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;

	(void)ASN1_TIME_diff(&days, &seconds, epoch, time);
	ASN1_TIME_free(epoch);
	return (int64_t)days * SECONDS_PER_DAY + seconds;
}

/* No terminal is asked for the pass phrase of a locked key. */
static int no_phrase(char *out, int size, int rwflag, void *arg)
{
	(void)out;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

enum pw_status certificate_parse(struct certificate *out, struct pw_str chain,
                                 struct pw_str key, struct pw_str host)
{
	PW_AUTO(bio_free) BIO *chain_bio = NULL;
	PW_AUTO(bio_free) BIO *key_bio = NULL;
	PW_AUTO(x509_free) X509 *cert = NULL;
	PW_AUTO(key_free) EVP_PKEY *pkey = NULL;

	if (chain.len > INT_MAX || key.len > INT_MAX ||
	    (chain_bio = BIO_new_mem_buf(chain.at, (int)chain.len)) == NULL ||
	    (key_bio = BIO_new_mem_buf(key.len > 0 ? key.at : "", (int)key.len)) == NULL)
		return PW_ERR_NOMEM;
	if ((cert = PEM_read_bio_X509(chain_bio, NULL, no_phrase, NULL)) == NULL)
		return PW_ERR_SYNTAX;
	pkey = PEM_read_bio_PrivateKey(key_bio, NULL, no_phrase, NULL);
	*out = (struct certificate){
		.not_before_s = unix_time(X509_get0_notBefore(cert)),
		.not_after_s = unix_time(X509_get0_notAfter(cert)),
		.is_self_signed = X509_NAME_cmp(X509_get_subject_name(cert),
		                                X509_get_issuer_name(cert)) == 0,
		.is_for_host = host.len == 0 ||
		               X509_check_host(cert, host.at, host.len, 0, NULL) == 1,
		.has_key = pkey != NULL,
		.key_fits = pkey != NULL && X509_check_private_key(cert, pkey) == 1,
	};
	return PW_OK;
}

static enum pw_status read_files(struct pw_buf *out, struct pw_str files,
                                 struct pw_buf *why)
{
	enum pw_status r = PW_OK;
	struct pw_str file;

	while (r == PW_OK && postconf_next_item(&files, &file)) {
		PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };

		pw_buf_puts(&path, file);
		r = pw_file_read(out, pw_buf_text(&path), FILE_BYTES_MAX);
		if (r != PW_OK)
			pw_buf_printf(why, "%s: %s", pw_buf_text(&path),
			              pw_status_text(r));
	}
	return r;
}

enum pw_status certificate_read(struct certificate *out, struct pw_str chain,
                                struct pw_str key, struct pw_str host, struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf chain_text = { 0 }, key_text = { 0 };
	enum pw_status r = read_files(&chain_text, chain, why);

	if (r != PW_OK)
		return r;
	if (read_files(&key_text, key, why) != PW_OK)
		pw_buf_reset(&key_text);
	r = certificate_parse(out, pw_buf_str(&chain_text), pw_buf_str(&key_text), host);
	pw_wipe(key_text.at, key_text.len);
	if (r != PW_OK)
		pw_buf_printf(why, "%.*s: no certificate in it", PW_FMT(chain));
	else if (!out->has_key && why->len == 0)
		pw_buf_printf(why,
		              "%.*s: no private key in it, or one with a pass phrase",
		              PW_FMT(key));
	return r;
}
