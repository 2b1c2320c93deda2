#include "tools/app_password.h"

#include <stdio.h>
#include <sysexits.h>

#include "core/base.h"
#include "core/buf.h"
#include "tools/command.h"
#include "tools/database.h"
#include "tools/json.h"

/* clang-format off */
static const struct column {
	const char *name;
	const char *label; /* before the value where it is not NULL; NULL = the value alone */
} columns[] = { /* in the order of the statement */
	{ "name",          NULL },
	{ "protocols",     "only for " },
	{ "nets",          "only from " },
	{ "expires_at",    "expires " },
	{ "created_at",    "made " },
	{ "last_used_at",  "last used " },
	{ "last_address",  "from " },
	{ "last_protocol", "for " },
};
/* clang-format on */

static const char list_sql[] =
	"SELECT name, array_to_string(protocols, ','), array_to_string(nets, ','), "
	"date_trunc('second', expires_at), date_trunc('second', created_at), "
	"date_trunc('second', last_used_at), host(last_address), last_protocol "
	"FROM mail.app_password_usage WHERE email = mail.normal_address($1) ORDER BY id";

/* Several --net as the text between the braces of an array; NULL = none given. */
static const char *join_nets(struct pw_buf *out, const struct tool_texts *nets)
{
	for (size_t i = 0; i < nets->count; i++) {
		if (i > 0)
			pw_buf_putc(out, ',');
		pw_buf_puts(out, pw_str_from(nets->at[i]));
	}
	return nets->count > 0 ? pw_buf_text(out) : NULL;
}

static int add(struct pw_db_session *session, const struct app_password_order *order)
{
	PW_AUTO(pw_buf_done) struct pw_buf nets = { 0 };
	PW_AUTO(pw_db_result_free) struct pw_db_result *row = NULL;
	const char *const values[] = { order->user, order->name, order->protocols,
		                       join_nets(&nets, order->nets), order->expires_at };

	if (pw_buf_status(&nets) != PW_OK)
		return EX_OSERR;
	row = tool_query(session,
	                 "SELECT mail.add_app_password($1, $2, "
	                 "string_to_array($3, ','), string_to_array($4, ',')::cidr[], "
	                 "$5::timestamptz)",
	                 PW_LEN(values), values);
	if (row == NULL)
		return EX_DATAERR;
	if (order->is_json) {
		PW_AUTO(tool_json_put)
		struct json_object *json = json_object_new_object();

		tool_json_add(json, "password", pw_db_value(row, 0, 0));
		tool_json_print(json);
	} else {
		printf("%.*s\n", PW_FMT(pw_db_value(row, 0, 0)));
	}
	return EXIT_FINE;
}

static int revoke(struct pw_db_session *session, const struct app_password_order *order)
{
	const char *const values[] = { order->user, order->name };
	PW_AUTO(pw_db_result_free)
	struct pw_db_result *done =
		tool_query(session, "SELECT mail.revoke_app_password($1, $2)", 2, values);

	if (done != NULL && order->is_json) {
		PW_AUTO(tool_json_put)
		struct json_object *json = json_object_new_object();

		json_object_object_add(json, "ok", json_object_new_boolean(true));
		tool_json_print(json);
	}
	return done != NULL ? EXIT_FINE : EX_DATAERR;
}

static void print_list(const struct pw_db_result *rows)
{
	for (size_t row = 0; row < pw_db_rows(rows); row++) {
		for (size_t i = 0; i < PW_LEN(columns); i++) {
			struct pw_str value = pw_db_value(rows, row, i);

			if (value.at == NULL)
				continue;
			printf("%s%s%.*s", i > 0 ? ", " : "",
			       columns[i].label != NULL ? columns[i].label : "",
			       PW_FMT(value));
		}
		putchar('\n');
	}
}

static void print_json_list(const struct pw_db_result *rows)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t row = 0; row < pw_db_rows(rows); row++) {
		struct json_object *item = json_object_new_object();

		for (size_t i = 0; i < PW_LEN(columns); i++) {
			struct pw_str value = pw_db_value(rows, row, i);

			json_object_object_add(item, columns[i].name,
			                       value.at != NULL ? tool_json_string(value)
			                                        : NULL);
		}
		json_object_array_add(list, item);
	}
	json_object_object_add(json, "app_passwords", list);
	tool_json_print(json);
}

/* Who does not exist has no empty list: user_id_of complains. */
static int list(struct pw_db_session *session, const struct app_password_order *order)
{
	PW_AUTO(pw_db_result_free)
	struct pw_db_result *user =
		tool_query(session, "SELECT mail.user_id_of($1)", 1, &order->user);
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;

	if (user == NULL ||
	    (rows = tool_query(session, list_sql, 1, &order->user)) == NULL)
		return EX_DATAERR;
	if (order->is_json)
		print_json_list(rows);
	else
		print_list(rows);
	return EXIT_FINE;
}

int app_password_run(const struct app_password_order *order)
{
	static int (*const verbs[])(struct pw_db_session * session,
	                            const struct app_password_order *order) = {
		[APP_PASSWORD_ADD] = add,
		[APP_PASSWORD_REVOKE] = revoke,
		[APP_PASSWORD_LIST] = list,
	};
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	int code;

	if ((session = tool_database_open(order->database, &code)) == NULL)
		return code;
	return verbs[order->verb](session, order);
}
