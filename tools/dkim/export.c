/* postwardctl dkim export: private keys and their records, for whoever may read them. */
#include <stdio.h>
#include <sysexits.h>

#include "mail/dkim_key.h"
#include "tools/command.h"
#include "tools/database.h"
#include "tools/dkim/vault.h"
#include "tools/dkim/verbs.h"
#include "tools/json.h"
#include "tools/options.h"

const char dkim_export_usage[] =
	"usage: postwardctl dkim export DOMAIN [SELECTOR] [OPTION...]\n"
	"Prints private keys (PEM) and their DNS records: all of the domain, or one. "
	"Only\n"
	"PostgreSQL's superuser and postward_dkim may read them; the latter those that "
	"sign.\n"
	"Sealed ones are opened with the host key, which root and postward_dkim may "
	"read.\n"
	"  --host-key FILE      default: as postwardctl dkim host-key has it\n"
	"  --database CONNINFO  libpq string; default: setting database\n"
	"  --json               {\"domain\", \"keys\": [{\"selector\", \"algorithm\",\n"
	"                       \"state\", \"private_key\", \"name\", \"record\"}]}\n";

enum { KEY_DOMAIN, KEY_SELECTOR, KEY_ALGORITHM, KEY_STATE, KEY_PRIVATE, KEY_RECORD };

/* postward_dkim reads the keys that sign, and nobody's record. */
static const char *const questions[] = {
	"SELECT domain, selector, algorithm, state, private_key, public_record "
	"FROM mail.dkim_keys WHERE domain = mail.normal_domain($1) "
	"AND ($2::text IS NULL OR selector = mail.normal_domain($2)) ORDER BY selector",
	"SELECT domain, selector, algorithm, state, private_key, NULL "
	"FROM mail.snapshot_dkim_keys WHERE domain = mail.normal_domain($1) "
	"AND ($2::text IS NULL OR selector = mail.normal_domain($2)) ORDER BY selector",
};

struct options {
	const char *domain, *selector, *database, *host_key;
	bool is_json;
};

static struct pw_db_result *ask(struct pw_db_session *session, const struct options *opt)
{
	PW_AUTO(pw_db_result_free)
	struct pw_db_result *rights = tool_query(
		session,
		"SELECT has_column_privilege('mail.dkim_keys', 'private_key', 'SELECT')",
		0, NULL);
	const char *const names[] = { opt->domain, opt->selector };

	return rights ? tool_query(session, questions[!pw_db_bool(rights, 0, 0)],
	                           PW_LEN(names), names)
	              : NULL;
}

/* The private key in clear. vault: not NULL where one is sealed. */
static enum pw_status put_private(struct pw_buf *out, const struct pw_vault *vault,
                                  const struct pw_db_result *rows, size_t i)
{
	struct pw_str text = pw_db_value(rows, i, KEY_PRIVATE);

	if (pw_vault_is_sealed(text))
		return pw_vault_open(vault, pw_db_value(rows, i, KEY_DOMAIN),
		                     pw_db_value(rows, i, KEY_SELECTOR), text, out);
	pw_buf_puts(out, text);
	return pw_buf_status(out);
}

/* The record of the table, or the one that the key makes. */
static enum pw_status put_record(struct pw_buf *out, const struct pw_db_result *rows,
                                 size_t i, struct pw_str pem)
{
	PW_AUTO(pw_dkim_key_free) struct pw_dkim_key *key = NULL;
	struct pw_str record = pw_db_value(rows, i, KEY_RECORD);
	enum pw_dkim_algorithm algorithm;
	enum pw_status r;

	if (record.at) {
		pw_buf_puts(out, record);
		return pw_buf_status(out);
	}
	if ((r = pw_dkim_algorithm_parse(&algorithm,
	                                 pw_db_value(rows, i, KEY_ALGORITHM))) != PW_OK ||
	    (r = pw_dkim_key_load(&key, algorithm, pem)) != PW_OK)
		return r;
	return pw_dkim_key_record(key, out);
}

