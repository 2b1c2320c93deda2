#include "tools/setup/report.h"

#include <getopt.h>
#include <stdio.h>

#include "io/child.h"
#include "tools/command.h"
#include "tools/database.h"
#include "tools/json.h"

#define CHECK_TIMEOUT_MS 60000
#define TXT_MAX 255 /* octets of one string of a TXT record, RFC 1035 3.3.14 */

enum { RECORD_NAME, RECORD_TYPE, RECORD_VALUE, RECORD_NOTE };

void setup_report_plan(const struct setup_plan *plan)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	for (size_t i = 0; i < plan->count; i++)
		setup_step_print(&text, &plan->at[i]);
	(void)fputs(pw_buf_text(&text), stdout);
}

/* NULL without a database, or one that does not answer. */
static struct pw_db_result *read_records(const struct setup_wish *wish)
{
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	const char *const values[] = { wish->domain };
	int code;

	if (wish->role == SETUP_EDGE ||
	    (session = tool_database_open(wish->database, &code)) == NULL)
		return NULL;
	return tool_query(session,
	                  "SELECT name, type, value, note FROM mail.dns_records "
	                  "WHERE domain = $1 OR kind IN ('address', 'ptr') "
	                  "ORDER BY type, name",
	                  1, values);
}

static void print_record(const struct pw_db_result *rows, size_t row)
{
	struct pw_str value = pw_db_value(rows, row, RECORD_VALUE);
	struct pw_str type = pw_db_value(rows, row, RECORD_TYPE);

	printf("%.*s. IN %.*s", PW_FMT(pw_db_value(rows, row, RECORD_NAME)),
	       PW_FMT(type));
	if (!pw_str_eq(type, PW_STR("TXT"))) {
		printf(" %.*s\n", PW_FMT(value));
		return;
	}
	for (size_t at = 0; at < value.len; at += TXT_MAX)
		printf(" \"%.*s\"", PW_FMT(pw_str_sub(value, at, TXT_MAX)));
	putchar('\n');
}

static void print_text(const struct setup_wish *wish, const struct setup_outcome *outcome,
                       const struct pw_db_result *rows)
{
	if (rows != NULL && pw_db_rows(rows) > 0)
		puts("\nDNS records:");
	for (size_t i = 0; rows != NULL && i < pw_db_rows(rows); i++)
		print_record(rows, i);
	if (wish->role == SETUP_EDGE)
		puts("\nWhat the inner host believes and lets pass: postwardctl edge check");
	if (outcome->password[0] != '\0')
		printf("\nMailbox %s, password %s\nIt is shown this once; another one: "
		       "postwardctl passwd %s\n",
		       wish->admin, outcome->password, wish->admin);
}

/* In a process of its own, since both print one object. NULL when it says nothing. */
static struct json_object *check_as_json(void)
{
	static const char *const argv[] = { "/proc/self/exe", "check", "--json", NULL };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	int code = 0;

	if (pw_child_run(argv, (struct pw_str){ 0 }, &text, NULL, CHECK_TIMEOUT_MS,
	                 &code) != PW_OK)
		return NULL;
	return json_tokener_parse(pw_buf_text(&text));
}

/* Problems it finds are the administrator's to mend (DNS, most of all): setup is done. */
static void print_check(void)
{
	char name[] = "check", *argv[] = { name, NULL };

	putchar('\n');
	(void)fflush(stdout);
	optind = 0; /* getopt_long has read setup's line */
	(void)command_check(1, argv);
}

static struct json_object *texts_of(const struct setup_plan *plan, bool are_notes)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < plan->count; i++) {
		const struct setup_step *step = &plan->at[i];
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
		struct pw_str words;

		if ((step->kind == SETUP_NOTE) != are_notes)
			continue;
		if (are_notes)
			pw_buf_puts(&text, pw_str_from(step->name));
		else
			setup_step_print(&text, step);
		words = pw_buf_str(&text);
		json_object_array_add(list, tool_json_string(pw_str_cut(&words, '\n')));
	}
	return list;
}

static struct json_object *records_of(const struct pw_db_result *rows)
{
	static const char *const members[] = { "name", "type", "value", "note" };
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; rows != NULL && i < pw_db_rows(rows); i++) {
		struct json_object *one = json_object_new_object();

		for (size_t j = 0; j < PW_LEN(members); j++)
			tool_json_add(one, members[j], pw_db_value(rows, i, j));
		json_object_array_add(list, one);
	}
	return list;
}

void setup_report(const struct setup_plan *plan, const struct setup_wish *wish,
                  const struct setup_outcome *outcome, bool is_dry, bool is_json,
                  int code)
{
	PW_AUTO(tool_json_put) struct json_object *json = NULL;
	PW_AUTO(pw_db_result_free)
	struct pw_db_result *rows =
		is_dry || code != EXIT_FINE ? NULL : read_records(wish);

	if (!is_json) {
		if (!is_dry && code == EXIT_FINE)
			print_check();
		print_text(wish, outcome, rows);
		return;
	}
	json = json_object_new_object();
	json_object_object_add(json, "ok", json_object_new_boolean(code == EXIT_FINE));
	tool_json_add(json, "role", pw_str_from(wish->role_name));
	tool_json_add(json, "domain", pw_str_from(wish->domain));
	tool_json_add(json, "hostname", pw_str_from(wish->hostname));
	json_object_object_add(json, "dry_run", json_object_new_boolean(is_dry));
	json_object_object_add(json, "changes",
	                       json_object_new_int64((int64_t)setup_plan_changes(plan)));
	json_object_object_add(json, "steps", texts_of(plan, false));
	json_object_object_add(json, "notes", texts_of(plan, true));
	if (wish->role != SETUP_EDGE)
		tool_json_add(json, "admin", pw_str_from(wish->admin));
	if (outcome->password[0] != '\0')
		tool_json_add(json, "password", pw_str_from(outcome->password));
	json_object_object_add(json, "dns", records_of(rows));
	if (!is_dry && code == EXIT_FINE)
		json_object_object_add(json, "check", check_as_json());
	tool_json_print(json);
}
