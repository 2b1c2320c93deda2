/* passdb { driver = postward }: password hashes from SQL; comparing them is Dovecot's. */
#include "drivers.h"

#include "auth-common.h"

#include "passdb.h"

#include "dovecot-plugins/compat.h"

#include "database.h"
#include "patience.h"

/* Hashes come as {SCHEME}hash; Dovecot wants a default for one that does not. */
#define SCHEME_DEFAULT "SHA512-CRYPT"

enum { COLUMN_USER, COLUMN_PASSWORD, COLUMN_DISABLED };

static const struct pw_db_statement statement = {
	.name = "postward_passdb",
	.sql = "SELECT \"user\", password, nologin FROM mail.dovecot_passdb($1, $2)",
	.is_repeatable = true,
};

struct driver {
	struct passdb_module module;
	struct database *database;
};

/* One lookup, in the request's pool; holds a reference to the request. Without
 * `credentials` it is a comparison with the password the client sent. */
struct lookup {
	struct auth_request *request;
	verify_plain_callback_t *verify;
	lookup_credentials_callback_t *credentials;
};

static struct driver *driver_of(struct passdb_module *module)
{
	return container_of(module, struct driver, module);
}

static void finish(struct lookup *lookup, enum passdb_result result)
{
	struct auth_request *request = lookup->request;

	if (lookup->credentials != NULL)
		passdb_handle_credentials(result, NULL, NULL, lookup->credentials,
		                          request);
	else
		lookup->verify(result, request);
	auth_request_unref(&request);
}

static void finish_failed(void *arg)
{
	finish(arg, PASSDB_RESULT_INTERNAL_FAILURE);
}

/* Give the hash to Dovecot, which compares or converts it. */
static void finish_with_password(struct lookup *lookup)
{
	struct auth_request *request = lookup->request;
	const char *password =
		t_strdup(request->passdb_password); /* may change on the way */
	const char *scheme = password_get_scheme(&password);
	enum passdb_result result;

	if (lookup->credentials != NULL) {
		passdb_handle_credentials(PASSDB_RESULT_OK, password, scheme,
		                          lookup->credentials, request);
		auth_request_unref(&request);
		return;
	}
	result = compat_verify(request, password, scheme);
	if (result == PASSDB_RESULT_INTERNAL_FAILURE)
		patience_end(request, finish_failed, lookup);
	else
		finish(lookup, result);
}

static void use_row(struct lookup *lookup, const struct pw_db_result *rows)
{
	struct auth_request *request = lookup->request;
	const struct compat_field fields[] = {
		{ "user", database_text(rows, 0, COLUMN_USER) },
		{ "password", database_text(rows, 0, COLUMN_PASSWORD) },
	};

	/* before the password is known to the request: a mismatch would be cached with
	 * the hash, and the next login answered from the cache */
	if (pw_db_bool(rows, 0, COLUMN_DISABLED)) {
		e_info(authdb_event(request), "user is disabled");
		finish(lookup, PASSDB_RESULT_USER_DISABLED);
	} else if (!compat_passdb_fields(request, fields, N_ELEMENTS(fields))) {
		patience_end(request, finish_failed, lookup);
	} else if (request->passdb_password == NULL) {
		finish(lookup, auth_request_password_missing(request));
	} else {
		finish_with_password(lookup);
	}
}

/* Unknown, disabled and wrong are said after a definite answer only. */
static void on_answer(void *arg, enum pw_status status, const struct pw_db_result *rows)
{
	struct lookup *lookup = arg;
	struct auth_request *request = lookup->request;

	if (status != PW_OK) {
		e_error(authdb_event(request), "password lookup: %s",
		        database_why(status, rows));
		patience_end(request, finish_failed, lookup);
	} else if (pw_db_rows(rows) == 0) {
		compat_log_unknown_user(request);
		finish(lookup, PASSDB_RESULT_USER_UNKNOWN);
	} else if (pw_db_rows(rows) > 1) {
		e_error(authdb_event(request), "password lookup: more than one row");
		patience_end(request, finish_failed, lookup);
	} else {
		use_row(lookup, rows);
	}
}

static void start(struct auth_request *request, verify_plain_callback_t *verify,
                  lookup_credentials_callback_t *credentials)
{
	struct driver *driver = driver_of(request->passdb->passdb);
	struct lookup *lookup = p_new(request->pool, struct lookup, 1);
	const struct pw_str params[] = {
		pw_str_from(request->fields.user),
		pw_str_from(compat_service(request)),
	};
	enum pw_status r;

	*lookup = (struct lookup){ request, verify, credentials };
	auth_request_ref(request);
	r = database_ask(driver->database, &statement, params, N_ELEMENTS(params),
	                 patience_ms(request), on_answer, lookup);
	if (r != PW_OK)
		on_answer(lookup, r, NULL);
}

static void verify_plain(struct auth_request *request, const char *password ATTR_UNUSED,
                         verify_plain_callback_t *callback)
{
	start(request, callback, NULL);
}

static void lookup_credentials(struct auth_request *request,
                               lookup_credentials_callback_t *callback)
{
	start(request, NULL, callback);
}

static int create(pool_t pool, const char *conninfo, struct passdb_module **module_r,
                  const char **error_r)
{
	struct driver *driver = p_new(pool, struct driver, 1);

	if (database_ref(&driver->database, conninfo, error_r) < 0)
		return -1;
	driver->module.default_pass_scheme = SCHEME_DEFAULT;
	*module_r = &driver->module;
	return 0;
}

COMPAT_PREINIT(passdb, create, COMPAT_KEY_USER COMPAT_KEY_SERVICE)

static void init(struct passdb_module *module ATTR_UNUSED)
{
	/* nothing: the first query connects, so that auth workers open no connection */
}

static void deinit(struct passdb_module *module)
{
	database_unref(&driver_of(module)->database);
	patience_deinit(); /* also what the line above failed */
}

struct passdb_module_interface passdb_postward = {
	.name = "postward",
	.preinit = compat_passdb_preinit,
	.init = init,
	.deinit = deinit,
	.verify_plain = verify_plain,
	.lookup_credentials = lookup_credentials,
};
