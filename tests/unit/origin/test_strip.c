#include "../table.h"

#include <string.h>

#include "origin/strip.h"

/* Fields of a message, '+' before those that stay; and what is deleted. */
struct row {
	const char *label, *fields, *deleted;
};

static struct row rows[] = {
	{ "none", "", "" },
	{ "one", "Postward-Origin", "Postward-Origin 1 " },
	{ "several of one name", "Postward-Origin,postward-origin,Postward-Client",
	  "Postward-Origin 1 postward-origin 2 Postward-Client 1 " },
	{ "kept ones count",
	  "+Postward-Retry,Postward-Retry,+postward-RETRY,Postward-Retry",
	  "Postward-Retry 2 Postward-Retry 4 " },
	{ "a name that begins like another", "Postward-Origin,Postward-Origin2",
	  "Postward-Origin 1 Postward-Origin2 1 " },
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(strip_done) struct strip strip = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	struct pw_str fields = pw_str_from(row->fields);
	struct kit_edit edits[STRIP_MAX];
	size_t count;

	strip_see(&strip, PW_STR("Postward-Before"), false);
	strip_reset(&strip);
	while (fields.at && fields.len > 0) {
		struct pw_str name = pw_str_cut(&fields, ',');
		bool is_kept = name.at[0] == '+';

		name = pw_str_sub(name, is_kept, name.len);
		assert_true(strip_is_ours(name));
		strip_see(&strip, name, is_kept);
	}
	assert_int_equal(strip_plan(&strip, edits, &count), PW_OK);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(edits[i].kind, KIT_DELETE);
		pw_buf_printf(&got, "%s %d ", edits[i].name, edits[i].index);
	}
	assert_string_equal(pw_buf_text(&got), row->deleted);
}

static void check_names(void **state)
{
	(void)state;
	assert_true(strip_is_ours(PW_STR("POSTWARD-x")));
	assert_false(strip_is_ours(PW_STR("Postward")));
	assert_false(strip_is_ours(PW_STR("X-Postward-Refused")));
}

static void check_limit(void **state)
{
	PW_AUTO(strip_done) struct strip strip = { 0 };
	struct kit_edit edits[STRIP_MAX];
	size_t count;

	(void)state;
	for (int i = 0; i < STRIP_MAX; i++)
		strip_see(&strip, PW_STR("Postward-Origin"), false);
	assert_int_equal(strip_plan(&strip, edits, &count), PW_OK);
	assert_int_equal(count, STRIP_MAX);
	strip_see(&strip, PW_STR("Postward-Origin"), false);
	assert_int_equal(strip_plan(&strip, edits, &count), PW_ERR_LIMIT);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 2] = {
		[PW_LEN(rows)] = cmocka_unit_test(check_names),
		[PW_LEN(rows) + 1] = cmocka_unit_test(check_limit),
	};

	PW_TABLE_TESTS(tests, 0, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
