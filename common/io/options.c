#include "io/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "io/file.h"

#define CONFIG_DIR "/etc/postward"
#define SHARED_FILE "postward.conf"
#define EXIT_USAGE 2 /* as all command lines of the suite */

enum action { RUN, CHECK, CHANGED, DEFAULTS, SAMPLE, VERSION, HELP, MISUSE };

static const struct option long_options[] = {
	{ "sample", no_argument, NULL, SAMPLE },
	{ "version", no_argument, NULL, VERSION },
	{ "help", no_argument, NULL, HELP },
	{ NULL, 0, NULL, 0 },
};

static const char help_text[] =
	"  -c FILE        settings instead of " CONFIG_DIR "/%s.conf\n"
	"  -o NAME=VALUE  one setting, wins over the files; may be repeated\n"
	"  -n             print the settings that differ from the defaults\n"
	"  -d             print the defaults\n"
	"  -t             check the settings and exit\n"
	"  --sample       print a sample settings file with help\n"
	"  --version      print the version\n"
	"  --help         print this\n";

static enum action parse(struct pw_options *out, int argc, char **argv)
{
	enum action action = RUN;
	int c;

	while ((c = getopt_long(argc, argv, "c:o:ndt", long_options, NULL)) != -1)
		switch (c) {
		case 'c':
			out->config = optarg;
			break;
		case 'o':
			if (out->assign_count == PW_OPTIONS_ASSIGN_MAX) {
				(void)fprintf(stderr, "%s: too many -o\n", argv[0]);
				return MISUSE;
			}
			out->assign[out->assign_count++] = optarg;
			break;
		case 'n':
			action = CHANGED;
			break;
		case 'd':
			action = DEFAULTS;
			break;
		case 't':
			action = CHECK;
			break;
		case SAMPLE:
		case VERSION:
		case HELP:
			action = (enum action)c;
			break;
		default:
			return MISUSE;
		}
	if (optind == argc)
		return action;
	(void)fprintf(stderr, "%s: unexpected argument '%s'\n", argv[0], argv[optind]);
	return MISUSE;
}

/* ---- reading ---- */

/* The texts that settings come from, in the order in which they count. */
struct texts {
	struct pw_buf shared_path, own_path, shared, own;
	struct pw_settings_source sources[2 + PW_OPTIONS_ASSIGN_MAX];
	size_t count;
};

static void texts_done(struct texts *t)
{
	pw_wipe(t->shared.at, t->shared.len); /* a conninfo may hold a password */
	pw_wipe(t->own.at, t->own.len);
	pw_buf_done(&t->shared);
	pw_buf_done(&t->own);
	pw_buf_done(&t->shared_path);
	pw_buf_done(&t->own_path);
}

static void add(struct texts *t, const char *name, struct pw_str bytes, bool is_shared)
{
	t->sources[t->count++] = (struct pw_settings_source){ name, bytes, is_shared };
}

/* Take in a file; one that need not exist may be missing. */
static enum pw_status add_file(struct texts *t, const char *path, struct pw_buf *bytes,
                               bool is_shared, bool must_exist, struct pw_buf *notes)
{
	enum pw_status r = pw_file_read(bytes, path, PW_FILE_READ_MAX);

	if (r == PW_ERR_NOTFOUND && !must_exist)
		return PW_OK;
	if (r == PW_OK) {
		add(t, path, pw_buf_str(bytes), is_shared);
		return PW_OK;
	}
	if (r == PW_ERR_IO)
		pw_buf_printf(notes, "%s: error: cannot be read: %s\n", path,
		              strerror(errno));
	else
		pw_buf_printf(notes, "%s: error: cannot be read: %s\n", path,
		              pw_status_text(r));
	return r == PW_ERR_NOMEM ? r : PW_ERR_CONFIG;
}

static enum pw_status name_files(struct texts *t, const char *config, const char *program)
{
	struct pw_str path = pw_str_from(config);
	enum pw_status r;

