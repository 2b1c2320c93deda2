#include "../table.h"

#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "io/file.h"
#include "io/options.h"
#include "sample.h"

#define ARGS_MAX 8

static char folder[] = "/tmp/pw-test-options.XXXXXX";

struct row {
	const char *label;
	const char *args[ARGS_MAX];
	int code;
	const char *out, *err; /* how it begins; "" = nothing */
};

/* Files lie in the folder, which is where the tests run: own.conf says most = 7 and
 * log_level = debug, postward.conf log_level = error, bad.conf an unknown name in line 2.
 */
/* clang-format off */
static struct row rows[] = {
	{ "differences",       { "-c", "./own.conf", "-n" },         0,  "log_level = debug\nmost = 7\n", "" },
	{ "-o wins",           { "-n", "-o", "most=9", "-c", "./own.conf" }, 0, "log_level = debug\nmost = 9\n", "" },
	{ "no slash in -c",    { "-c", "own.conf", "-n" },           0,  "log_level = debug\nmost = 7\n", "" },
	{ "the shared file alone", { "-c", "./empty.conf", "-n" },   0,  "log_level = error\n", "" },
	{ "defaults need no file", { "-d", "-c", "./absent" },       0,  "database = ", "" },
	{ "good settings",     { "-t", "-c", "./own.conf" },         0,  "", "" },
	{ "bad settings",      { "-t", "-c", "./bad.conf" },         78, "", "./bad.conf:2: error: unknown setting wat\n" },
	{ "bad -o",            { "-t", "-c", "./own.conf", "-o", "most=0" }, 78, "", "-o: error: most is outside 1..10000\n" },
	{ "bad settings do not run", { "-c", "./bad.conf" },         78, "", "./bad.conf:2: error: " },
	{ "file named and absent", { "-t", "-c", "./absent" },       78, "", "./absent: error: cannot be read: not found\n" },
	{ "a folder is no file", { "-t", "-c", "." },                78, "", ".: error: cannot be read: Is a directory\n" },
	{ "unknown option",    { "-x" },                             2,  "", "sample: invalid option -- 'x'\n" },
	{ "option without value", { "-c" },                          2,  "", "sample: option requires an argument -- 'c'\n" },
	{ "argument too many", { "start" },                          2,  "", "sample: unexpected argument 'start'\n" },
	{ "--version",         { "--version" },                      0,  "postward-sample ", "" },
	{ "--help",            { "--help" },                         0,  "postward-sample - Does nothing.\n", "" },
	{ "--sample",          { "--sample" },                       0,  "# Where PostgreSQL is", "" },
};
/* clang-format on */

/* Stream fd of the process into a file, and back. */
static int divert(int fd, const char *path)
{
	int kept = dup(fd), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(kept >= 0 && to >= 0 && dup2(to, fd) == fd);
	(void)close(to);
	return kept;
}

static void restore(int fd, int kept)
{
	assert_int_equal(dup2(kept, fd), fd);
	(void)close(kept);
}

static int start(const struct row *row, struct pw_options *options, struct settings **set)
{
	char *argv[ARGS_MAX + 2] = { strdup("sample") };
	int argc = 1, code, out, err;

	for (; row->args[argc - 1]; argc++)
		assert_non_null(argv[argc] = strdup(row->args[argc - 1]));
	(void)fflush(stdout);
	out = divert(STDOUT_FILENO, "out");
	err = divert(STDERR_FILENO, "err");
	optind = 0; /* getopt(3): begin anew */
	code = pw_options_start(options, &sample_schema, argc, argv, set);
	(void)fflush(stdout);
	restore(STDOUT_FILENO, out);
	restore(STDERR_FILENO, err);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return code;
}

static void check_text(const char *path, const char *begin)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	assert_int_equal(pw_file_read(&text, path, 100000), PW_OK);
	assert_int_equal(unlink(path), 0);
	if (begin[0] == '\0')
		assert_string_equal(pw_buf_text(&text), "");
	else if (!pw_str_starts(pw_buf_str(&text), pw_str_from(begin)))
		assert_string_equal(pw_buf_text(&text), begin);
}

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_settings_free) struct settings *set = NULL;
	struct pw_options options;

	assert_int_equal(start(row, &options, &set), row->code);
	assert_null(set);
	check_text("out", row->out);
	check_text("err", row->err);
}

static void what_runs_can_be_reloaded(void **state)
{
	static const struct row row = { "run", { "-c", "./live.conf" }, 0, "", "" };
	PW_AUTO(pw_settings_free) struct settings *set = NULL;
	PW_AUTO(pw_settings_free) struct settings *next = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf notes = { 0 };
	struct pw_options options;

	(void)state;
	assert_int_equal(pw_file_replace("live.conf", PW_STR("wait = 2s\n"), 0600),
	                 PW_OK);
	assert_int_equal(start(&row, &options, &set), PW_OPTIONS_RUN);
	check_text("out", "");
	check_text("err", "");
	assert_int_equal(set->wait_ms, 2000);
	options.config = "./live.conf"; /* argv of this test is gone */
	assert_int_equal(
		pw_file_replace("live.conf", PW_STR("wait = 3s\nwat = 1\n"), 0600),
		PW_OK);
	assert_int_equal(pw_options_reload(&options, &sample_schema, &next, set, &notes),
	                 PW_OK);
	assert_int_equal(next->wait_ms, 3000);
	assert_string_equal(pw_buf_text(&notes),
	                    "./live.conf:2: warning: unknown setting wat\n");
	pw_settings_free(&next);
	assert_int_equal(pw_file_replace("live.conf", PW_STR("wait = 0s\n"), 0600),
	                 PW_OK);
	assert_int_equal(pw_options_reload(&options, &sample_schema, &next, set, &notes),
	                 PW_ERR_CONFIG);
	assert_null(next);
	assert_int_equal(unlink("live.conf"), 0);
}

static int make_files(void **state)
{
	(void)state;
	if (!mkdtemp(folder) || chdir(folder) != 0)
		return -1;
	if (pw_file_replace("own.conf", PW_STR("most = 7\nlog_level = debug\n"), 0600) ||
	    pw_file_replace("postward.conf", PW_STR("log_level = error\n"), 0600) ||
	    pw_file_replace("empty.conf", PW_STR(""), 0600) ||
	    pw_file_replace("bad.conf", PW_STR("\nwat = 1\n"), 0600))
		return -1;
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	if (unlink("own.conf") || unlink("postward.conf") || unlink("empty.conf") ||
	    unlink("bad.conf") || chdir("/"))
		return -1;
	return rmdir(folder);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		cmocka_unit_test(what_runs_can_be_reloaded),
	};

	PW_TABLE_TESTS(tests, 1, rows, check);
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
