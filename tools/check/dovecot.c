#include "tools/check/dovecot.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/ascii.h"
#include "core/ip.h"
#include "io/file.h"

#define FILE_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define MODULES "/usr/lib/dovecot/modules/"
#define LIBRARY "/usr/lib/dovecot/libdovecot.so.0"
#define SETTINGS_FILE "/etc/dovecot/postward-dovecot.conf"
#define REGENERATE "postwardctl setup --regenerate && systemctl restart dovecot"

static const char *const drop_ins[] = { "/etc/dovecot/conf.d/05-postward-auth.conf",
	                                "/etc/dovecot/conf.d/95-postward.conf" };

/* ---- judging ---- */

/* Lines without the advice that 2.3 gives with each. */
void judge_complaints(struct check_report *report, struct pw_str complaints)
{
	while (complaints.len > 0) {
		struct pw_str line = pw_str_trim(pw_str_cut(&complaints, '\n'));

		if (line.len == 0 || pw_str_contains(line, PW_STR("NOTE:")))
			continue;
		check_warning(report, "%.*s", PW_FMT(line));
		check_cure(report, "doveconf -n >/dev/null");
	}
}

static bool ends_there(const struct doveconf_database *db)
{
	return pw_str_starts(db->result_failure, PW_STR("return")) &&
	       pw_str_starts(db->result_internalfail, PW_STR("return"));
}

static void judge_order(struct check_report *report, const struct doveconf *conf)
{
	struct doveconf_database db;
	bool is_found = false, is_end = false;

	for (size_t pos = 0;
	     !is_end && doveconf_next_database(conf, "passdb", &pos, &db);) {
		bool is_ours = pw_str_eq(db.driver, PW_STR("postward"));

		if (pw_str_eq(db.master, PW_STR("yes")))
			continue;
		if (!is_ours && !is_found) {
			check_error(report,
			            "Dovecot asks %.*s about every login before postward",
			            PW_FMT(db.driver));
			check_cure(report, REGENERATE);
		} else if (!is_ours) {
			check_warning(
				report,
				"Dovecot asks %.*s about logins that postward refused",
				PW_FMT(db.driver));
			check_cure(report, REGENERATE);
		}
		is_found |= is_ours;
		is_end = is_ours && ends_there(&db);
	}
	if (is_found)
		return;
	check_error(report, "Dovecot does not ask postward about logins");
	check_cure(report, "postwardctl setup");
}

static void judge_users(struct check_report *report, const struct doveconf *conf)
{
	struct doveconf_database db;

	for (size_t pos = 0; doveconf_next_database(conf, "userdb", &pos, &db);)
		if (pw_str_eq(db.driver, PW_STR("postward")))
			return;
	check_error(report, "Dovecot does not ask postward where mailboxes lie");
	check_cure(report, "postwardctl setup");
}

void judge_logins(struct check_report *report, const struct doveconf *conf)
{
	static const char *const old[] = { "SSLv3", "TLSv1", "TLSv1.1" };
	struct pw_str ssl = doveconf_value(conf, "", "ssl");
	struct pw_str least = doveconf_value(conf, "", "ssl_min_protocol");

	judge_order(report, conf);
	judge_users(report, conf);
	if (pw_str_eq(doveconf_value(conf, "", "disable_plaintext_auth"), PW_STR("no")) ||
	    pw_str_eq(doveconf_value(conf, "", "auth_allow_cleartext"), PW_STR("yes"))) {
		check_error(report, "Dovecot takes passwords without TLS");
		check_cure(report, REGENERATE);
	}
	if (pw_str_eq(ssl, PW_STR("no"))) {
		check_error(report, "Dovecot offers no TLS (ssl = no)");
		check_cure(report, REGENERATE);
	}
	for (size_t i = 0; i < PW_LEN(old); i++) {
		if (!pw_str_eq(least, pw_str_from(old[i])))
			continue;
		check_warning(report, "Dovecot offers TLS older than 1.2");
		check_cure(report, REGENERATE);
	}
}

static bool has_proxied_listener(const struct doveconf *conf)
{
	for (size_t i = 0; i < conf->count; i++)
		if (pw_str_eq(conf->at[i].key, PW_STR("haproxy")) &&
		    pw_str_eq(conf->at[i].value, PW_STR("yes")))
			return true;
	return false;
}

void judge_proxied_logins(struct check_report *report, const struct doveconf *conf)
{
	struct pw_str trusted = doveconf_value(conf, "", "haproxy_trusted_networks"),
		      item;

	if (!has_proxied_listener(conf))
		return;
	if (trusted.len == 0) {
		check_error(report,
		            "haproxy_trusted_networks is empty: Dovecot closes what the "
		            "edge host passes on");
		check_cure(report, REGENERATE);
	}
	while (postconf_next_item(&trusted, &item)) {
		struct pw_net net;

		if (pw_net_parse(&net, item) != PW_OK ||
		    net.bits == (net.ip.family == PW_IP_V4 ? 32 : 128))
			continue;
		check_warning(report,
		              "haproxy_trusted_networks has %.*s: whoever is in there "
		              "says who the client is",
		              PW_FMT(item));
		check_cure(report, REGENERATE);
	}
}

void judge_plugins(struct check_report *report, const struct doveconf *conf)
{
	if (!doveconf_has_word(conf, "", "mail_plugins", "quota_postward")) {
		check_error(report,
		            "mail_plugins does not name quota_postward: quotas are "
		            "neither counted nor kept");
		check_cure(report, REGENERATE);
	}
	if (!doveconf_has_word(conf, "protocol lmtp", "mail_plugins", "sieve")) {
		check_warning(report,
		              "mail_plugins of protocol lmtp does not name sieve: spam "
		              "is not filed into Junk");
		check_cure(report, REGENERATE);
	}
}

