#include "../table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "origin/stamp/keyfile.h"

#define LINE                                                                             \
	"b2bc5b6f 2026-01-01 2027-01-01 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

struct row {
	const char *label, *content;
	mode_t mode;
	enum pw_status status;
	size_t count;
	const char *why;
};

static struct row rows[] = {
	{ "private", LINE, 0600, PW_OK, 1, "" },
	{ "read-only", LINE, 0400, PW_OK, 1, "" },
	{ "empty", "", 0600, PW_OK, 0, "" },
	{ "the group reads", LINE, 0640, PW_ERR_CONFIG, 0, "mode 0640" },
	{ "everybody reads", LINE, 0604, PW_ERR_CONFIG, 0, "mode 0604" },
	{ "the group writes", LINE, 0620, PW_ERR_CONFIG, 0, "mode 0620" },
	{ "broken", LINE "x\n", 0600, PW_ERR_CONFIG, 0, "line 2: not of four words" },
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	char path[] = "/tmp/pw-keyfile-XXXXXX";
	int fd = mkstemp(path);
	enum pw_status r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, row->content, strlen(row->content)),
	                 (ssize_t)strlen(row->content));
	assert_int_equal(fchmod(fd, row->mode), 0);
	close(fd);
	r = keyfile_load(&keys, path, &why);
	unlink(path);
	assert_int_equal(r, row->status);
	assert_int_equal(keys.count, row->count);
	assert_true(strstr(pw_buf_text(&why), row->why) != NULL);
	assert_null(strstr(pw_buf_text(&why), "AAECAwQ"));
}

static void check_paths(void **state)
{
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	(void)state;
	assert_int_equal(keyfile_load(&keys, "", &why), PW_OK);
	assert_int_equal(keys.count, 0);
	assert_int_equal(keyfile_load(&keys, "/nonexistent/keys", &why), PW_ERR_CONFIG);
	assert_string_equal(pw_buf_text(&why),
	                    "stamp_keys = /nonexistent/keys: No such file or directory");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		[PW_LEN(rows)] = cmocka_unit_test(check_paths),
	};

	PW_TABLE_TESTS(tests, 0, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
