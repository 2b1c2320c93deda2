#include "tools/setup/tls.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "tools/certificate.h"
#include "tools/postconf.h"
#include "tools/setup/file.h"
#include "tools/setup/list.h"

#define OWN_CERTIFICATE "/etc/postward/tls/fullchain.pem"
#define OWN_KEY "/etc/postward/tls/privkey.pem"
#define CERTBOT "/etc/letsencrypt/live/"
#define OWN_DAYS 3650
#define KEY_BITS 2048

static void x509_free(X509 **certificate)
{
	X509_free(*certificate);
}

static void key_free(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void bio_free(BIO **bio)
{
	(void)BIO_free(*bio);
}

/* What is wrong with a certificate and its key for this name (NULL: any); false =
 * nothing.
 */
static bool is_wrong(struct pw_buf *why, const char *certificate, const char *key,
                     const char *name, int64_t now_ms)
{
	struct certificate found;

	if (certificate_read(&found, pw_str_from(certificate), pw_str_from(key),
	                     pw_str_from(name), why) != PW_OK) {
		if (why->len == 0)
			pw_buf_printf(why, "%s cannot be read", certificate);
		return true;
	}
	if (!found.has_key)
		return true; /* which why says */
	if (!found.key_fits)
		pw_buf_printf(why, "%s is not the key of %s", key, certificate);
	else if (found.not_after_s * 1000 <= now_ms)
		pw_buf_printf(why, "%s has expired", certificate);
	else if (name != NULL && !found.is_for_host)
		pw_buf_printf(why, "%s is not for the name %s", certificate, name);
	else
		return false;
	return true;
}

static bool take(struct setup_wish *wish, const char *certificate, const char *key,
                 int64_t now_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	if (is_wrong(&why, certificate, key, wish->hostname, now_ms))
		return false;
	wish->certificate = certificate;
	wish->key = key;
	return true;
}

/* Certificates of certbot under the names an administrator may have given it. */
static bool take_certbot(struct setup_plan *plan, struct setup_wish *wish, int64_t now_ms)
{
	const char *above = strchr(wish->hostname, '.') + 1;
	const char *const names[] = { wish->hostname, wish->domain,
		                      setup_text(plan, "mail.%s", wish->domain), above };

	for (size_t i = 0; i < PW_LEN(names); i++)
		if (take(wish, setup_text(plan, CERTBOT "%s/fullchain.pem", names[i]),
		         setup_text(plan, CERTBOT "%s/privkey.pem", names[i]), now_ms))
			return true;
	return false;
}

/* What main.cf names, if it is more than what Debian's package puts there. */
static bool find_postfix(struct setup_plan *plan, const struct setup_postfix *now,
                         const char *files_out[2])
{
	struct pw_str chain = setup_postfix_value(&now->main, "smtpd_tls_chain_files");
	struct pw_str certificate =
		setup_postfix_value(&now->main, "smtpd_tls_cert_file");
	struct pw_str key = setup_postfix_value(&now->main, "smtpd_tls_key_file");
	struct pw_str first;

	/* a chain file holds the key too, and hides the two others */
	if (postconf_next_item(&chain, &first))
		certificate = key = first;
	if (key.len == 0 || key.at[0] != '/')
		key = certificate;
	if (certificate.len == 0 || certificate.at[0] != '/' ||
	    pw_str_contains(certificate, PW_STR("snakeoil")))
		return false;
	files_out[0] = setup_text(plan, "%.*s", PW_FMT(certificate));
	files_out[1] = setup_text(plan, "%.*s", PW_FMT(key));
	return true;
}

static bool take_postfix(struct setup_plan *plan, struct setup_wish *wish,
                         const struct setup_postfix *now, int64_t now_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	const char *files[2];

	if (!find_postfix(plan, now, files) || strcmp(files[0], OWN_CERTIFICATE) == 0 ||
	    is_wrong(&why, files[0], files[1], NULL, now_ms))
		return false;
	if (is_wrong(&why, files[0], files[1], wish->hostname, now_ms))
		setup_note(plan, "%s; Postfix uses it, so it stays", pw_buf_text(&why));
	wish->certificate = files[0];
	wish->key = files[1];
	return true;
}

bool setup_certificate_in_use(struct setup_plan *plan, struct setup_wish *wish,
                              const struct setup_postfix *now)
{
	const char *files[2];

	if (!find_postfix(plan, now, files) || access(files[0], R_OK) != 0 ||
	    access(files[1], R_OK) != 0)
		return false;
	wish->certificate = files[0];
	wish->key = files[1];
	return true;
}

static bool set_name(X509 *x509, const char *host)
{
	X509_NAME *name = X509_get_subject_name(x509);
	X509_EXTENSION *extension;
	char text[300];
	bool is_set;

	(void)snprintf(text, sizeof(text), "DNS:%s", host);
	/* a common name holds 64 letters at most; nobody looks at it any more */
	if (X509_NAME_add_entry_by_txt(
		    name, "CN", MBSTRING_ASC,
		    (const unsigned char *)(strlen(host) <= 64 ? host : "postward"), -1,
		    -1, 0) != 1 ||
	    X509_set_issuer_name(x509, name) != 1 ||
	    (extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text)) ==
	            NULL)
		return false;
	is_set = X509_add_ext(x509, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return is_set;
}

static X509 *make_certificate(EVP_PKEY *key, const char *host, int64_t now_ms)
{
	PW_AUTO(x509_free) X509 *x509 = X509_new();
	time_t now = (time_t)(now_ms / 1000);

	if (x509 == NULL || X509_set_version(x509, 2) != 1 ||
	    ASN1_INTEGER_set_int64(X509_get_serialNumber(x509), now_ms) != 1 ||
	    X509_time_adj_ex(X509_getm_notBefore(x509), -1, 0, &now) == NULL ||
	    X509_time_adj_ex(X509_getm_notAfter(x509), OWN_DAYS, 0, &now) == NULL ||
	    X509_set_pubkey(x509, key) != 1 || !set_name(x509, host) ||
	    X509_sign(x509, key, EVP_sha256()) == 0)
		return NULL;
	return PW_TAKE(x509);
}

static const char *text_of(struct setup_plan *plan, BIO *bio)
{
	char *at = NULL;
	long len = BIO_get_mem_data(bio, &at);

	return setup_text(plan, "%.*s", (int)len, at);
}

static void plan_pair(struct setup_plan *plan, BIO *certificate, BIO *key)
{
	struct setup_step step = { .owner = "root", .group = "root" };

	step.name = OWN_CERTIFICATE;
	step.value = text_of(plan, certificate);
	step.mode = 0644;
	step.is_secret = true; /* not one, but nobody reads it */
	setup_plan_file(plan, &step);
	step.name = OWN_KEY;
	step.value = text_of(plan, key);
	step.mode = 0600;
	setup_plan_file(plan, &step);
}

static enum pw_status plan_own(struct setup_plan *plan, struct setup_wish *wish,
                               int64_t now_ms)
{
	PW_AUTO(key_free) EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
	PW_AUTO(x509_free)
	X509 *x509 = key != NULL ? make_certificate(key, wish->hostname, now_ms) : NULL;
	PW_AUTO(bio_free) BIO *certificate_file = BIO_new(BIO_s_mem());
	PW_AUTO(bio_free) BIO *key_file = BIO_new(BIO_s_secmem());

	if (x509 == NULL || certificate_file == NULL || key_file == NULL ||
	    PEM_write_bio_X509(certificate_file, x509) != 1 ||
	    PEM_write_bio_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL) != 1)
		return PW_ERR_CRYPTO;
	wish->certificate = OWN_CERTIFICATE;
	wish->key = OWN_KEY;
	plan_pair(plan, certificate_file, key_file);
	return PW_OK;
}

static void warn_of_own(struct setup_plan *plan, const struct setup_wish *wish)
{
	setup_note(
		plan,
		"%s is signed by nobody but itself: mail programs will warn. Get one and "
		"run "
		"setup again: apt install certbot; certbot certonly --standalone -d %s; "
		"postwardctl setup --yes",
		wish->certificate, wish->hostname);
}

enum pw_status setup_plan_certificate(struct setup_plan *plan, struct setup_wish *wish,
                                      const struct setup_postfix *now, int64_t now_ms,
                                      struct pw_buf *why)
{
	enum pw_status r = PW_OK;

	if (wish->certificate != NULL)
		return is_wrong(why, wish->certificate, wish->key, wish->hostname, now_ms)
		               ? PW_ERR_CONFIG
		               : PW_OK;
	if (take_certbot(plan, wish, now_ms) || take_postfix(plan, wish, now, now_ms))
		return PW_OK;
	if (!take(wish, OWN_CERTIFICATE, OWN_KEY, now_ms))
		r = plan_own(plan, wish, now_ms);
	if (r == PW_OK)
		warn_of_own(plan, wish);
	return r;
}
