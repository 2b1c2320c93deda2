#include "../table.h"

#include <string.h>

#include "core/charset.h"

struct row {
	const char *label, *text, *name; /* name NULL: nobody knows it */
};

static struct row rows[] = {
	{ "as it is registered", "utf-8", "UTF-8" },
	{ "case does not matter", "UTF8", "UTF-8" },
	{ "blanks around it", " koi8-r\t", "KOI8-R" },
	{ "Latin 1 is what Windows has", "ISO-8859-1", "WINDOWS-1252" },
	{ "Latin 1 by another name", "latin1", "WINDOWS-1252" },
	{ "Latin 5 is what Windows has", "iso-8859-9", "WINDOWS-1254" },
	{ "Thai is what Windows has", "tis-620", "WINDOWS-874" },
	{ "GB 2312 is written with more", "gb2312", "GB18030" },
	{ "GBK", "x-gbk", "GB18030" },
	{ "Korean by its standard's year", "ks_c_5601-1987", "CP949" },
	{ "EUC of Korea is written with more", "euc-kr", "CP949" },
	{ "Shift_JIS with an x", "x-sjis", "CP932" },
	{ "Shift_JIS by the name of Windows", "Windows-31J", "CP932" },
	{ "Big5 with Hong Kong's", "big5", "BIG5-HKSCS" },
	{ "ASCII by its long name", "ANSI_X3.4-1968", "US-ASCII" },
	{ "the first row", "437", "IBM437" },
	{ "the last row", "x-x-big5", "BIG5-HKSCS" },
	{ "nothing", "", NULL },
	{ "no charset", "unknown-8bit", NULL },
	{ "options of iconv", "utf-8//IGNORE", NULL },
	{ "a converter that nobody needs", "iso-2022-cn-ext", NULL },
	{ "too long", "utf-8xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL },
};

static void check(void **state)
{
	const struct row *row = *state;
	const char *name = pw_charset_find(pw_str_from(row->text));

	if (row->name == NULL)
		assert_null(name);
	else
		assert_string_equal(name, row->name);
}

/* Searching by halves needs it. */
static void labels_are_in_order(void **state)
{
	const char *before = "", *label, *name;
	size_t i = 0;

	(void)state;
	for (; (label = pw_charset_label(i, &name)) != NULL; i++) {
		assert_true(strcmp(before, label) < 0);
		assert_true(strlen(label) <= PW_CHARSET_LABEL_MAX);
		assert_ptr_equal(pw_charset_find(pw_str_from(label)), name);
		before = label;
	}
	assert_true(i > 300);
}

static void a_nul_is_no_end(void **state)
{
	(void)state;
	assert_null(pw_charset_find((struct pw_str){ "utf-8\0x", 7 }));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 2] = {
		cmocka_unit_test(labels_are_in_order),
		cmocka_unit_test(a_nul_is_no_end),
	};

	PW_TABLE_TESTS(tests, 2, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
