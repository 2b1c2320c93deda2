#include "../table.h"

#include <string.h>

#include "quota/book.h"

#define ANN PW_STR("ann@example.test")

static struct usage_entry *join(struct usage_book *book, struct pw_str name)
{
	struct usage_entry *entry = NULL;

	assert_int_equal(usage_book_join(book, &entry, name), PW_OK);
	return entry;
}

static void count(struct usage_entry *entry, int64_t bytes, int64_t began_us)
{
	usage_book_count(entry, &(struct usage_count){ bytes, 1, began_us });
}

static void take(struct usage_book *book, const char *line)
{
	assert_int_equal(usage_book_take(book, pw_str_from(line)), PW_OK);
}

static void expect_sent(struct usage_book *book, const char *lines)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	assert_int_equal(usage_book_put(book, &out), PW_OK);
	assert_string_equal(pw_buf_text(&out), lines);
}

static int setup(void **state)
{
	return usage_book_new((struct usage_book **)state) == PW_OK ? 0 : -1;
}

static int teardown(void **state)
{
	usage_book_free((struct usage_book **)state);
	return 0;
}

static void a_user_is_watched_once_and_left_at_the_end(void **state)
{
	struct usage_book *book = *state;
	struct usage_entry *ann = join(book, ANN);

	assert_ptr_equal(join(book, ANN), ann);
	expect_sent(book, "watch\tann@example.test\n");
	expect_sent(book, "");
	usage_book_leave(book, ann);
	expect_sent(book, "");
	usage_book_leave(book, ann);
	expect_sent(book, "leave\tann@example.test\n");
	assert_false(usage_book_is_busy(book));
}

static void limits_are_learnt_and_stay(void **state)
{
	struct usage_book *book = *state;
	struct usage_entry *ann = join(book, ANN);

	expect_sent(book, "watch\tann@example.test\n");
	assert_false(ann->is_answered);
	take(book, "limit\tann@example.test\t5\t6\t7");
	assert_true(ann->is_answered && ann->has_limits);
	assert_int_equal(ann->limits.bytes, 5);
	assert_int_equal(ann->limits.messages, 6);
	assert_int_equal(ann->limits.grace_bytes, 7);
	take(book, "unknown\tann@example.test");
	take(book, "fail\tann@example.test");
	take(book, "limit\tbob@example.test\t1\t1\t1"); /* left meanwhile */
	usage_book_disconnect(book);
	assert_int_equal(ann->limits.bytes, 5);
	assert_false(ann->is_answered);
	expect_sent(book, "watch\tann@example.test\n");
}

static void usage_is_sent_until_it_has_arrived(void **state)
{
	struct usage_book *book = *state;
	struct usage_entry *ann = join(book, ANN);

	count(ann, 100, 10);
	expect_sent(book,
	            "watch\tann@example.test\nusage\tann@example.test\t100\t1\t10\n");
	usage_book_disconnect(book);
	expect_sent(book,
	            "watch\tann@example.test\nusage\tann@example.test\t100\t1\t10\n");
	take(book, "told\tann@example.test\t10");
	usage_book_disconnect(book);
	expect_sent(book, "watch\tann@example.test\n");
}

static void the_newest_count_alone_is_sent(void **state)
{
	struct usage_book *book = *state;
	struct usage_entry *ann = join(book, ANN);

	count(ann, 100, 10);
	count(ann, 200, 20);
	count(ann, 150, 15); /* of an older look */
	expect_sent(book,
	            "watch\tann@example.test\nusage\tann@example.test\t200\t1\t20\n");
	count(ann, 300, 30);
	expect_sent(book, "usage\tann@example.test\t300\t1\t30\n");
	take(book, "told\tann@example.test\t20");
	usage_book_disconnect(book); /* 300 may not have arrived */
	expect_sent(book,
	            "watch\tann@example.test\nusage\tann@example.test\t300\t1\t30\n");
}

