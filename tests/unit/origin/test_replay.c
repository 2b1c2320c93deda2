#include "../table.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "io/file.h"
#include "io/log.h"
#include "origin/stamp/replay.h"

#define NOW ((int64_t)1780000000)

static struct pw_stamp_keys keys;
static char folder[64];
static const struct pw_str both[] = { { "<ann@example.test>", 18 },
	                              { "bob@example.test", 16 } };

static int enter(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	(void)state;
	strcpy(folder, "/tmp/pw-replay-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(pw_stamp_keys_parse(
				 &keys,
				 PW_STR("b2bc5b6f 2026-01-01 2027-01-01 "
	                                "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
				 &why),
	                 PW_OK);
	return 0;
}

static const char *file(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static int leave(void **state)
{
	(void)state;
	unlink(file("replay.table"));
	unlink(file("replay.table.broken"));
	rmdir(folder);
	return 0;
}

static struct pw_stamp stamp(uint8_t number, uint8_t digest, int64_t at_s)
{
	uint8_t nonce[PW_STAMP_NONCE] = { number };
	struct pw_stamp s;

	pw_stamp_begin(&s, &keys.keys[0], nonce, PW_STR("<>"));
	s.facts.at_s = at_s;
	s.digest[0] = digest;
	return s;
}

static enum replay_verdict check(struct replay *replay, struct pw_stamp s, size_t first,
                                 size_t count)
{
	return replay_check(replay, &s, both + first, count, NOW);
}

static void check_deliveries(void **state)
{
	PW_AUTO(replay_close) struct replay *replay = NULL;

	(void)state;
	assert_int_equal(replay_open(&replay, folder, NOW - 60), PW_OK);
	/* Postfix splits a message: each recipient is a delivery of its own */
	assert_int_equal(check(replay, stamp(1, 1, NOW), 0, 1), REPLAY_NEW);
	assert_int_equal(check(replay, stamp(1, 1, NOW), 1, 1), REPLAY_NEW);
	assert_int_equal(check(replay, stamp(1, 1, NOW), 1, 1), REPLAY_SAME);
	assert_int_equal(check(replay, stamp(1, 2, NOW), 0, 2), REPLAY_OTHER);
	assert_int_equal(check(replay, stamp(2, 1, NOW), 0, 1), REPLAY_NEW);
	/* one of two was here */
	assert_int_equal(check(replay, stamp(2, 1, NOW), 0, 2), REPLAY_SAME);
	/* another message is not remembered */
	assert_int_equal(check(replay, stamp(2, 3, NOW), 0, 1), REPLAY_OTHER);
	assert_int_equal(check(replay, stamp(2, 1, NOW), 0, 1), REPLAY_SAME);
	/* stamped before there was a table */
	assert_int_equal(check(replay, stamp(3, 1, NOW - 61), 0, 1), REPLAY_UNSURE);
}

static void check_restart(void **state)
{
	PW_AUTO(replay_close) struct replay *replay = NULL;

	(void)state;
	assert_int_equal(replay_open(&replay, folder, NOW - 60), PW_OK);
	assert_int_equal(check(replay, stamp(1, 1, NOW), 0, 1), REPLAY_NEW);
	replay_close(&replay);
	assert_int_equal(replay_open(&replay, folder, NOW), PW_OK);
	assert_int_equal(check(replay, stamp(1, 1, NOW), 0, 1), REPLAY_SAME);
	assert_int_equal(check(replay, stamp(2, 1, NOW), 0, 1), REPLAY_NEW);
}

static void check_kill(void **state)
{
	PW_AUTO(replay_close) struct replay *replay = NULL;
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		if (replay_open(&replay, folder, NOW - 60) == PW_OK &&
		    check(replay, stamp(1, 1, NOW), 0, 1) == REPLAY_NEW)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(replay_open(&replay, folder, NOW - 60), PW_OK);
	assert_int_equal(check(replay, stamp(1, 1, NOW), 0, 1), REPLAY_SAME);
	assert_int_equal(check(replay, stamp(2, 1, NOW), 0, 1), REPLAY_NEW);
}

static void check_broken(void **state)
{
	PW_AUTO(replay_close) struct replay *replay = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(pw_file_replace(file("replay.table"), PW_STR("no table"), 0600),
	                 PW_OK);
	assert_int_equal(replay_open(&replay, folder, NOW), PW_OK);
	assert_int_equal(stat(file("replay.table.broken"), &st), 0);
	/* whatever was stamped until now may have been here */
	assert_int_equal(check(replay, stamp(1, 1, NOW), 0, 1), REPLAY_UNSURE);
	assert_int_equal(check(replay, stamp(2, 1, NOW + PW_STAMP_SKEW_S + 1), 0, 1),
	                 REPLAY_NEW);
	replay_close(&replay);
	assert_int_equal(replay_open(&replay, folder, NOW), PW_OK);
	assert_int_equal(check(replay, stamp(1, 1, NOW), 0, 1), REPLAY_SAME);
}

static void check_no_folder(void **state)
{
	PW_AUTO(replay_close) struct replay *replay = NULL;

	(void)state;
	assert_int_equal(replay_open(&replay, "/nonexistent", NOW - 3600), PW_OK);
	assert_int_equal(check(replay, stamp(1, 1, NOW), 0, 1), REPLAY_NEW);
	assert_int_equal(check(replay, stamp(1, 1, NOW), 0, 1), REPLAY_SAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(check_deliveries, enter, leave),
		cmocka_unit_test_setup_teardown(check_restart, enter, leave),
		cmocka_unit_test_setup_teardown(check_kill, enter, leave),
		cmocka_unit_test_setup_teardown(check_broken, enter, leave),
		cmocka_unit_test_setup_teardown(check_no_folder, enter, leave),
	};

	pw_log_open("test", PW_LOG_TO_STDERR, PW_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
