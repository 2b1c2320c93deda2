/* postwardctl dkim host-key: the file under which private keys lie sealed. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tools/command.h"
#include "tools/dkim/vault.h"
#include "tools/dkim/verbs.h"
#include "tools/input.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/owned_file.h"

#define OWNER "postward_dkim"

const char dkim_host_key_usage[] =
	"usage: postwardctl dkim host-key new|show|export|import [OPTION...]\n"
	"The key under which postward-dkim seals private keys in the database. It makes "
	"one by\n"
	"itself; every node needs the same file.\n"
	"  new                  put a new key first: it seals, those before still open\n"
	"  show                 names of the keys, never the keys\n"
	"  export               print the file, for another node; keep it secret\n"
	"  import               take the file from standard input\n"
	"  --file FILE          default: setting host_key of postward-dkim, else "
	"host.key "
	"in\n"
	"                       its state_directory\n"
	"  --json               show: {\"ok\", \"file\", \"keys\": [{\"id\", "
	"\"seals\"}]}\n";

struct options {
	const char *file;
	bool is_json;
};

static int fail(int code, const char *what, const char *why)
{
	(void)fprintf(stderr, "postwardctl dkim host-key: %s: %s\n", what, why);
	return code;
}

static int replace(const char *path, struct pw_str text)
{
	const char *why = tool_replace_owned(path, text, 0400, OWNER);

	return why == NULL ? EXIT_FINE : fail(EX_CANTCREAT, path, why);
}

static int read_file(const struct options *opt, struct pw_buf *text)
{
	const char *why;
	enum pw_status r = tool_read_regular(text, opt->file, PW_VAULT_FILE_MAX, &why);

	return r == PW_OK ? EXIT_FINE
	                  : fail(r == PW_ERR_DENIED ? EX_NOPERM : EX_NOINPUT, opt->file,
	                         why);
}

static int run_export(const struct options *opt)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	int code = read_file(opt, &text);

	if (code == EXIT_FINE)
		(void)fwrite(text.at, 1, text.len, stdout);
	return code;
}

static int run_show(const struct options *opt)
{
	PW_AUTO(pw_vault_free) struct pw_vault *vault = NULL;
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();
	struct json_object *list = json_object_new_array();
	int code;

	json_object_object_add(json, "ok", json_object_new_boolean(true));
	json_object_object_add(json, "keys", list);
	if ((code = dkim_vault_read(&vault, opt->file)) != EXIT_FINE)
		return code;
	tool_json_add(json, "file", pw_str_from(opt->file));
	for (size_t i = 0; i < pw_vault_count(vault); i++) {
		struct json_object *one = json_object_new_object();

		tool_json_add(one, "id", pw_vault_id(vault, i));
		json_object_object_add(one, "seals", json_object_new_boolean(i == 0));
		json_object_array_add(list, one);
		if (!opt->is_json)
			printf("%.*s  %s\n", PW_FMT(pw_vault_id(vault, i)),
			       i == 0 ? "seals and opens" : "opens");
	}
	if (opt->is_json)
		tool_json_print(json);
	return EXIT_FINE;
}

/* Before those that are there, if there are any. */
static int run_new(const struct options *opt)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	PW_AUTO(pw_buf_wipe) struct pw_buf next = { 0 };
	PW_AUTO(pw_vault_free) struct pw_vault *vault = NULL;
	const char *why;
	enum pw_status r;
	int code;

	if (pw_vault_put_new(&next) != PW_OK)
		return fail(EX_SOFTWARE, opt->file, "no random numbers");
	r = tool_read_regular(&text, opt->file, PW_VAULT_FILE_MAX, &why);
	if (r != PW_OK && r != PW_ERR_NOTFOUND)
		return fail(EX_NOPERM, opt->file, why);
	pw_buf_puts(&next, pw_buf_str(&text));
	if (pw_buf_status(&next) != PW_OK)
		return fail(EX_OSERR, opt->file, "no memory");
	if ((code = dkim_vault_parse(&vault, opt->file, pw_buf_str(&next))) !=
	            EXIT_FINE ||
	    (code = replace(opt->file, pw_buf_str(&next))) != EXIT_FINE)
		return code;
	printf("made %.*s in %s\nOther nodes need this file, each then: systemctl reload "
	       "postward-dkim\n",
	       PW_FMT(pw_vault_id(vault, 0)), opt->file);
	return EXIT_FINE;
}

static int run_import(const struct options *opt)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	PW_AUTO(pw_vault_free) struct pw_vault *vault = NULL;
	char some[1024];
	size_t n;
	int code;

	pw_buf_init(&text, PW_VAULT_FILE_MAX);
	while ((n = fread(some, 1, sizeof(some), stdin)) > 0)
		pw_buf_puts(&text, (struct pw_str){ some, n });
	pw_wipe(some, sizeof(some));
	if (pw_buf_status(&text) != PW_OK)
		return fail(EX_DATAERR, "standard input", "is too long");
	if ((code = dkim_vault_parse(&vault, "standard input", pw_buf_str(&text))) !=
	    EXIT_FINE)
		return code;
	return replace(opt->file, pw_buf_str(&text));
}

int dkim_host_key(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct options *opt);
	} verbs[] = {
		{ "new", run_new },
		{ "show", run_show },
		{ "export", run_export },
		{ "import", run_import },
	};
	PW_AUTO(pw_buf_done) struct pw_buf file = { 0 };
	struct options opt = { 0 };
	const struct tool_option options[] = {
		{ "file", .text = &opt.file },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), dkim_host_key_usage, argc, argv,
	                       &operand, &code))
		return code;
	dkim_vault_file(&file);
	if (opt.file == NULL)
		opt.file = pw_buf_text(&file);
	for (size_t i = 0; i < PW_LEN(verbs) && operand == argc - 1; i++)
		if (strcmp(argv[operand], verbs[i].name) == 0)
			return verbs[i].run(&opt);
	return tool_wrong_use(dkim_host_key_usage);
}
