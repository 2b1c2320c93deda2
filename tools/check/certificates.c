#include "tools/check/certificates.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/clock.h"
#include "tools/input.h"

#define SECONDS_PER_DAY 86400
#define DAYS_FEW 14
#define FILE_BYTES_MAX ((size_t)1024 * 1024)

struct certificate_files certificate_of_postfix(const struct postconf *conf)
{
	struct pw_str chain = postconf_value(conf, NULL, "smtpd_tls_chain_files");
	struct certificate_files files = { chain, chain };

	if (chain.len > 0)
		return files;
	files.chain = postconf_value(conf, NULL, "smtpd_tls_cert_file");
	files.key = postconf_value(conf, NULL, "smtpd_tls_key_file");
	if (pw_str_eq_nocase(files.chain, PW_STR("none")))
		files.chain.len = 0;
	return files;
}

/* 2.3 reads the file into the value: `</path`. 2.4 names it, and doveconf prints it in a
 * block that no file has. */
static struct pw_str dovecot_file(const struct doveconf *conf, const char *old,
                                  const char *new)
{
	struct pw_str value = doveconf_value(conf, "ssl_server", new);

	if (value.len == 0)
		value = doveconf_value(conf, "", old);
	if (value.len > 0 && value.at[0] == '<')
		value = pw_str_trim(pw_str_sub(value, 1, value.len));
	return value;
}

struct certificate_files certificate_of_dovecot(const struct doveconf *conf)
{
	return (struct certificate_files){
		dovecot_file(conf, "ssl_cert", "cert_file"),
		dovecot_file(conf, "ssl_key", "key_file"),
	};
}

static void judge_days(struct check_report *report, const char *who,
                       const struct certificate *cert, int64_t now_s)
{
	int64_t left = cert->not_after_s - now_s;

	if (cert->not_before_s > now_s)
		check_error(report, "%s: the certificate is not valid yet", who);
	else if (left <= 0)
		check_error(report, "%s: the certificate expired %" PRId64 " days ago",
		            who, -left / SECONDS_PER_DAY);
	else if (left < DAYS_FEW * SECONDS_PER_DAY)
		check_warning(report, "%s: the certificate expires in %" PRId64 " days",
		              who, left / SECONDS_PER_DAY);
	else
		return;
	if (cert->not_before_s > now_s)
		check_cure(report, "timedatectl");
	else
		check_cure(report, "certbot renew && systemctl reload postfix dovecot");
}

void judge_certificate(struct check_report *report, const char *who,
                       const struct certificate *cert, struct pw_str host, int64_t now_s)
{
	judge_days(report, who, cert, now_s);
	if (cert->has_key && !cert->key_fits) {
		check_error(report, "%s: the private key is not that of the certificate",
		            who);
		check_cure(report, "postwardctl setup --cert FILE --key FILE");
	}
	if (!cert->is_for_host) {
		check_warning(report, "%s: the certificate is not for %.*s", who,
		              PW_FMT(host));
		check_cure(report,
		           "certbot certonly --standalone -d %.*s && postwardctl setup",
		           PW_FMT(host));
	} else if (cert->is_self_signed) {
		check_warning(report,
		              "%s: the certificate is self-signed: mail programs warn "
		              "of it",
		              who);
		check_cure(report,
		           "certbot certonly --standalone -d %.*s && postwardctl setup",
		           PW_FMT(host));
	}
}

static bool holds_key(const char *path)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	const char *why;

	return tool_read_regular(&text, path, FILE_BYTES_MAX, &why) == PW_OK &&
	       pw_str_contains(pw_buf_str(&text), PW_STR("PRIVATE KEY-----"));
}

/* Everybody who may read it can be us. A list of files (smtpd_tls_chain_files) also names
 * those of certificates. */
static void judge_key_mode(struct check_report *report, const char *who,
                           struct pw_str key)
{
	struct pw_str file;

	while (postconf_next_item(&key, &file)) {
		PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
		struct stat state;

		pw_buf_puts(&path, file);
		if (stat(pw_buf_text(&path), &state) != 0 || (state.st_mode & 007) == 0 ||
		    !holds_key(pw_buf_text(&path)))
			continue;
		check_error(report, "%s: everybody may read the private key %s", who,
		            pw_buf_text(&path));
		check_cure(report, "chmod o= %s", pw_buf_text(&path));
	}
}

static void check_files(struct check_report *report, const char *who,
                        struct certificate_files files, struct pw_str host)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct certificate cert;

	if (files.chain.len == 0) {
		check_warning(report, "%s has no certificate", who);
		check_cure(report, "postwardctl setup --cert FILE --key FILE");
		return;
	}
	if (certificate_read(&cert, files.chain, files.key, host, &why) != PW_OK) {
		check_error(report, "%s: %s", who, pw_buf_text(&why));
		check_cure(report, "postwardctl setup --cert FILE --key FILE");
		return;
	}
	judge_certificate(report, who, &cert, host, pw_clock_wall_ms() / 1000);
	judge_key_mode(report, who, files.key);
	if (cert.has_key)
		return;
	if (geteuid() != 0) {
		check_blind(report, "%s: %s", who, pw_buf_text(&why));
		check_cure(report, "sudo postwardctl check");
		return;
	}
	check_error(report, "%s: %s", who, pw_buf_text(&why));
	check_cure(report, "postwardctl setup --cert FILE --key FILE");
}

void check_postfix_certificate(struct check_report *report,
                               const struct check_context *context)
{
	if (context->postfix.count == 0)
		check_blind(report, "%.*s", PW_FMT(context->postfix_why));
	else
		check_files(report, "Postfix", certificate_of_postfix(&context->postfix),
		            postconf_value(&context->postfix, NULL, "myhostname"));
}

void check_dovecot_certificate(struct check_report *report,
                               const struct check_context *context)
{
	if (context->dovecot.major == 0)
		check_blind(report, "%.*s", PW_FMT(context->dovecot_why));
	else
		check_files(report, "Dovecot", certificate_of_dovecot(&context->dovecot),
		            context->hostname);
}