/* "2.3.ABIv19" of "2.3.ABIv19(2.3.19.1)"; Dovecot too compares up to the parenthesis. */
static struct pw_str find_abi(struct pw_str bytes)
{
	const char *hit = bytes.len > 0 ? memmem(bytes.at, bytes.len, ".ABIv", 5) : NULL;
	size_t start, end;

	if (hit == NULL)
		return (struct pw_str){ 0 };
	start = (size_t)(hit - bytes.at);
	end = start + 5;
	while (start > 0 &&
	       (pw_is_digit(bytes.at[start - 1]) || bytes.at[start - 1] == '.'))
		start--;
	while (end < bytes.len && pw_is_digit(bytes.at[end]))
		end++;
	return pw_str_sub(bytes, start, end - start);
}

void judge_abi(struct check_report *report, const char *what, struct pw_str module,
               struct pw_str library)
{
	struct pw_str ours = find_abi(module), theirs = find_abi(library);

	if (ours.len == 0 || theirs.len == 0 || pw_str_eq(ours, theirs))
		return;
	check_error(report,
	            "%s is made for Dovecot %.*s, and this is %.*s: it is not loaded",
	            what, PW_FMT(ours), PW_FMT(theirs));
	check_cure(report, "apt install --reinstall dovecot-postward");
}

/* `passdb {` is how 2.3 begins a block, `passdb NAME {` how 2.4 does. */
void judge_dialect(struct check_report *report, const char *path, struct pw_str text,
                   const struct doveconf *conf)
{
	bool is_new = conf->major > 2 || (conf->major == 2 && conf->minor >= 4);

	while (conf->major > 0 && text.len > 0) {
		struct pw_str line = pw_str_trim(pw_str_cut(&text, '\n'));
		bool is_block = pw_str_starts(line, PW_STR("passdb ")) &&
		                line.at[line.len - 1] == '{';

		if (!is_block || pw_str_eq(line, PW_STR("passdb {")) != is_new)
			continue;
		check_error(report, "%s is written for Dovecot %s, and this is %d.%d",
		            path, is_new ? "2.3" : "2.4", conf->major, conf->minor);
		check_cure(report, REGENERATE);
		return;
	}
}

/* ---- gathering ---- */

static bool is_readable(struct check_report *report, const struct check_context *context)
{
	if (context->dovecot.major > 0)
		return true;
	check_blind(report, "%.*s", PW_FMT(context->dovecot_why));
	return false;
}

void check_dovecot_config(struct check_report *report,
                          const struct check_context *context)
{
	struct pw_str why = context->dovecot_why;

	if (context->dovecot.major > 0) {
		judge_complaints(report, pw_buf_str(&context->dovecot.complaints));
		return;
	}
	check_error(report, "Dovecot's settings cannot be read: %.*s", PW_FMT(why));
	check_cure(report, REGENERATE);
}

void check_dovecot_logins(struct check_report *report,
                          const struct check_context *context)
{
	if (!is_readable(report, context))
		return;
	judge_logins(report, &context->dovecot);
	judge_proxied_logins(report, &context->dovecot);
}

static void check_module(struct check_report *report, const char *name,
                         struct pw_str library)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 }, module = { 0 };
	enum pw_status r;

	pw_buf_printf(&path, MODULES "%s", name);
	r = pw_file_read(&module, pw_buf_text(&path), FILE_BYTES_MAX);
	if (r == PW_OK) {
		judge_abi(report, pw_buf_text(&path), pw_buf_str(&module), library);
		return;
	}
	check_error(report, "%s: %s", pw_buf_text(&path), pw_status_text(r));
	check_cure(report, "apt install --reinstall dovecot-postward");
}

void check_dovecot_modules(struct check_report *report,
                           const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf library = { 0 };
	bool is_new = context->dovecot.minor >= 4;

	if (!is_readable(report, context))
		return;
	judge_plugins(report, &context->dovecot);
	if (pw_file_read(&library, LIBRARY, FILE_BYTES_MAX) != PW_OK)
		pw_buf_reset(&library);
	check_module(report, "auth/libauthdb_postward.so", pw_buf_str(&library));
	check_module(report, "lib15_quota_postward_plugin.so", pw_buf_str(&library));
	if (is_new)
		check_module(report, "settings/libpostward_settings.so",
		             pw_buf_str(&library));
}

static void check_settings_file(struct check_report *report)
{
	struct stat file;

	if (stat(SETTINGS_FILE, &file) != 0) {
		check_error(report, SETTINGS_FILE ": %s", strerror(errno));
		check_cure(report, "postwardctl setup --regenerate");
	} else if ((file.st_mode & (S_IROTH | S_IWOTH)) != 0) {
		check_error(report, SETTINGS_FILE " may be read by everybody");
		check_cure(report, "chmod 0600 " SETTINGS_FILE);
	}
}

void check_dovecot_files(struct check_report *report, const struct check_context *context)
{
	if (!context->is_set_up) {
		check_skip(report, "postwardctl setup was not run");
		return;
	}
	for (size_t i = 0; i < PW_LEN(drop_ins); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
		enum pw_status r = pw_file_read(&text, drop_ins[i], FILE_BYTES_MAX);

		if (r == PW_OK) {
			judge_dialect(report, drop_ins[i], pw_buf_str(&text),
			              &context->dovecot);
			continue;
		}
		check_error(report, "%s: %s", drop_ins[i], pw_status_text(r));
		check_cure(report, REGENERATE);
	}
	check_settings_file(report);
}
