#include "../table.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "origin/fallback/spool.h"

static void take(void *user, struct pw_str bytes)
{
	pw_buf_puts(user, bytes);
}

static void make_folder(char *name)
{
	assert_non_null(mkdtemp(name));
}

static size_t files_in(const char *folder)
{
	DIR *dir = opendir(folder);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count - 2; /* . and .. */
}

struct row {
	const char *label;
	size_t piece, pieces;
};
static struct row rows[] = {
	{ "nothing", 0, 0 },
	{ "small: no file", 10, 10 },
	{ "grown over the buffer", 700, 100 },
	{ "one large piece", 100000, 1 },
	{ "large pieces", 5000, 20 },
};

static void comes_back_as_it_was(void **state)
{
	const struct row *row = *state;
	char folder[] = "/tmp/pw-spool-XXXXXX";
	PW_AUTO(spool_done) struct spool spool = { .folder = folder };
	PW_AUTO(pw_buf_done) struct pw_buf wanted = { 0 }, got = { 0 };

	make_folder(folder);
	for (int round = 0; round < 2; round++) {
		spool_reset(&spool);
		pw_buf_reset(&wanted);
		for (size_t i = 0; i < row->pieces; i++) {
			size_t start = wanted.len;

			for (size_t n = 0; n < row->piece; n++)
				pw_buf_putc(&wanted, (char)(i + n));
			spool_write(&spool,
			            pw_str_sub(pw_buf_str(&wanted), start, row->piece));
		}
		assert_int_equal(spool_status(&spool), PW_OK);
		assert_int_equal(spool.is_open, wanted.len > SPOOL_MEMORY);
		for (int again = 0; again < 2; again++) {
			pw_buf_reset(&got);
			assert_int_equal(spool_read(&spool, take, &got), PW_OK);
			assert_true(pw_str_eq(pw_buf_str(&got), pw_buf_str(&wanted)));
		}
		assert_int_equal(files_in(folder), 0);
	}
	assert_int_equal(rmdir(folder), 0);
}

static void a_full_disk_is_a_limit(void **state)
{
	char folder[] = "/tmp/pw-spool-XXXXXX";
	PW_AUTO(spool_done) struct spool spool = { .folder = folder };
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	const struct rlimit small = { 20000, RLIM_INFINITY };
	static char bytes[30000];

	(void)state;
	make_folder(folder);
	(void)signal(SIGXFSZ, SIG_IGN); /* EFBIG stands for ENOSPC */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	spool_write(&spool, (struct pw_str){ bytes, sizeof(bytes) });
	spool_write(&spool, PW_STR("more"));
	assert_int_equal(spool_status(&spool), PW_ERR_LIMIT);
	assert_int_equal(spool_read(&spool, take, &got), PW_ERR_LIMIT);
	spool_reset(&spool);
	spool_write(&spool, PW_STR("again"));
	assert_int_equal(spool_read(&spool, take, &got), PW_OK);
	assert_string_equal(pw_buf_text(&got), "again");
	assert_int_equal(rmdir(folder), 0);
}

static void no_folder_is_an_error(void **state)
{
	PW_AUTO(spool_done) struct spool spool = { .folder = "/nonexistent/folder" };
	static char bytes[SPOOL_MEMORY + 1];

	(void)state;
	spool_write(&spool, (struct pw_str){ bytes, sizeof(bytes) });
	assert_int_equal(spool_status(&spool), PW_ERR_NOTFOUND);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 2];

	PW_TABLE_TESTS(tests, 0, rows, comes_back_as_it_was);
	tests[PW_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(a_full_disk_is_a_limit);
	tests[PW_LEN(rows) + 1] =
		(struct CMUnitTest)cmocka_unit_test(no_folder_is_an_error);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