	if (config)
		pw_buf_puts(&t->own_path, path);
	else
		pw_buf_printf(&t->own_path, CONFIG_DIR "/%s.conf", program);
	path = pw_buf_str(&t->own_path);
	if (pw_str_find(path, '/') < path.len)
		pw_buf_puts(&t->shared_path,
		            pw_str_sub(path, 0, pw_str_rfind(path, '/') + 1));
	pw_buf_puts(&t->shared_path, PW_STR(SHARED_FILE));
	if ((r = pw_buf_status(&t->own_path)) != PW_OK)
		return r;
	return pw_buf_status(&t->shared_path);
}

static enum pw_status read_texts(struct texts *t, const struct pw_options *options,
                                 const char *program, struct pw_buf *notes)
{
	enum pw_status r;

	if ((r = name_files(t, options->config, program)) != PW_OK)
		return r;
	if ((r = add_file(t, pw_buf_text(&t->shared_path), &t->shared, true, false,
	                  notes)) != PW_OK)
		return r;
	if ((r = add_file(t, pw_buf_text(&t->own_path), &t->own, false,
	                  options->config != NULL, notes)) != PW_OK)
		return r;
	for (size_t i = 0; i < options->assign_count; i++)
		add(t, "-o", pw_str_from(options->assign[i]), false);
	return PW_OK;
}

enum pw_status pw_options_reload(const struct pw_options *options,
                                 const struct pw_settings_schema *schema, void *out,
                                 const void *old, struct pw_buf *notes)
{
	PW_AUTO(texts_done) struct texts t = { 0 };
	enum pw_status r;

	if ((r = read_texts(&t, options, schema->program, notes)) != PW_OK)
		return r;
	return pw_settings_build(out, schema, t.sources, t.count, old, notes);
}

/* ---- doing ---- */

static int print(const struct pw_buf *text)
{
	if (pw_buf_status(text) != PW_OK ||
	    fwrite(pw_buf_text(text), 1, text->len, stdout) != text->len || fflush(stdout) != 0)
		return EX_OSERR;
	return 0;
}

static void print_help(struct pw_buf *text, const struct pw_settings_schema *schema)
{
	pw_buf_printf(text, "%s - %s\n\nUsage: %s [options]\n", schema->program,
	              schema->purpose, schema->program);
	pw_buf_printf(text, help_text, schema->program);
}

/* What needs no settings file; RUN and the like are left to the caller. */
static bool print_static(struct pw_buf *text, enum action action,
                         const struct pw_settings_schema *schema)
{
	if (action == HELP)
		print_help(text, schema);
	else if (action == VERSION)
		pw_buf_printf(text, "%s %s\n", schema->program, PW_VERSION);
	else if (action == SAMPLE)
		pw_settings_sample(text, schema);
	else if (action == DEFAULTS)
		pw_settings_print(text, schema, NULL, PW_SETTINGS_DEFAULTS);
	else
		return false;
	return true;
}

int pw_options_start(struct pw_options *out, const struct pw_settings_schema *schema,
                     int argc, char **argv, void *set_address)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf notes = { 0 };
	PW_AUTO(pw_settings_free) void *set = NULL;
	enum action action;
	enum pw_status r;

	*out = (struct pw_options){ 0 };
	action = parse(out, argc, argv);
	if (action == MISUSE)
		return EXIT_USAGE;
	if (print_static(&text, action, schema))
		return print(&text);
	r = pw_options_reload(out, schema, &set, NULL, &notes);
	(void)fputs(pw_buf_text(&notes), stderr);
	if (r != PW_OK)
		return r == PW_ERR_NOMEM ? EX_OSERR : EX_CONFIG;
	if (action == CHANGED)
		pw_settings_print(&text, schema, set, PW_SETTINGS_CHANGED);
	if (action != RUN)
		return print(&text);
	memcpy(set_address, &set, sizeof(set));
	set = NULL; /* now the caller's */
	return PW_OPTIONS_RUN;
}
