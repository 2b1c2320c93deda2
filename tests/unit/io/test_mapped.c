#include "../table.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "io/mapped.h"

#define LEN 8192
#define MAGIC 'M'

static enum pw_status make(void *user, void *at, enum pw_mapped_source source)
{
	enum pw_status *answer = user;

	(void)source;
	for (size_t i = 0; i < LEN; i++)
		assert_int_equal(((char *)at)[i], 0);
	*(char *)at = MAGIC;
	return *answer;
}

static enum pw_status take(void *user, void *at)
{
	(void)user;
	return *(char *)at == MAGIC ? PW_OK : PW_ERR_SYNTAX;
}

/* What lies there before, and what comes of it. */
struct row {
	const char *label, *content;
	size_t len;
	enum pw_mapped_source source;
	enum pw_status why;
	bool is_aside;
};

static struct row rows[] = {
	{ "nothing", NULL, 0, PW_MAPPED_NEW, PW_OK, false },
	{ "one of ours", "M", LEN, PW_MAPPED_OLD, PW_OK, false },
	{ "another's", "X", LEN, PW_MAPPED_ASIDE, PW_ERR_SYNTAX, true },
	{ "of another length", "M", LEN - 1, PW_MAPPED_ASIDE, PW_ERR_SYNTAX, true },
	{ "empty", "", 0, PW_MAPPED_ASIDE, PW_ERR_SYNTAX, true },
};

static char folder[64], path[128], aside[160];

static int enter(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/pw-mapped-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/block", folder);
	snprintf(aside, sizeof(aside), "%s.broken", path);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	unlink(path);
	unlink(aside);
	rmdir(folder);
	return 0;
}

static void must_open(struct pw_mapped *out, const char *where,
                      enum pw_mapped_source want, enum pw_status want_why)
{
	enum pw_status ok = PW_OK, why = PW_OK;
	const struct pw_mapped_owner owner = { &ok, make, take };
	enum pw_mapped_source source;

	assert_int_equal(pw_mapped_open(out, where, LEN, &owner, &source, &why), PW_OK);
	assert_int_equal(source, want);
	assert_int_equal(why, want_why);
	assert_int_equal(out->len, LEN);
}

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_mapped_close) struct pw_mapped mapped = { 0 };
	char content[LEN] = { 0 };
	struct stat st;

	if (row->content) {
		memcpy(content, row->content, strlen(row->content));
		assert_int_equal(
			pw_file_replace(path, (struct pw_str){ content, row->len }, 0600),
			PW_OK);
	}
	must_open(&mapped, path, row->source, row->why);
	assert_int_equal(stat(aside, &st) == 0, row->is_aside);
	((char *)mapped.at)[LEN - 1] = 'z';
	pw_mapped_close(&mapped);
	must_open(&mapped, path, PW_MAPPED_OLD, PW_OK);
	assert_int_equal(((char *)mapped.at)[LEN - 1], 'z');
	pw_mapped_sync(&mapped);
}

static void check_no_file(void **state)
{
	PW_AUTO(pw_mapped_close) struct pw_mapped mapped = { 0 };

	(void)state;
	must_open(&mapped, "/nonexistent/block", PW_MAPPED_MEMORY, PW_ERR_NOTFOUND);
	/* a link could lead anywhere */
	assert_int_equal(symlink("/etc/passwd", path), 0);
	pw_mapped_close(&mapped);
	must_open(&mapped, path, PW_MAPPED_MEMORY, PW_ERR_IO);
}

static void check_owner_fails(void **state)
{
	struct pw_mapped mapped = { 0 };
	enum pw_status bad = PW_ERR_CRYPTO, why;
	const struct pw_mapped_owner owner = { &bad, make, take };
	enum pw_mapped_source source;
	struct stat st;

	(void)state;
	assert_int_equal(pw_mapped_open(&mapped, path, LEN, &owner, &source, &why),
	                 PW_ERR_CRYPTO);
	assert_null(mapped.at);
	assert_int_not_equal(stat(path, &st), 0);
}

int main(void)
{
	enum { ROWS = PW_LEN(rows) };
	struct CMUnitTest tests[ROWS + 2] = {
		[ROWS] = { "no file", check_no_file, enter, leave, NULL },
		[ROWS + 1] = { "the owner fails", check_owner_fails, enter, leave, NULL },
	};

	PW_TABLE_TESTS(tests, 0, rows, check);
	for (size_t i = 0; i < ROWS; i++) {
		tests[i].setup_func = enter;
		tests[i].teardown_func = leave;
	}
	for (size_t i = 0; i < ROWS; i++)
		tests[i].initial_state = &rows[i];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
