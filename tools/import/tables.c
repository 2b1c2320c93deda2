/* PostfixAdmin and mailcow: tables as the database prints them. mailcow's began as
 * PostfixAdmin's, so the names of the columns are enough to tell what is what. */
#include <limits.h>

#include "core/table_text.h"
#include "tools/import/sources.h"
#include "tools/import/value.h"
#include "tools/json.h"

#define MARKS_MAX 3

struct reader {
	struct import_plan *plan;
	const struct pw_table *table;
	const struct pw_table_row *row;
	struct import_place place;
};

/* Value of a column; at == NULL when it is NULL or there is no such column. */
static struct pw_str field(const struct reader *r, const char *column)
{
	size_t i = pw_table_column(r->table, pw_str_from(column));

	return i < r->table->head.count ? r->row->fields[i] : (struct pw_str){ NULL, 0 };
}

static bool is_one_of(struct pw_str s, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (pw_str_eq_nocase(s, pw_str_from(words[i])))
			return true;
	return false;
}

/* MySQL writes 1 and 0, PostgreSQL t and f. */
static bool is_true(struct pw_str s)
{
	static const char *const words[] = { "1", "t", "true", "y", "yes" };

	return is_one_of(s, words, PW_LEN(words));
}

static struct pw_str as_bool(struct pw_str s)
{
	return s.at == NULL ? s : import_bool(is_true(s));
}

static void take_domain(const struct reader *r)
{
	struct pw_str name = field(r, "domain"), transport = field(r, "transport");
	struct import_row *row;

	if (pw_str_eq(name, PW_STR("ALL"))) /* PostfixAdmin's own */
		return;
	if (is_true(field(r, "backupmx"))) {
		import_skip(r->plan, r->place, name,
		            "is a domain to relay to another host, there are none here");
		return;
	}
	if (pw_str_starts(transport, PW_STR("smtp:")) ||
	    pw_str_starts(transport, PW_STR("relay"))) {
		import_skip(r->plan, r->place, name,
		            "its mail is sent to another host (transport)");
		return;
	}
	row = import_add(r->plan, IMPORT_DOMAIN, r->place, name,
	                 (struct pw_str){ NULL, 0 });
	if (row == NULL)
		return;
	row->values[DOMAIN_ENABLED] = as_bool(field(r, "active"));
	row->values[DOMAIN_NOTE] = import_words(r->plan, field(r, "description"));
}

static void take_alias_domain(const struct reader *r)
{
	struct import_row *row =
		import_add(r->plan, IMPORT_ALIAS_DOMAIN, r->place,
	                   field(r, "alias_domain"), field(r, "target_domain"));

	if (row != NULL)
		row->values[ALIAS_DOMAIN_ENABLED] = as_bool(field(r, "active"));
}

/* mailcow keeps who may use which protocol in a column of JSON. */
static void take_attributes(const struct reader *r, struct import_row *user)
{
	static const struct attribute {
		const char *name;
		size_t value;
	} attributes[] = {
		{ "imap_access", USER_MAY_IMAP },
		{ "pop3_access", USER_MAY_POP3 },
		{ "smtp_access", USER_MAY_SMTP },
		{ "sieve_access", USER_MAY_SIEVE },
	};
	PW_AUTO(tool_json_put) struct json_object *json = NULL;
	struct pw_str text =
		import_copy(r->plan, field(r, "attributes")); /* with a NUL */
	struct json_object *value;

	if (text.len == 0 || !(json = json_tokener_parse(text.at)) ||
	    !json_object_is_type(json, json_type_object))
		return;
	for (size_t i = 0; i < PW_LEN(attributes); i++)
		if (json_object_object_get_ex(json, attributes[i].name, &value) && value)
			user->values[attributes[i].value] = import_bool(
				is_true(pw_str_from(json_object_get_string(value))));
}

/* PostfixAdmin: what is not active neither logs in nor gets mail. mailcow has 2 besides:
 * no login, mail goes on. */
static void take_active(const struct reader *r, struct import_row *user)
{
	struct pw_str active = field(r, "active");

	user->values[USER_ENABLED] = as_bool(active);
	if (active.at != NULL && !is_true(active))
		user->values[USER_MAY_RECEIVE] =
			import_bool(pw_str_eq(active, PW_STR("2")));
	user->values[USER_MAY_SMTP] = as_bool(field(r, "smtp_active"));
}

static void take_password(const struct reader *r, struct import_row *user)
{
	struct pw_str keeper = field(r, "authsource");

	if (keeper.len > 0 && !pw_str_eq(keeper, PW_STR("mailcow")))
		import_note(r->plan, &r->plan->locked, r->place, user->values[USER_EMAIL],
		            PW_STR("another system checks its password (authsource)"));
	else
		import_set_password(r->plan, user, field(r, "password"));
}

