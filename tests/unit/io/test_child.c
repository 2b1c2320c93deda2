/* Programs run without a shell. */
#include "../table.h"

#include <signal.h>
#include <stdlib.h>

#include "io/child.h"
#include "io/clock.h"

#define PATIENCE_MS 60000

static void words_go_in_and_come_out(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 }, err = { 0 };
	const char *const argv[] = { "sh", "-c", "cat; echo no >&2; exit 3", NULL };
	int code;

	(void)state;
	assert_int_equal(
		pw_child_run(argv, PW_STR("in\n"), &out, &err, PATIENCE_MS, &code),
		PW_OK);
	assert_int_equal(code, 3);
	assert_string_equal(pw_buf_text(&out), "in\n");
	assert_string_equal(pw_buf_text(&err), "no\n");
}

/* More than any pipe holds, in both directions at once. */
static void megabytes_pass(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf in = { 0 }, out = { 0 };
	const char *const argv[] = { "cat", NULL };
	int code;

	(void)state;
	for (int i = 0; i < 300000; i++)
		pw_buf_printf(&in, "%09d\n", i);
	assert_int_equal(
		pw_child_run(argv, pw_buf_str(&in), &out, NULL, PATIENCE_MS, &code),
		PW_OK);
	assert_int_equal(code, 0);
	assert_true(pw_str_eq(pw_buf_str(&in), pw_buf_str(&out)));
}

static void input_may_be_left_unread(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf in = { 0 };
	const char *const argv[] = { "true", NULL };
	int code;

	(void)state;
	for (int i = 0; i < 100000; i++)
		pw_buf_puts(&in, PW_STR("nobody reads this\n"));
	assert_int_equal(
		pw_child_run(argv, pw_buf_str(&in), NULL, NULL, PATIENCE_MS, &code),
		PW_OK);
	assert_int_equal(code, 0);
}

static void output_ends_at_the_limit(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	const char *const argv[] = { "sh", "-c", "head -c 100000 /dev/zero; exit 0",
		                     NULL };
	int code;

	(void)state;
	pw_buf_init(&out, 1000);
	assert_int_equal(
		pw_child_run(argv, (struct pw_str){ 0 }, &out, NULL, PATIENCE_MS, &code),
		PW_OK);
	assert_int_equal(code, 0);
	assert_int_equal(pw_buf_status(&out), PW_ERR_LIMIT);
}

static void a_signal_shows(void **state)
{
	const char *const argv[] = { "sh", "-c", "kill -TERM $$", NULL };
	int code;

	(void)state;
	assert_int_equal(
		pw_child_run(argv, (struct pw_str){ 0 }, NULL, NULL, PATIENCE_MS, &code),
		PW_OK);
	assert_int_equal(code, 128 + SIGTERM);
}

static void what_is_not_there_is_told(void **state)
{
	const char *const argv[] = { "no-such-program-of-ours", NULL };
	int code;

	(void)state;
	assert_int_equal(
		pw_child_run(argv, (struct pw_str){ 0 }, NULL, NULL, PATIENCE_MS, &code),
		PW_ERR_NOTFOUND);
	assert_int_equal(code, 127);
}

/* chroot(8) is of the coreutils, which every system has. */
static void what_path_lacks_is_found_in_sbin(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	const char *const argv[] = { "chroot", "--version", NULL };
	int code;

	(void)state;
	pw_buf_puts(&path, pw_str_from(getenv("PATH")));
	assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
	assert_int_equal(
		pw_child_run(argv, (struct pw_str){ 0 }, NULL, NULL, PATIENCE_MS, &code),
		PW_OK);
	assert_int_equal(setenv("PATH", pw_buf_text(&path), 1), 0);
	assert_int_equal(code, 0);
}

/* One that is silent, and one that closed its outputs. */
static void the_deadline_ends_it(void **state)
{
	static const char *const scripts[] = { "exec sleep 1000",
		                               "exec sleep 1000 >&- 2>&-" };
	int code;

	(void)state;
	for (size_t i = 0; i < PW_LEN(scripts); i++) {
		const char *const argv[] = { "sh", "-c", scripts[i], NULL };

		assert_int_equal(
			pw_child_run(argv, (struct pw_str){ 0 }, NULL, NULL, 200, &code),
			PW_ERR_TIMEOUT);
	}
}

/* A daemon that it leaves behind keeps the outputs open. */
static void what_it_leaves_is_not_waited_for(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	const char *const argv[] = { "sh", "-c", "sleep 30 & echo started", NULL };
	int64_t begin_ms = pw_clock_mono_ms();
	int code;

	(void)state;
	assert_int_equal(
		pw_child_run(argv, (struct pw_str){ 0 }, &out, NULL, PATIENCE_MS, &code),
		PW_OK);
	assert_string_equal(pw_buf_text(&out), "started\n");
	assert_true(pw_clock_mono_ms() - begin_ms < 25000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_go_in_and_come_out),
		cmocka_unit_test(megabytes_pass),
		cmocka_unit_test(input_may_be_left_unread),
		cmocka_unit_test(output_ends_at_the_limit),
		cmocka_unit_test(a_signal_shows),
		cmocka_unit_test(what_is_not_there_is_told),
		cmocka_unit_test(what_path_lacks_is_found_in_sbin),
		cmocka_unit_test(the_deadline_ends_it),
		cmocka_unit_test(what_it_leaves_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
