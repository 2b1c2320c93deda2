/* What a process sees that is somebody. */
#include "../table.h"

#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/identity.h"

static int is_home(void *wanted)
{
	const char *home = getenv("HOME");

	return home != NULL && strcmp(home, wanted) == 0;
}

/* Everybody can at least be oneself. */
static void home_is_the_users(void **state)
{
	const struct passwd *user = getpwuid(geteuid());
	struct identity who;
	int code = -1;

	(void)state;
	assert_non_null(user);
	assert_int_equal(identity_find(&who, pw_str_from(user->pw_name)), PW_OK);
	assert_int_equal(setenv("HOME", "/of/somebody/else", 1), 0);
	assert_int_equal(identity_run(&who, NULL, "/", is_home, user->pw_dir, &code),
	                 PW_OK);
	assert_int_equal(code, 1);
	assert_string_equal(getenv("HOME"), "/of/somebody/else");
}

/* How it ended is not known then, and not knowing is not success. */
static void an_end_nobody_saw_is_an_error(void **state)
{
	const struct passwd *user = getpwuid(geteuid());
	struct identity who;
	int code = -1;

	(void)state;
	assert_int_equal(identity_find(&who, pw_str_from(user->pw_name)), PW_OK);
	(void)signal(SIGCHLD, SIG_IGN);
	assert_int_equal(identity_run(&who, NULL, "/", is_home, user->pw_dir, &code),
	                 PW_ERR_IO);
	(void)signal(SIGCHLD, SIG_DFL);
	assert_int_equal(code, -1);
}

static void numbers_are_users_too(void **state)
{
	struct identity who;

	(void)state;
	assert_int_equal(identity_find(&who, PW_STR("61999")), PW_OK);
	assert_int_equal(who.uid, 61999);
	assert_string_equal(who.home, "");
	assert_int_equal(identity_find(&who, PW_STR("-1")), PW_ERR_NOTFOUND);
	assert_int_equal(identity_find(&who, PW_STR("4294967295")), PW_ERR_NOTFOUND);
	assert_int_equal(identity_find(&who, PW_STR("no-such-user-of-ours")),
	                 PW_ERR_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(home_is_the_users),
		cmocka_unit_test(an_end_nobody_saw_is_an_error),
		cmocka_unit_test(numbers_are_users_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
