#include "../table.h"

#include "core/base.h"
#include "core/date.h"

struct row {
	const char *label, *text;
	enum pw_status status;
	int64_t unix_s;
	int zone;
};

static struct row rows[] = {
	/* RFC 5322 appendix A */
	{ "A.1.1", "Fri, 21 Nov 1997 09:55:06 -0600", PW_OK, 880127706, -360 },
	{ "A.1.2", "Tue, 1 Jul 2003 10:52:37 +0200", PW_OK, 1057049557, 120 },
	{ "A.5: comments and folds",
	  "Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)", PW_OK,
	  -27723480, -210 },
	{ "A.6.2: obsolete", "21 Nov 97 09:55:06 GMT", PW_OK, 880106106, 0 },
	{ "A.6.3: blanks", "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", PW_OK,
	  880127706, -360 },
	/* ugly */
	{ "no weekday", "21 Nov 1997 09:55:06 -0600", PW_OK, 880127706, -360 },
	{ "no seconds", "21 Nov 1997 09:55 -0600", PW_OK, 880127700, -360 },
	{ "named zone", "21 Nov 1997 09:55:06 CST", PW_OK, 880127706, -360 },
	{ "unknown zone is UTC", "21 Nov 1997 09:55:06 XYZ", PW_OK, 880106106, 0 },
	{ "no zone is UTC", "21 Nov 1997 09:55:06", PW_OK, 880106106, 0 },
	{ "long month", "21 November 1997 09:55:06 +0000", PW_OK, 880106106, 0 },
	{ "hyphens", "21-Nov-1997 09:55:06 +0000", PW_OK, 880106106, 0 },
	{ "three-digit year", "21 Nov 103 09:55:06 +0000", PW_OK, 1069408506, 0 },
	{ "two digits: 49", "1 Jan 49 00:00:00 +0000", PW_OK, 2493072000, 0 },
	{ "two digits: 50", "1 Jan 50 00:00:00 +0000", PW_OK, -631152000, 0 },
	{ "leap day", "29 Feb 2024 00:00:00 +0000", PW_OK, 1709164800, 0 },
	{ "no leap day", "29 Feb 2023 00:00:00 +0000", PW_ERR_RANGE, 7, 7 },
	{ "leap second", "31 Dec 2016 23:59:60 +0000", PW_OK, 1483228800, 0 },
	{ "beyond 2038", "1 Jan 2100 00:00:00 +0000", PW_OK, 4102444800, 0 },
	{ "hour 24", "21 Nov 1997 24:00:00 +0000", PW_ERR_SYNTAX, 7, 7 },
	{ "day 0", "0 Nov 1997 09:55:06 +0000", PW_ERR_RANGE, 7, 7 },
	{ "no month", "21 Nvo 1997 09:55:06 +0000", PW_ERR_SYNTAX, 7, 7 },
	{ "words", "yesterday at noon", PW_ERR_SYNTAX, 7, 7 },
	{ "empty", "", PW_ERR_SYNTAX, 7, 7 },
	{ "hostile comment",
	  "21 Nov 1997 09:55:06 +0000 (((((((((((((((((((((((((((((((((((", PW_OK,
	  880106106, 0 },
	{ "open comment", "(21 Nov 1997 09:55:06 +0000", PW_ERR_SYNTAX, 7, 7 },
};

static void check(void **state)
{
	const struct row *row = *state;
	int64_t unix_s = 7;
	int zone = 7;

	assert_int_equal(pw_date_parse(&unix_s, &zone, pw_str_from(row->text)),
	                 row->status);
	assert_int_equal(unix_s, row->unix_s);
	assert_int_equal(zone, row->zone);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