static void take_mailbox(const struct reader *r)
{
	struct import_row *user;
	int64_t bytes = 0;

	if (field(r, "kind").len > 0) {
		import_skip(r->plan, r->place, field(r, "username"),
		            "is a room or thing to be booked, no mailbox");
		return;
	}
	user = import_add(r->plan, IMPORT_USER, r->place, field(r, "username"),
	                  (struct pw_str){ NULL, 0 });
	if (user == NULL)
		return;
	user->values[USER_NAME] = import_words(r->plan, field(r, "name"));
	if (pw_str_to_int64(field(r, "quota"), INT64_MIN, INT64_MAX, &bytes) == PW_OK)
		import_set_quota(r->plan, user, bytes);
	take_active(r, user);
	take_attributes(r, user);
	take_password(r, user);
}

static void take_alias(const struct reader *r)
{
	import_alias_list(r->plan, r->place, field(r, "address"), field(r, "goto"),
	                  as_bool(field(r, "active")));
}

static void take_permission(const struct reader *r)
{
	struct pw_str pattern = field(r, "send_as");

	if (pw_str_eq(pattern, PW_STR("*")))
		import_skip(r->plan, r->place, field(r, "logged_in_as"),
		            "may send as anybody, which nobody may here");
	else
		(void)import_add(r->plan, IMPORT_PERMISSION, r->place,
		                 field(r, "logged_in_as"), pattern);
}

/* A table is known by columns that no other one has together. */
static const struct layout {
	const char *name;
	const char *marks[MARKS_MAX];
	void (*take)(const struct reader *r); /* NULL: not taken */
} layouts[] = {
	{ "alias_domain", { "alias_domain", "target_domain" }, take_alias_domain },
	{ "sender_acl", { "logged_in_as", "send_as" }, take_permission },
	{ "mailbox", { "username", "password", "quota" }, take_mailbox },
	{ "alias", { "address", "goto", "active" }, take_alias },
	{ "domain", { "domain", "mailboxes", "active" }, take_domain },
};

static const struct layout *find_layout(const struct pw_table *table)
{
	for (size_t i = 0; i < PW_LEN(layouts); i++) {
		size_t marks = 0;

		while (marks < MARKS_MAX && layouts[i].marks[marks] &&
		       pw_table_column(table, pw_str_from(layouts[i].marks[marks])) <
		               table->head.count)
			marks++;
		if (marks == MARKS_MAX || !layouts[i].marks[marks])
			return &layouts[i];
	}
	return NULL;
}

static enum pw_status complain(struct pw_buf *why_out, const char *path,
                               unsigned int line, const char *why, enum pw_status r)
{
	pw_buf_printf(why_out, "%s:%u: %s", path, line, why);
	return r;
}

static enum pw_status read_rows(struct reader *r, struct pw_table *table,
                                struct pw_arena *arena, const struct layout *layout)
{
	struct pw_table_row row;
	enum pw_status status;

	r->table = table;
	r->row = &row;
	for (;;) {
		pw_arena_reset(arena);
		if ((status = pw_table_next(table, arena, &row)) != PW_OK)
			return status == PW_ERR_NOTFOUND ? r->plan->status : status;
		r->place.line = row.line;
		layout->take(r);
	}
}

static enum pw_status read_table(struct import_plan *plan, const char *path,
                                 struct pw_str bytes, struct pw_arena *names,
                                 struct pw_arena *arena, struct pw_buf *why_out)
{
	struct reader reader = { .plan = plan, .place = { .file = path } };
	const struct layout *layout;
	struct pw_table table;
	enum pw_status r = pw_table_open(&table, names, bytes);

	if (r != PW_OK)
		return complain(why_out, path, table.line, pw_table_why(&table), r);
	if (!(layout = find_layout(&table)))
		return complain(
			why_out, path, table.line,
			"the header is that of none of the tables mailbox, alias, "
			"domain, alias_domain, sender_acl",
			PW_ERR_SYNTAX);
	plan->has_domain_list |= layout->take == take_domain;
	if ((r = read_rows(&reader, &table, arena, layout)) != PW_OK)
		return complain(why_out, path, table.line, pw_table_why(&table), r);
	return PW_OK;
}

enum pw_status import_read_tables(struct import_plan *plan,
                                  const struct import_order *order,
                                  struct pw_buf *why_out)
{
	PW_AUTO(pw_arena_free) struct pw_arena *names = NULL, *arena = NULL;
	enum pw_status r;

	if ((r = pw_arena_new(&arena, 0)) != PW_OK)
		return r;
	for (size_t i = 0; i < order->count; i++) {
		PW_AUTO(pw_buf_wipe) struct pw_buf bytes = { 0 };

		pw_arena_free(&names);
		if ((r = pw_arena_new(&names, 0)) != PW_OK ||
		    (r = import_read_file(&bytes, order->files[i], why_out)) != PW_OK ||
		    (r = read_table(plan, order->files[i], pw_buf_str(&bytes), names,
		                    arena, why_out)) != PW_OK)
			return r;
	}
	return PW_OK;
}
