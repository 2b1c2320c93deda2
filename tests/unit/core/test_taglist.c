#include "../table.h"

#include "core/taglist.h"

struct row {
	const char *label, *text;
	enum pw_status status;
	const char *want; /* name=<value> of all tags */
};

static struct row rows[] = {
	{ "one", "v=1", PW_OK, "v=<1>" },
	{ "two", "v=1; a=rsa-sha256", PW_OK, "v=<1>a=<rsa-sha256>" },
	{ "final semicolon", "v=1;\r\n ", PW_OK, "v=<1>" },
	{ "blanks everywhere", " \r\n\tv \t= 1 \r\n ;\ta\r\n = x y ", PW_OK,
	  "v=<1>a=<x y>" },
	{ "folds inside stay", "b=ab\r\n\tcd", PW_OK, "b=<ab\r\n\tcd>" },
	{ "empty value", "p=; t=", PW_OK, "p=<>t=<>" },
	{ "value with =", "p=MIGf==", PW_OK, "p=<MIGf==>" },
	{ "tag=tag=", "v=v=", PW_OK, "v=<v=>" },
	{ "names keep their case", "V=1; v=2", PW_OK, "V=<1>v=<2>" },
	{ "underscore and digits", "r_2=x", PW_OK, "r_2=<x>" },
	{ "UTF-8", "i=\xc3\xbc@x", PW_OK, "i=<\xc3\xbc@x>" },
	{ "nothing", "", PW_ERR_SYNTAX, "" },
	{ "blanks only", " \r\n ", PW_ERR_SYNTAX, "" },
	{ "only a semicolon", ";", PW_ERR_SYNTAX, "" },
	{ "two semicolons", "v=1;;a=2", PW_ERR_SYNTAX, "" },
	{ "two semicolons at the end", "v=1;;", PW_ERR_SYNTAX, "" },
	{ "no =", "v=1; a", PW_ERR_SYNTAX, "" },
	{ "no name", "=1", PW_ERR_SYNTAX, "" },
	{ "name begins with a digit", "1v=1", PW_ERR_SYNTAX, "" },
	{ "name with a blank", "v v=1", PW_ERR_SYNTAX, "" },
	{ "name with !", "!cd=x", PW_ERR_SYNTAX, "" },
	{ "twice", "v=1; v=1", PW_ERR_SYNTAX, "" },
	{ "control character", "v=\x01", PW_ERR_SYNTAX, "" },
	{ "DEL", "v=\x7f", PW_ERR_SYNTAX, "" },
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	struct pw_taglist list;

	assert_int_equal(pw_taglist_parse(&list, pw_str_from(row->text)), row->status);
	if (row->status != PW_OK)
		return;
	for (size_t i = 0; i < list.count; i++)
		pw_buf_printf(&got, "%.*s=<%.*s>", PW_FMT(list.tags[i].name),
		              PW_FMT(list.tags[i].value));
	assert_string_equal(pw_buf_text(&got), row->want);
}

static void too_many_tags_are_refused(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_taglist list;

	(void)state;
	for (int i = 0; i < PW_TAGS_MAX; i++)
		pw_buf_printf(&text, "a%d=x;", i);
	assert_int_equal(pw_taglist_parse(&list, pw_buf_str(&text)), PW_OK);
	assert_int_equal(list.count, PW_TAGS_MAX);
	pw_buf_printf(&text, "more=x");
	assert_int_equal(pw_taglist_parse(&list, pw_buf_str(&text)), PW_ERR_LIMIT);
}

static void an_absent_tag_is_not_an_empty_one(void **state)
{
	struct pw_taglist list;

	(void)state;
	assert_int_equal(pw_taglist_parse(&list, PW_STR("p=")), PW_OK);
	assert_non_null(pw_taglist_get(&list, PW_STR("p")).at);
	assert_null(pw_taglist_get(&list, PW_STR("k")).at);
}

static void items_are_parted_and_trimmed(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	struct pw_str rest = PW_STR("From : To:\r\n\tCc"), item;

	(void)state;
	while (pw_tag_next_item(&rest, &item))
		pw_buf_printf(&got, "<%.*s>", PW_FMT(item));
	assert_string_equal(pw_buf_text(&got), "<From><To><Cc>");
}

static void packing_drops_blanks_and_folds(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };

	(void)state;
	pw_tag_put_packed(&got, PW_STR("ab \tc\r\n\td"));
	assert_string_equal(pw_buf_text(&got), "abcd");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 4] = {
		cmocka_unit_test(too_many_tags_are_refused),
		cmocka_unit_test(an_absent_tag_is_not_an_empty_one),
		cmocka_unit_test(items_are_parted_and_trimmed),
		cmocka_unit_test(packing_drops_blanks_and_folds),
	};

	PW_TABLE_TESTS(tests, 4, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
