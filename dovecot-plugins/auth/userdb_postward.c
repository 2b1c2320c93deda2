/* userdb { driver = postward }: where a user's mail lies, and who the users are. */
#include "drivers.h"

#include "auth-common.h"

#include "passdb.h"
#include "userdb.h"

#include "array.h"

#include "dovecot-plugins/compat.h"

#include "changes.h"
#include "database.h"
#include "driver_setup.h"
#include "patience.h"

/* Over a restart of 3 s, and the wait until the next try to connect. */
#define WAIT_MS 4500

enum {
	COLUMN_USER,
	COLUMN_HOME,
	COLUMN_MAIL,
	COLUMN_UID,
	COLUMN_GID,
	COLUMN_BYTES,
	COLUMN_MESSAGES,
};

static const struct pw_db_statement lookup_many = {
	.name = "postward_userdb_many",
	.sql = "SELECT \"user\", home, mail, uid, gid, quota_bytes, quota_messages, n "
	       "FROM "
	       "mail.dovecot_userdb_many($1)",
	.is_repeatable = true,
};
static const struct pw_db_statement lookup_statement = {
	.name = "postward_userdb",
	.sql = "SELECT \"user\", home, mail, uid, gid, quota_bytes, quota_messages FROM "
	       "mail.dovecot_userdb($1)",
	.is_repeatable = true,
	.many = &lookup_many,
};
static const struct pw_db_statement page_statement = {
	.name = "postward_users",
	.sql = "SELECT * FROM mail.dovecot_users($1, 1000)",
	.is_repeatable = true,
};

struct driver {
	struct userdb_module module;
	struct database *database;
	struct driver_statement lookup, page;
};

/* One lookup, in the request's pool; holds a reference to the request. */
struct lookup {
	struct auth_request *request;
	userdb_callback_t *callback;
};

/* One walk over all users, page by page in the order of their names: no cursor is open
 * and no huge result held. */
struct walk {
	struct userdb_iterate_context context;
	struct driver *driver;
	pool_t page_pool;
	ARRAY_TYPE(const_string) page;
	unsigned int position;
	char *last;       /* name the next page begins after */
	bool is_done;     /* there is no next page */
	bool is_asking;   /* for the next page; Dovecot waits for it */
	bool is_given_up; /* deinit came meanwhile */
};

static void iterate_next(struct userdb_iterate_context *context);

static struct driver *driver_of(struct userdb_module *module)
{
	return container_of(module, struct driver, module);
}

static void finish(struct lookup *lookup, enum userdb_result result)
{
	struct auth_request *request = lookup->request;

	lookup->callback(result, request);
	auth_request_unref(&request);
}

/* The limits a session begins with; policyd's replace them when it answers. */
static const char *quota_rule(const struct pw_db_result *rows)
{
	int64_t bytes = pw_db_int(rows, 0, COLUMN_BYTES, 0);
	int64_t messages = pw_db_int(rows, 0, COLUMN_MESSAGES, 0);

	if (bytes <= 0 && messages <= 0)
		return NULL;
	return t_strdup_printf(
		"?%s%s",
		bytes <= 0 ? "" : t_strdup_printf(":bytes=%lld", (long long)bytes),
		messages <= 0 ? ""
			      : t_strdup_printf(":messages=%lld", (long long)messages));
}

static enum userdb_result use_row(struct auth_request *request,
                                  const struct pw_db_result *rows)
{
	const struct compat_field fields[] = {
		{ "user", database_text(rows, 0, COLUMN_USER) },
		{ "home", database_text(rows, 0, COLUMN_HOME) },
		{ "mail", database_text(rows, 0, COLUMN_MAIL) },
		{ "uid", database_text(rows, 0, COLUMN_UID) },
		{ "gid", database_text(rows, 0, COLUMN_GID) },
		{ COMPAT_FIELD_QUOTA, quota_rule(rows) },
	};

	return compat_userdb_fields(request, fields, N_ELEMENTS(fields))
	               ? USERDB_RESULT_OK
	               : USERDB_RESULT_INTERNAL_FAILURE;
}

/* Unknown is said after a definite answer only. */
static void on_answer(void *arg, enum pw_status status, const struct pw_db_result *rows)
{
	struct lookup *lookup = arg;
	enum userdb_result result = USERDB_RESULT_INTERNAL_FAILURE;

	if (status != PW_OK) {
		e_error(authdb_event(lookup->request), "user lookup: %s",
		        database_why(status, rows));
	} else if (pw_db_rows(rows) == 0) {
		compat_log_unknown_user(lookup->request);
		result = USERDB_RESULT_USER_UNKNOWN;
	} else if (pw_db_rows(rows) > 1) {
		e_error(authdb_event(lookup->request), "user lookup: more than one row");
	} else {
		result = use_row(lookup->request, rows);
	}
	finish(lookup, result);
}

