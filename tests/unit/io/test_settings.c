#include "../table.h"

#include <string.h>

#include "sample.h"

struct row {
	const char *label, *shared, *own, *assign;
	enum pw_status status;
	const char *notes;
	const char *changed; /* what -n prints */
};

/* clang-format off */
static struct row rows[] = {
	{ "defaults", NULL, "", NULL, PW_OK, "", "" },
	{ "one of each", NULL,
	  "wait = 1500ms\nmost = 7\nroom = 3M\ndry_run = yes\non_error = dunno\ntitle = a b\nplace = /x\n", NULL,
	  PW_OK, "",
	  "wait = 1500ms\nmost = 7\nroom = 3M\ndry_run = yes\non_error = dunno\ntitle = a b\nplace = /x\n" },
	{ "a default set by hand is no change", NULL, "wait = 5000ms\nroom = 65536\n", NULL, PW_OK, "", "" },
	{ "own over shared, -o over own", "log_level = error\nlog_target = stderr\n", "log_level = debug\n", "log_target=syslog",
	  PW_OK, "", "log_level = debug\n" },
	{ "last -o name counts", NULL, "most = 5", "most = 6", PW_OK, "", "most = 6\n" },
	{ "$program in a path", NULL, "place = /a/$program/b", NULL, PW_OK, "", "place = /a/postward-sample/b\n" },
	{ "empty path", NULL, "place =", NULL, PW_OK, "", "place =\n" },
	{ "unknown", NULL, "\nwat = 1\n", NULL, PW_ERR_CONFIG, "own:2: error: unknown setting wat\n", NULL },
	{ "own name in the shared file", "wait = 5s\n", "", NULL, PW_ERR_CONFIG,
	  "shared:1: error: unknown setting wait (this file takes what all programs know)\n", NULL },
	{ "unknown -o", NULL, "", "wat=1", PW_ERR_CONFIG, "-o: error: unknown setting wat\n", NULL },
	{ "-o without =", NULL, "", "wat", PW_ERR_CONFIG, "-o: error: missing '='\n", NULL },
	{ "all errors at once", NULL, "most = 0\nwait = 5\n", NULL, PW_ERR_CONFIG,
	  "own:1: error: most is outside 1..10000\nown:2: error: wait wants a number with ms, s, m, h or d\n", NULL },
	{ "twice", NULL, "most = 3\nmost = 4\n", NULL, PW_OK,
	  "own:2: warning: most stands in line 1 too: this one counts\n", "most = 4\n" },
	{ "below", NULL, "wait = 999ms", NULL, PW_ERR_CONFIG, "own:1: error: wait is outside 1s..60s\n", NULL },
	{ "beyond int64", NULL, "wait = 99999999999999999999d", NULL, PW_ERR_CONFIG, "own:1: error: wait is outside 1s..60s\n", NULL },
	{ "beyond int64 by its unit", NULL, "room = 9223372036854775807G", NULL, PW_ERR_CONFIG, "own:1: error: room is outside 1..2G\n", NULL },
	{ "largest", NULL, "room = 2G", NULL, PW_OK, "", "room = 2G\n" },
	{ "one more", NULL, "room = 2147483649", NULL, PW_ERR_CONFIG, "own:1: error: room is outside 1..2G\n", NULL },
	{ "unit of nothing", NULL, "room = k", NULL, PW_ERR_CONFIG, "own:1: error: room wants a number, k, M or G may follow\n", NULL },
	{ "negative", NULL, "most = -1", NULL, PW_ERR_CONFIG, "own:1: error: most wants a number\n", NULL },
	{ "boolean", NULL, "dry_run = true", NULL, PW_ERR_CONFIG, "own:1: error: dry_run wants yes or no\n", NULL },
	{ "choice", NULL, "on_error = def", NULL, PW_ERR_CONFIG, "own:1: error: on_error wants one of defer|dunno\n", NULL },
	{ "text too long", NULL, "title = 123456789012345678901", NULL, PW_ERR_CONFIG, "own:1: error: title wants 0 to 20 bytes\n", NULL },
	{ "relative path", NULL, "place = x", NULL, PW_ERR_CONFIG, "own:1: error: place wants an absolute path\n", NULL },
	{ "rule between settings", NULL, "most = 1\ndry_run = yes", NULL, PW_ERR_CONFIG, "error: dry_run wants most above 1\n", NULL },
	{ "syntax stops a file", NULL, "most = 2\nnonsense\nmost = 0", NULL, PW_ERR_CONFIG, "own:2: error: missing '='\n", NULL },
};
/* clang-format on */

static enum pw_status build(struct settings **out, const struct row *row, const void *old,
                            struct pw_buf *notes)
{
	struct pw_settings_source sources[3];
	size_t n = 0;

