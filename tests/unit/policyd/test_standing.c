/* The bounds of the table; what it decides stands in tests/scenario/policyd. */
#include "../table.h"

#include "policyd/standing.h"

#define ANN PW_STR("ann@example.test")
#define HOME PW_STR("192.0.2.7")

static const uint8_t seed[16] = { 7 };

static struct standing *new_standing(void)
{
	struct standing *standing = NULL;

	assert_int_equal(standing_new(&standing, seed), PW_OK);
	return standing;
}

static struct pw_str number(char room[30], const char *format, int i)
{
	snprintf(room, 30, "%s%d", format, i);
	return pw_str_from(room);
}

/* So many clients later, who was seen last is remembered and who was idle is not. */
static void test_clients_bounded(void **state)
{
	PW_AUTO(standing_free) struct standing *standing = new_standing();
	char room[30];

	(void)state;
	standing_note_login(standing, ANN, HOME, 1000);
	assert_false(standing_is_old(standing, ANN, HOME, 1, 1001));
	for (int i = 0; i < STANDING_CLIENTS_MAX; i++) {
		standing_note_login(standing, ANN, number(room, "home", i), 2000);
		if (i == STANDING_CLIENTS_MAX / 2)
			assert_false(standing_is_old(standing, ANN, HOME, 1, 2001));
	}
	standing_note_change(standing, ANN, false, 5000);
	/* known: old; "home0" made room for the last one, it is asked once */
	assert_true(standing_is_old(standing, ANN, HOME, 1, 9000));
	assert_true(standing_is_old(standing, ANN, PW_STR("home0"), 1, 9000));
	assert_false(standing_is_old(standing, ANN, PW_STR("home0"), 2, 9001));
}

static void test_changes_bounded(void **state)
{
	PW_AUTO(standing_free) struct standing *standing = new_standing();
	char room[30];

	(void)state;
	standing_note_change(standing, ANN, true, 1000);
	standing_note_change(standing, PW_STR("bob@example.test"), true, 1000);
	standing_note_change(standing, ANN, true, 1000); /* the younger of the two now */
	for (int i = 0; i < STANDING_CHANGES_MAX - 1; i++)
		standing_note_change(standing, number(room, "u", i), false, 2000);
	assert_false(standing_is_gone(standing, PW_STR("bob@example.test"), 2001));
	assert_true(standing_is_gone(standing, ANN, 2001));
}

/* More sessions at once than are remembered: the busy one stays known. */
static void test_sessions_bounded(void **state)
{
	PW_AUTO(standing_free) struct standing *standing = new_standing();

	(void)state;
	standing_note_change(standing, ANN, false, 1000);
	standing_note_login(standing, ANN, HOME, 4000);
	assert_false(standing_is_old(standing, ANN, HOME, 1, 4001));
	for (int port = 2; port < 100; port++) {
		standing_note_login(standing, ANN, HOME, 4000 + port);
		assert_false(standing_is_old(standing, ANN, HOME, port, 5000 + port));
		assert_false(standing_is_old(standing, ANN, HOME, 1, 5000 + port));
	}
}

/* A domain's change counts for its logins, the younger of the two wins. */
static void test_domain(void **state)
{
	PW_AUTO(standing_free) struct standing *standing = new_standing();

	(void)state;
	standing_note_change(standing, PW_STR("@example.test"), true, 1000);
	assert_true(standing_is_gone(standing, ANN, 1001));
	assert_false(standing_is_gone(standing, PW_STR("ann@sub.example.test"), 1001));
	assert_false(standing_is_gone(standing, PW_STR("ann"), 1001));
	standing_note_change(standing, ANN, false, 2000);
	assert_false(standing_is_gone(standing, ANN, 2001));
	standing_note_change(standing, PW_STR(""), true, 3000);
	assert_false(standing_is_gone(standing, PW_STR("ann"), 3001));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients_bounded),
		cmocka_unit_test(test_changes_bounded),
		cmocka_unit_test(test_sessions_bounded),
		cmocka_unit_test(test_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