static void userdb_lookup(struct auth_request *request, userdb_callback_t *callback)
{
	struct driver *driver = driver_of(request->userdb->userdb);
	struct lookup *lookup = p_new(request->pool, struct lookup, 1);
	const struct pw_str user = pw_str_from(request->fields.user);
	enum pw_status r;

	*lookup = (struct lookup){ request, callback };
	auth_request_ref(request);
	r = database_ask(driver->database, driver->lookup.statement, &user,
	                 driver->lookup.parameters, WAIT_MS, on_answer, lookup);
	if (r != PW_OK)
		on_answer(lookup, r, NULL);
}

static void walk_free(struct walk *walk)
{
	auth_request_unref(&walk->context.auth_request);
	pool_unref(&walk->page_pool);
	i_free(walk->last);
	i_free(walk);
}

/* The rows are borrowed for the call only. An empty page is the end. */
static void keep_page(struct walk *walk, const struct pw_db_result *rows)
{
	size_t count = pw_db_rows(rows);
	const char *user = NULL;

	p_clear(walk->page_pool);
	p_array_init(&walk->page, walk->page_pool, (unsigned int)count + 1);
	walk->position = 0;
	for (size_t i = 0; i < count; i++) {
		user = p_strdup(walk->page_pool, database_text(rows, i, 0));
		array_push_back(&walk->page, &user);
	}
	if (user == NULL) {
		walk->is_done = true;
		return;
	}
	i_free(walk->last);
	walk->last = i_strdup(user);
}

static void on_page(void *arg, enum pw_status status, const struct pw_db_result *rows)
{
	struct walk *walk = arg;

	walk->is_asking = false;
	if (walk->is_given_up) {
		walk_free(walk);
		return;
	}
	if (status == PW_OK) {
		keep_page(walk, rows);
	} else {
		e_error(authdb_event(walk->context.auth_request), "user list: %s",
		        database_why(status, rows));
		walk->context.failed = TRUE;
		walk->is_done = true;
	}
	iterate_next(&walk->context);
}

static void ask_page(struct walk *walk)
{
	const struct pw_str after = pw_str_from(walk->last);
	enum pw_status r;

	walk->is_asking = true;
	r = database_ask(walk->driver->database, walk->driver->page.statement, &after,
	                 walk->driver->page.parameters, WAIT_MS, on_page, walk);
	if (r != PW_OK)
		on_page(walk, r, NULL);
}

/* The callback may end the walk: nothing of it is touched after. */
static void iterate_next(struct userdb_iterate_context *context)
{
	struct walk *walk = container_of(context, struct walk, context);
	const char *const *user;

	if (walk->position < array_count(&walk->page)) {
		user = array_idx(&walk->page, walk->position++);
		context->callback(*user, context->context);
	} else if (walk->is_done) {
		context->callback(NULL, context->context);
	} else if (!walk->is_asking) {
		ask_page(walk);
	}
}

static struct userdb_iterate_context *iterate_init(struct auth_request *request,
                                                   userdb_iter_callback_t *callback,
                                                   void *context)
{
	struct walk *walk = i_new(struct walk, 1);

	walk->context.auth_request = request;
	walk->context.callback = callback;
	walk->context.context = context;
	walk->driver = driver_of(request->userdb->userdb);
	walk->page_pool = pool_alloconly_create("postward users", 16384);
	p_array_init(&walk->page, walk->page_pool, 1);
	walk->last = i_strdup("");
	auth_request_ref(request);
	return &walk->context;
}

static int iterate_deinit(struct userdb_iterate_context *context)
{
	struct walk *walk = container_of(context, struct walk, context);
	int result = context->failed ? -1 : 0;

	if (walk->is_asking)
		walk->is_given_up = true;
	else
		walk_free(walk);
	return result;
}

static int create(pool_t pool, const struct compat_origin *origin,
                  struct userdb_module **module_r, const char **error_r)
{
	struct driver *driver = p_new(pool, struct driver, 1);
	struct setup setup;

	if (driver_setup(pool, origin->args, &setup, error_r) < 0 ||
	    database_ref(&driver->database, setup.database, setup.prepared, error_r) < 0)
		return -1;
	driver->lookup = driver_statement(pool, setup.userdb_query, &lookup_statement, 1);
	driver->page = driver_statement(pool, setup.iterate_query, &page_statement, 1);
	*module_r = &driver->module;
	return 0;
}

COMPAT_PREINIT(userdb, create, COMPAT_KEY_USER)

static void init(struct userdb_module *module ATTR_UNUSED)
{
	/* nothing: the first query connects */
}

static void deinit(struct userdb_module *module)
{
	database_unref(&driver_of(module)->database);
	patience_deinit();
}

struct userdb_module_interface userdb_postward = {
	.name = "postward",
	.preinit = compat_userdb_preinit,
	.init = init,
	.deinit = deinit,
	.lookup = userdb_lookup,
	.iterate_init = iterate_init,
	.iterate_next = iterate_next,
	.iterate_deinit = iterate_deinit,
};