static void who_has_left_is_kept_until_the_last_count_arrived(void **state)
{
	struct usage_book *book = *state;
	struct usage_entry *ann = join(book, ANN);

	expect_sent(book, "watch\tann@example.test\n");
	usage_book_disconnect(book);
	count(ann, 100, 10);
	usage_book_leave(book, ann);
	assert_true(usage_book_is_busy(book));
	expect_sent(book, "usage\tann@example.test\t100\t1\t10\n");
	assert_true(usage_book_is_busy(book));
	take(book, "told\tann@example.test\t10");
	assert_false(usage_book_is_busy(book));
}

static void who_comes_back_is_the_same(void **state)
{
	struct usage_book *book = *state;
	struct usage_entry *ann = join(book, ANN);

	count(ann, 100, 10);
	usage_book_leave(book, ann);
	assert_ptr_equal(join(book, ANN), ann);
	expect_sent(book,
	            "watch\tann@example.test\nusage\tann@example.test\t100\t1\t10\n");
	usage_book_leave(book, ann);
	(void)join(book, ANN); /* before the leave was sent: nothing to say */
	expect_sent(book, "");
}

static void what_policyd_cannot_take_is_sent_later(void **state)
{
	struct usage_book *book = *state;
	struct usage_entry *ann = join(book, ANN);

	count(ann, 100, 10);
	expect_sent(book,
	            "watch\tann@example.test\nusage\tann@example.test\t100\t1\t10\n");
	take(book, "fail\tann@example.test");
	assert_true(usage_book_is_put_off(book));
	expect_sent(book, "");
	usage_book_retry(book);
	expect_sent(book, "usage\tann@example.test\t100\t1\t10\n");
	take(book, "unknown\tann@example.test"); /* deleted: nobody wants to know */
	usage_book_disconnect(book);
	expect_sent(book, "watch\tann@example.test\n");
}

static void those_left_over_are_bounded_the_oldest_goes(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct usage_book *book = *state;
	char name[32];

	for (int i = 0; i < USAGE_BOOK_LEFT_MAX + 10; i++) {
		struct usage_entry *entry;

		(void)snprintf(name, sizeof(name), "user%03d", i);
		entry = join(book, pw_str_from(name));
		count(entry, i, 10);
		usage_book_leave(book, entry);
	}
	assert_int_equal(usage_book_put(book, &out), PW_OK);
	assert_null(strstr(pw_buf_text(&out), "user009"));
	assert_non_null(strstr(pw_buf_text(&out), "user010"));
	assert_non_null(strstr(pw_buf_text(&out), "user265"));
}

static void a_name_that_cannot_be_said_is_refused(void **state)
{
	struct usage_book *book = *state;
	struct usage_entry *entry = NULL;
	char longest[USAGE_LINE_MAX];

	memset(longest, 'u', sizeof(longest));
	assert_int_equal(usage_book_join(book, &entry, PW_STR("a\tb")), PW_ERR_SYNTAX);
	assert_int_equal(usage_book_join(book, &entry, PW_STR("")), PW_ERR_SYNTAX);
	assert_int_equal(
		usage_book_join(book, &entry,
	                        (struct pw_str){ longest, sizeof(longest) - 40 }),
		PW_ERR_LIMIT);
	assert_false(usage_book_is_busy(book));
}

static void what_is_no_line_ends_the_connection(void **state)
{
	struct usage_book *book = *state;

	assert_int_equal(usage_book_take(book, PW_STR("ok\t5\t6")), PW_ERR_PROTOCOL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_user_is_watched_once_and_left_at_the_end),
		TEST(limits_are_learnt_and_stay),
		TEST(usage_is_sent_until_it_has_arrived),
		TEST(the_newest_count_alone_is_sent),
		TEST(who_has_left_is_kept_until_the_last_count_arrived),
		TEST(who_comes_back_is_the_same),
		TEST(what_policyd_cannot_take_is_sent_later),
		TEST(those_left_over_are_bounded_the_oldest_goes),
		TEST(a_name_that_cannot_be_said_is_refused),
		TEST(what_is_no_line_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