	if (row->shared)
		sources[n++] =
			(struct pw_settings_source){ "shared", pw_str_from(row->shared),
			                             true };
	sources[n++] = (struct pw_settings_source){ "own", pw_str_from(row->own), false };
	if (row->assign)
		sources[n++] =
			(struct pw_settings_source){ "-o", pw_str_from(row->assign),
			                             false };
	return pw_settings_build(out, &sample_schema, sources, n, old, notes);
}

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_settings_free) struct settings *set = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf notes = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf changed = { 0 };

	assert_int_equal(build(&set, row, NULL, &notes), row->status);
	assert_string_equal(pw_buf_text(&notes), row->notes);
	assert_true((set != NULL) == (row->status == PW_OK));
	if (!set)
		return;
	pw_settings_print(&changed, &sample_schema, set, PW_SETTINGS_CHANGED);
	assert_string_equal(pw_buf_text(&changed), row->changed);
}

static void fields_have_their_values(void **state)
{
	static const struct row row = {
		.own = "wait = 2m\nroom = 1k\non_error = dunno\ntitle = x\ndry_run = yes"
	};
	PW_AUTO(pw_settings_free) struct settings *set = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf notes = { 0 };

	(void)state;
	assert_int_equal(build(&set, &row, NULL, &notes), PW_ERR_CONFIG); /* wait: 60s */
	pw_buf_reset(&notes);
	static const struct row good = {
		.own = "wait = 1m\nroom = 1k\non_error = dunno\ntitle = x\ndry_run = yes"
	};
	assert_int_equal(build(&set, &good, NULL, &notes), PW_OK);
	assert_int_equal(set->wait_ms, 60000);
	assert_int_equal(set->most, 500);
	assert_int_equal(set->room_bytes, 1024);
	assert_true(set->dry_run);
	assert_int_equal(set->on_error, 1);
	assert_string_equal(set->title, "x");
	assert_string_equal(set->place, "/run/postward-sample");
	assert_string_equal(set->common.state_directory, "/var/lib/postward-sample");
}

static void reload_keeps_what_wants_a_restart(void **state)
{
	static const struct row before = { .own = "most = 3\ntitle = one\nwait = 2s" };
	static const struct row after = {
		.own = "most = 4\ntitle = two\nwait = 3s\nwat = 1"
	};
	PW_AUTO(pw_settings_free) struct settings *old = NULL;
	PW_AUTO(pw_settings_free) struct settings *new = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf notes = { 0 };

	(void)state;
	assert_int_equal(build(&old, &before, NULL, &notes), PW_OK);
	assert_int_equal(build(&new, &after, old, &notes), PW_OK);
	pw_settings_free(&old); /* nothing of it is borrowed */
	assert_int_equal(new->most, 3);
	assert_string_equal(new->title, "one");
	assert_int_equal(new->wait_ms, 3000);
	assert_string_equal(pw_buf_text(&notes),
	                    "own:4: warning: unknown setting wat\n"
	                    "warning: most changed: counts after a restart\n"
	                    "warning: title changed: counts after a restart\n");
}

static void what_is_printed_reads_back(void **state)
{
	static const struct row row = {
		.own = "wait = 1001ms\nroom = 3k\ntitle = # a = b\n"
	};
	PW_AUTO(pw_settings_free) struct settings *first = NULL;
	PW_AUTO(pw_settings_free) struct settings *second = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf notes = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf twice = { 0 };

	(void)state;
	assert_int_equal(build(&first, &row, NULL, &notes), PW_OK);
	pw_settings_print(&once, &sample_schema, first, PW_SETTINGS_ALL);
	struct row again = { .own = pw_buf_text(&once) };
	assert_int_equal(build(&second, &again, NULL, &notes), PW_OK);
	pw_settings_print(&twice, &sample_schema, second, PW_SETTINGS_ALL);
	assert_string_equal(pw_buf_text(&once), pw_buf_text(&twice));
	assert_non_null(strstr(pw_buf_text(&once), "title = # a = b\n"));
}

static void sample_is_all_comments(void **state)
{
	PW_AUTO(pw_settings_free) struct settings *set = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf notes = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	(void)state;
	pw_settings_sample(&text, &sample_schema);
	assert_non_null(strstr(pw_buf_text(&text),
	                       "# How long.\n# (1s..60s; reload)\n#wait = 5s\n"));
	struct row row = { .own = pw_buf_text(&text) };
	assert_int_equal(build(&set, &row, NULL, &notes), PW_OK);
	assert_string_equal(pw_buf_text(&notes), "");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 4] = {
		cmocka_unit_test(fields_have_their_values),
		cmocka_unit_test(reload_keeps_what_wants_a_restart),
		cmocka_unit_test(what_is_printed_reads_back),
		cmocka_unit_test(sample_is_all_comments),
	};

	PW_TABLE_TESTS(tests, 4, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
