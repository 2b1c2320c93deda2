#include "../table.h"

#include "core/quota_text.h"

struct size_row {
	const char *label, *text;
	enum pw_status status;
	int64_t bytes; /* without a letter in KiB */
};

static struct size_row size_rows[] = {
	{ "bytes", "7B", PW_OK, 7 },
	{ "no letter", "7", PW_OK, 7168 },
	{ "k", "7k", PW_OK, 7168 },
	{ "M", "7M", PW_OK, 7340032 },
	{ "GB", "10GB", PW_OK, 10737418240 },
	{ "GiB with blanks", " 10 GiB ", PW_OK, 10737418240 },
	{ "T", "1T", PW_OK, 1099511627776 },
	{ "none", "0", PW_OK, 0 },
	{ "nothing", "", PW_ERR_SYNTAX, 0 },
	{ "letter alone", "G", PW_ERR_SYNTAX, 0 },
	{ "negative", "-1", PW_ERR_SYNTAX, 0 },
	{ "percent", "50%", PW_ERR_SYNTAX, 0 },
	{ "unknown letter", "7X", PW_ERR_SYNTAX, 0 },
	{ "bb", "7bb", PW_ERR_SYNTAX, 0 },
	{ "fraction", "1.5G", PW_ERR_SYNTAX, 0 },
	{ "two to the 63rd", "9223372036854775808B", PW_ERR_RANGE, 0 },
	{ "too large with its letter", "9223372036854775807T", PW_ERR_RANGE, 0 },
};

static void check_size(void **state)
{
	const struct size_row *row = *state;
	int64_t bytes = -7;

	assert_int_equal(pw_size_parse(pw_str_from(row->text), 1024, &bytes),
	                 row->status);
	assert_int_equal(bytes, row->status == PW_OK ? row->bytes : -7);
}

struct rule_row {
	const char *label, *text;
	enum pw_status status;
	int64_t bytes, messages;
};

static struct rule_row rule_rows[] = {
	{ "storage", "*:storage=1G", PW_OK, 1073741824, -1 },
	{ "storage in kilobytes", "*:storage=1024", PW_OK, 1048576, -1 },
	{ "bytes", "*:bytes=1024", PW_OK, 1024, -1 },
	{ "bytes with a letter", "*:bytes=10M", PW_OK, 10485760, -1 },
	{ "both", "*:storage=1M:messages=100", PW_OK, 1048576, 100 },
	{ "question mark", "?:messages=5", PW_OK, -1, 5 },
	{ "one folder", "Trash:storage=+10%", PW_ERR_NOTFOUND, 0, 0 },
	{ "relative", "*:storage=+10M", PW_ERR_SYNTAX, 0, 0 },
	{ "no limit named", "*", PW_ERR_SYNTAX, 0, 0 },
	{ "unknown limit", "*:seconds=5", PW_ERR_SYNTAX, 0, 0 },
	{ "empty limit", "*:", PW_ERR_SYNTAX, 0, 0 },
};

static void check_rule(void **state)
{
	const struct rule_row *row = *state;
	struct pw_quota_rule rule = { 0 };

	assert_int_equal(pw_quota_rule_parse(&rule, pw_str_from(row->text)), row->status);
	assert_int_equal(rule.bytes, row->bytes);
	assert_int_equal(rule.messages, row->messages);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(size_rows) + PW_LEN(rule_rows)];

	PW_TABLE_TESTS(tests, 0, size_rows, check_size);
	PW_TABLE_TESTS(tests, PW_LEN(size_rows), rule_rows, check_rule);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
