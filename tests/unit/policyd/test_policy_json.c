#include "../table.h"

#include <string.h>

#include "policyd/policy_json.h"

struct row {
	const char *label;
	struct pw_str text;
	const char *line; /* as a line of the auth socket; "" = refused */
	enum policy_end end;
};

#define CAPTURED                                                                         \
	"{\"device_id\":\"\",\"login\":\"ann@example.test\",\"protocol\":\"imap\","      \
	"\"pwhash\":\"0ac\",\"remote\":\"192.0.2.7\",\"session_id\":\"kTQ3xs5p\","       \
	"\"tls\":false"
#define ANN "report\tann@example.test\t192.0.2.7\t0\timap\t"
#define FAILED(type)                                                                     \
	PW_STR("{\"login\":\"a\",\"success\":false,\"policy_reject\":false,"             \
	       "\"fail_type\":\"" type "\"}")

static struct row rows[] = {
	{ "Dovecot 2.3: a question", PW_STR(CAPTURED "}"),
	  ANN "failure\t-1\tkTQ3xs5p\t173\n", POLICY_END_UNTOLD },
	{ "2.3: a success", PW_STR(CAPTURED ",\"success\":true,\"policy_reject\":false}"),
	  ANN "success\t-1\tkTQ3xs5p\t173\n", POLICY_END_KNOWN },
	{ "2.3: a failure",
	  PW_STR(CAPTURED ",\"success\":false,\"policy_reject\":false}"),
	  ANN "failure\t-1\tkTQ3xs5p\t173\n", POLICY_END_UNTOLD },
	{ "2.3: refused before",
	  PW_STR(CAPTURED ",\"success\":false,\"policy_reject\":true}"),
	  ANN "refused\t-1\tkTQ3xs5p\t173\n", POLICY_END_KNOWN },
	{ "2.4: wrong password", FAILED("credentials"),
	  "report\ta\t-\t0\t-\tfailure\t-1\t-\n", POLICY_END_KNOWN },
	{ "2.4: no such login", FAILED("account"), "report\ta\t-\t0\t-\tunknown\t-1\t-\n",
	  POLICY_END_KNOWN },
	{ "2.4: disabled", FAILED("disabled"), "report\ta\t-\t0\t-\trefused\t-1\t-\n",
	  POLICY_END_KNOWN },
	{ "2.4: nobody could say", FAILED("internal"),
	  "report\ta\t-\t0\t-\trefused\t-1\t-\n", POLICY_END_INTERNAL },
	{ "a word of later", FAILED("other"), "report\ta\t-\t0\t-\tfailure\t-1\t-\n",
	  POLICY_END_UNTOLD },
	{ "nothing known", PW_STR("{}"), "report\t-\t-\t0\t-\tfailure\t-1\t-\n",
	  POLICY_END_UNTOLD },
	{ "other types", PW_STR("{\"login\":7,\"success\":\"true\",\"remote\":null}"),
	  "report\t-\t-\t0\t-\tfailure\t-1\t-\n", POLICY_END_UNTOLD },
	{ "escapes", PW_STR("{\"login\":\"a\\u0000\\n\\u00e4\"}"),
	  "report\ta+00+0A+C3+A4\t-\t0\t-\tfailure\t-1\t-\n", POLICY_END_UNTOLD },
	{ "no hash", PW_STR("{\"pwhash\":\"xyz\"}"),
	  "report\t-\t-\t0\t-\tfailure\t-1\t-\n", POLICY_END_UNTOLD },
	{ "a longer hash", PW_STR("{\"pwhash\":\"ffff000a\"}"),
	  "report\t-\t-\t0\t-\tfailure\t-1\t-\t11\n", POLICY_END_UNTOLD },
	{ "empty", PW_STR(""), "", POLICY_END_UNTOLD },
	{ "half", PW_STR("{\"login\":\"a"), "", POLICY_END_UNTOLD },
	{ "a list", PW_STR("[]"), "", POLICY_END_UNTOLD },
	{ "a text", PW_STR("\"login\""), "", POLICY_END_UNTOLD },
	{ "too deep", PW_STR("{\"a\":{\"b\":{}}}"), "", POLICY_END_UNTOLD },
	{ "no JSON", PW_STR("login=ann"), "", POLICY_END_UNTOLD },
	{ "something after it", PW_STR("{}x"), "", POLICY_END_UNTOLD },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(policy_json_done) struct policy_json json = { .end = 0 };
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
	enum pw_status r = policy_json_read(&json, row->text);

	if (row->line[0] == '\0') {
		assert_int_equal(r, PW_ERR_SYNTAX);
		return;
	}
	assert_int_equal(r, PW_OK);
	assert_int_equal(json.end, row->end);
	assert_int_equal(pw_auth_line_put(&line, &json.line), PW_OK);
	assert_string_equal(pw_buf_text(&line), row->line);
}

static void check_too_long(void **state)
{
	PW_AUTO(policy_json_done) struct policy_json json = { .end = 0 };
	static char text[POLICY_JSON_MAX + 1];

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "{}", 2);
	assert_int_equal(policy_json_read(&json, (struct pw_str){ text, sizeof(text) }),
	                 PW_ERR_LIMIT);
	assert_int_equal(
		policy_json_read(&json, (struct pw_str){ text, sizeof(text) - 1 }),
		PW_OK);
}

int main(void)
{
	enum { ROWS = PW_LEN(rows) };
	struct CMUnitTest tests[ROWS + 1] = {
		[ROWS] = cmocka_unit_test(check_too_long),
	};

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