/* The PEM alone is what programs read; they skip the line of the record. */
static void print_key(struct pw_str pem, struct pw_str name, struct pw_str record)
{
	printf("%.*s%s", PW_FMT(pem),
	       pem.len > 0 && pem.at[pem.len - 1] == '\n' ? "" : "\n");
	dkim_print_record(name, record);
}

static void add_key(struct json_object *list, const struct pw_db_result *rows, size_t i,
                    struct pw_str pem, struct pw_str name, struct pw_str record)
{
	struct json_object *one = json_object_new_object();

	json_object_array_add(list, one);
	tool_json_add(one, "selector", pw_db_value(rows, i, KEY_SELECTOR));
	tool_json_add(one, "algorithm", pw_db_value(rows, i, KEY_ALGORITHM));
	tool_json_add(one, "state", pw_db_value(rows, i, KEY_STATE));
	tool_json_add(one, "private_key", pem);
	tool_json_add(one, "name", name);
	tool_json_add(one, "record", record);
}

static int print_keys(const struct options *opt, const struct pw_db_result *rows,
                      const struct pw_vault *vault)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();
	struct json_object *list = json_object_new_array();

	tool_json_add(json, "domain", pw_str_from(opt->domain));
	json_object_object_add(json, "keys", list);
	for (size_t i = 0; i < pw_db_rows(rows); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf name = { 0 }, record = { 0 };
		PW_AUTO(pw_buf_wipe) struct pw_buf pem = { 0 };
		enum pw_status r = put_private(&pem, vault, rows, i);

		if (r == PW_OK)
			r = put_record(&record, rows, i, pw_buf_str(&pem));
		if (r != PW_OK) {
			fprintf(stderr, "postwardctl dkim: key %.*s: %s\n",
			        PW_FMT(pw_db_value(rows, i, KEY_SELECTOR)),
			        pw_status_text(r));
			return EX_DATAERR;
		}
		dkim_put_name(&name, pw_db_value(rows, i, KEY_SELECTOR),
		              pw_db_value(rows, i, KEY_DOMAIN));
		if (opt->is_json)
			add_key(list, rows, i, pw_buf_str(&pem), pw_buf_str(&name),
			        pw_buf_str(&record));
		else
			print_key(pw_buf_str(&pem), pw_buf_str(&name),
			          pw_buf_str(&record));
	}
	if (opt->is_json)
		tool_json_print(json);
	return EXIT_FINE;
}

static bool is_any_sealed(const struct pw_db_result *rows)
{
	for (size_t i = 0; i < pw_db_rows(rows); i++)
		if (pw_vault_is_sealed(pw_db_value(rows, i, KEY_PRIVATE)))
			return true;
	return false;
}

static int run(const struct options *opt)
{
	PW_AUTO(pw_vault_free) struct pw_vault *vault = NULL;
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	int code;

	if (!(session = tool_database_open(opt->database, &code)))
		return code;
	if (!(rows = ask(session, opt)))
		return EX_NOPERM;
	if (pw_db_rows(rows) == 0) {
		fprintf(stderr, "postwardctl dkim: %s has no such key\n", opt->domain);
		return EXIT_PROBLEMS;
	}
	if (is_any_sealed(rows) &&
	    (code = dkim_vault_read(&vault, opt->host_key)) != EXIT_FINE)
		return code;
	return print_keys(opt, rows, vault);
}

int dkim_export(int argc, char **argv)
{
	struct options opt = { 0 };
	const struct tool_option options[] = {
		{ "database", .text = &opt.database },
		{ "host-key", .text = &opt.host_key },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), dkim_export_usage, argc, argv,
	                       &operand, &code))
		return code;
	if (argc - operand < 1 || argc - operand > 2)
		return tool_wrong_use(dkim_export_usage);
	opt.domain = argv[operand];
	opt.selector = argc - operand > 1 ? argv[operand + 1] : NULL;
	return run(&opt);
}
