/* passdb { driver = postward }: password hashes from SQL; comparing them is Dovecot's.
 *
 * A login goes: may it be tried (guard)? which passwords has it (database)? does one
 * match (verify)? Everything but the first comparison of fast hashes comes back later,
 * through the event loop. */
#include "drivers.h"

#include "auth-common.h"

#include "passdb.h"

#include "hex-binary.h"
#include "llist.h"
#include "passdb-cache.h"
#include "randgen.h"

#include "dovecot-plugins/compat.h"

#include "core/auth_line.h"

#include "changes.h"
#include "credentials.h"
#include "database.h"
#include "driver_setup.h"
#include "guard.h"
#include "patience.h"
#include "rehash.h"
#include "report.h"
#include "rows.h"
#include "verify.h"

/* What a slow hash is kept as in Dovecot's cache, once the password was right. */
#define SCHEME_CACHED "SSHA512"
/* How often a login that changes all the time is looked up anew. */
#define LOOKUPS_MAX 3

/* Parameters: login, service, client's address, mailbox a master user wants. */
#define PARAMETERS 4

static const struct pw_db_statement user_many = {
	.name = "postward_passdb_many",
	.sql = "SELECT \"user\", password, credential, refusal, allow_nets, host, n "
	       "FROM mail.dovecot_passdb_many($1, $2, $3)",
	.is_repeatable = true,
};
static const struct pw_db_statement user_statement = {
	.name = "postward_passdb",
	.sql = "SELECT \"user\", password, credential, refusal, allow_nets, host "
	       "FROM mail.dovecot_passdb($1, $2, $3)",
	.is_repeatable = true,
	.many = &user_many,
};
static const struct pw_db_statement master_statement = {
	.name = "postward_masterdb",
	.sql = "SELECT \"user\", password, credential, refusal, allow_nets, host "
	       "FROM mail.dovecot_masterdb($1, $4, $2, $3)",
	.is_repeatable = true,
};

struct driver {
	struct passdb_module module;
	struct database *database;
	struct driver_statement statement;
	const char *auth_socket;
};

/* One lookup, in the request's pool; holds a reference to the request. Without
 * `credentials` it is a comparison with the password the client sent. */
struct lookup {
	struct lookup *prev, *next;
	struct auth_request *request;
	verify_plain_callback_t *verify;
	lookup_credentials_callback_t *credentials;
	struct credential *tries;
	size_t try_count, position;
	unsigned int lookups;
	bool is_outdated; /* the login changed after its rows were read */
	bool cannot_tell; /* one of its hashes could not be compared with */
};

static struct lookup *lookups;

static void look_up(struct lookup *lookup);

static struct driver *driver_of(struct passdb_module *module)
{
	return container_of(module, struct driver, module);
}

static struct driver *driver_for(const struct lookup *lookup)
{
	return driver_of(lookup->request->passdb->passdb);
}

/* ---- the end ---- */

/* While the database is away Dovecot looks into its cache once more. A login has more
 * than one password: that it is not the one kept there proves nothing, which Dovecot
 * assumes after the last one was right; nor is an unknown user still one. */
static void tend_cache_away(struct auth_request *request, const char *key)
{
	struct auth_cache_node *node;
	bool is_expired, is_negative_expired;
	const char *value = auth_cache_lookup(passdb_cache, request, key, &node,
	                                      &is_expired, &is_negative_expired);

	if (value == NULL)
		return;
	if (*value == '\0' || !changes_are_known())
		auth_cache_remove(passdb_cache, request, key);
	else
		node->last_success = TRUE;
}

/* Only what was right is in the cache: after a wrong password the next one is a matter
 * for the database again, since a login has more than one. And an answer that has had its
 * time is used while the database is away only if nothing can have changed before. */
static void tend_cache(struct auth_request *request, enum passdb_result result)
{
	const char *key = request->passdb->cache_key;

	if (passdb_cache == NULL || key == NULL)
		return;
	if (result == PASSDB_RESULT_PASSWORD_MISMATCH)
		auth_cache_remove(passdb_cache, request, key);
	else if (result == PASSDB_RESULT_INTERNAL_FAILURE)
		tend_cache_away(request, key);
}

static void finish(struct lookup *lookup, enum passdb_result result)
{
	struct auth_request *request = lookup->request;

	DLLIST_REMOVE(&lookups, lookup);
	tend_cache(request, result);
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

static void end(struct lookup *lookup, enum passdb_result result)
{
	report_mark(lookup->request, result);
	if (result == PASSDB_RESULT_PASSWORD_MISMATCH ||
	    result == PASSDB_RESULT_USER_UNKNOWN)
		report_mark_wrong(lookup->request);
	if (result == PASSDB_RESULT_INTERNAL_FAILURE)
		patience_end(lookup->request, finish_failed, lookup);
	else
		finish(lookup, result);
}

/* A refusal that looks like a wrong password. */
static void end_refused(struct lookup *lookup)
{
	report_mark_refused(lookup->request);
	finish(lookup, PASSDB_RESULT_PASSWORD_MISMATCH);
}

/* ---- the right password ---- */

/* Of a login in which a master user's password was right nothing is to be kept that one
 * of the mailbox could match, which may be refused. */
static const char *unmatchable(void)
{
	unsigned char bytes[16];

	random_fill(bytes, sizeof(bytes));
	return t_strconcat("{PLAIN}", binary_to_hex(bytes, sizeof(bytes)), NULL);
}

/* The hash Dovecot may keep in its cache, which it compares with in this process. */
static const char *cached_hash(struct auth_request *request, const char *hash)
{
	const struct password_generate_params params = {
		.user = request->fields.original_username,
	};
	const char *encoded;

	if (request->fields.skip_password_check)
		return unmatchable();
	if (passdb_cache == NULL || request->mech_password == NULL ||
	    hash_cost(pw_str_from(hash)) == HASH_FAST ||
	    !password_generate_encoded(request->mech_password, &params, SCHEME_CACHED,
	                               &encoded))
		return hash;
	return t_strdup_printf("{" SCHEME_CACHED "}%s", encoded);
}

/* What the login gets, into the request. The password comes here and not before it was
 * right: a mismatch would be cached with it, and the next login answered from that. */
static bool set_fields(struct auth_request *request, const struct credential *row,
                       const char *hash)
{
	const struct compat_field fields[] = {
		{ "user", row->user },
		{ "password", hash },
		{ "proxy_maybe", row->host == NULL ? NULL : "y" },
		{ "host", row->host },
	};

	if (row->user != NULL &&
	    null_strcmp(row->user, request->fields.translated_username) != 0)
		changes_note_alias();
	if (!request->fields.skip_password_check) /* else it is the master user's */
		report_mark_credential(request, row->number);
	return compat_passdb_fields(request, fields, N_ELEMENTS(fields));
}

static void end_disabled(struct lookup *lookup, bool is_expired, const char *reason)
{
	struct auth_request *request = lookup->request;

	e_info(authdb_event(request), "login refused: %s",
	       is_expired       ? "expired"
	       : reason == NULL ? "disabled"
	                        : reason);
	if (reason != NULL)
		auth_request_set_field(request, "reason", reason, NULL);
	end(lookup,
	    is_expired ? PASSDB_RESULT_PASS_EXPIRED : PASSDB_RESULT_USER_DISABLED);
}

/* Only who knows the password learns that it is of no use, and why. */
static void end_right(struct lookup *lookup, const struct credential *row)
{
	struct auth_request *request = lookup->request;
	const char *reason;
	enum credential_verdict verdict = credential_judge(row, &reason);

	/* a master user comes with none of its passwords: it need not be compared */
	if (verdict == CREDENTIAL_NEVER && request->fields.skip_password_check)
		verdict = CREDENTIAL_GOOD;
	if (verdict != CREDENTIAL_GOOD) {
		end_disabled(lookup, verdict == CREDENTIAL_EXPIRED, reason);
		return;
	}
	rehash_offer(driver_for(lookup)->database, request, row);
	if (set_fields(request, row, cached_hash(request, row->hash)))
		end(lookup, PASSDB_RESULT_OK);
	else
		end(lookup, PASSDB_RESULT_INTERNAL_FAILURE);
}

/* ---- comparing ---- */

static void try_next(struct lookup *lookup);

static void on_verified(void *arg, enum passdb_result result)
{
	struct lookup *lookup = arg;
	const struct credential *row = &lookup->tries[lookup->position++];

	if (lookup->is_outdated) {
		look_up(lookup);
	} else if (result == PASSDB_RESULT_OK) {
		end_right(lookup, row);
	} else {
		lookup->cannot_tell |= result == PASSDB_RESULT_INTERNAL_FAILURE;
		try_next(lookup);
	}
}

/* A hash nobody could compare with may have been the right one. */
static void end_wrong(struct lookup *lookup)
{
	e_info(authdb_event(lookup->request), "Password mismatch");
	end(lookup, lookup->cannot_tell ? PASSDB_RESULT_INTERNAL_FAILURE
	                                : PASSDB_RESULT_PASSWORD_MISMATCH);
}

static void try_next(struct lookup *lookup)
{
	struct auth_request *request = lookup->request;
	const struct credential *row;

	while (lookup->position < lookup->try_count) {
		row = &lookup->tries[lookup->position];
		if (hash_cost(pw_str_from(row->hash)) != HASH_TOO_SLOW) {
			verify_password(request, row->hash, on_verified, lookup);
			return;
		}
		e_error(authdb_event(request),
		        "a password hash that takes too long to compute");
		lookup->cannot_tell = true;
		lookup->position++;
	}
	end_wrong(lookup);
}

/* ---- stored secrets ---- */

/* A lookup of a proxy or doveadm, not a login: whoever it is about, it may go on. */
static bool is_login(const struct auth_request *request)
{
	return request->handler != NULL;
}

static void give(struct lookup *lookup, const struct credential *row)
{
	struct auth_request *request = lookup->request;
	const char *hash = row->hash;
	const char *scheme = hash == NULL ? NULL : password_get_scheme(&hash);

	if ((hash != NULL && scheme == NULL) || !set_fields(request, row, row->hash)) {
		end(lookup, PASSDB_RESULT_INTERNAL_FAILURE);
		return;
	}
	report_mark(request, PASSDB_RESULT_OK);
	DLLIST_REMOVE(&lookups, lookup);
	passdb_handle_credentials(PASSDB_RESULT_OK, hash, scheme, lookup->credentials,
	                          request);
	auth_request_unref(&request);
}

/* The account's own secret, for a mechanism that does the comparing itself. It has not
 * been compared when a refusal is told, so no reason goes with it. */
static void give_credentials(struct lookup *lookup)
{
	const struct credential *row = &lookup->tries[0];
	enum credential_verdict verdict;
	const char *reason;

	if (!is_login(lookup->request)) {
		give(lookup, row);
		return;
	}
	verdict = row->number == 0 ? credential_judge(row, &reason) : CREDENTIAL_NEVER;
	if (verdict == CREDENTIAL_GOOD)
		give(lookup, row);
	else if (verdict == CREDENTIAL_NEVER)
		end_refused(lookup);
	else
		end_disabled(lookup, verdict == CREDENTIAL_EXPIRED, NULL);
}

/* ---- rows ---- */

static void use_rows(struct lookup *lookup)
{
	struct auth_request *request = lookup->request;

	if (is_login(request))
		lookup->try_count = rows_allowed(lookup->tries, lookup->try_count,
		                                 &request->fields.remote_ip);
	if (lookup->try_count == 0) {
		e_info(authdb_event(request), "login refused: not from this network");
		end_refused(lookup);
	} else if (lookup->credentials != NULL) {
		give_credentials(lookup);
	} else if (request->fields.skip_password_check) {
		end_right(lookup, &lookup->tries[0]); /* a master user's was right */
	} else {
		lookup->try_count = credentials_order(lookup->tries, lookup->try_count);
		lookup->position = 0;
		try_next(lookup);
	}
}

/* Unknown, refused and wrong are said after a definite answer only. */
static void on_answer(void *arg, enum pw_status status, const struct pw_db_result *rows)
{
	struct lookup *lookup = arg;
	struct auth_request *request = lookup->request;

	if (status != PW_OK) {
		e_error(authdb_event(request), "password lookup: %s",
		        database_why(status, rows));
		end(lookup, PASSDB_RESULT_INTERNAL_FAILURE);
	} else if (pw_db_rows(rows) == 0) {
		compat_log_unknown_user(request);
		end(lookup, PASSDB_RESULT_USER_UNKNOWN);
	} else {
		lookup->tries = rows_read(request->pool, rows, &lookup->try_count);
		use_rows(lookup);
	}
}

/* ---- asking ---- */

static const char *remote_of(const struct auth_request *request)
{
	return request->fields.remote_ip.family == 0
	               ? ""
	               : net_ip2addr(&request->fields.remote_ip);
}

static void look_up(struct lookup *lookup)
{
	struct auth_request *request = lookup->request;
	struct driver *driver = driver_for(lookup);
	const char *wanted = request->fields.requested_login_user;
	const struct pw_str params[PARAMETERS] = {
		pw_str_from(request->fields.user),
		pw_str_from(compat_service(request)),
		pw_str_from(remote_of(request)),
		pw_str_from(wanted == NULL ? "" : wanted),
	};
	enum pw_status r = PW_ERR_STATE;

	lookup->is_outdated = false;
	if (lookup->lookups++ < LOOKUPS_MAX) {
		rehash_refresh(driver->database);
		r = database_ask(driver->database, driver->statement.statement, params,
		                 driver->statement.parameters, patience_ms(request),
		                 on_answer, lookup);
	}
	if (r != PW_OK)
		on_answer(lookup, r, NULL);
}

static void on_permit(void *arg, bool is_refused)
{
	struct lookup *lookup = arg;

	if (!is_refused) {
		look_up(lookup);
		return;
	}
	e_info(authdb_event(lookup->request), "login refused: too many failures");
	end_refused(lookup);
}

static void ask_permit(struct lookup *lookup)
{
	const struct auth_request *request = lookup->request;
	struct pw_auth_line line = {
		.login = pw_str_from(request->fields.user),
		.remote = pw_str_from(remote_of(request)),
		.service = pw_str_from(compat_service(request)),
	};

	if (is_login(request))
		guard_ask(&line, on_permit, lookup);
	else
		look_up(lookup);
}

/* The login changed: what is being worked out with its old rows is done again. */
static void on_change(const char *login)
{
	for (struct lookup *lookup = lookups; lookup != NULL; lookup = lookup->next)
		if (login == NULL || (lookup->try_count > 0 &&
		                      null_strcmp(lookup->tries[0].user, login) == 0))
			lookup->is_outdated = true;
}

static void start(struct auth_request *request, verify_plain_callback_t *verify,
                  lookup_credentials_callback_t *credentials)
{
	struct driver *driver = driver_of(request->passdb->passdb);
	struct lookup *lookup = p_new(request->pool, struct lookup, 1);

	lookup->request = request;
	lookup->verify = verify;
	lookup->credentials = credentials;
	auth_request_ref(request);
	DLLIST_PREPEND(&lookups, lookup);
	if (!worker)
		changes_follow(driver->database, on_change);
	if (!login_is_possible(pw_str_from(request->fields.user))) {
		compat_log_unknown_user(request);
		end(lookup, PASSDB_RESULT_USER_UNKNOWN);
	} else if (request->mech_password != NULL &&
	           strlen(request->mech_password) > PASSWORD_BYTES_MAX) {
		end_wrong(lookup);
	} else {
		ask_permit(lookup);
	}
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

/* ---- life ---- */

static int create(pool_t pool, const struct compat_origin *origin,
                  struct passdb_module **module_r, const char **error_r)
{
	struct driver *driver = p_new(pool, struct driver, 1);
	struct setup setup;

	if (driver_setup(pool, origin->args, &setup, error_r) < 0 ||
	    database_ref(&driver->database, setup.database, setup.prepared, error_r) < 0)
		return -1;
	driver->statement = origin->is_master
	                            ? driver_statement(pool, setup.masterdb_query,
	                                               &master_statement, PARAMETERS)
	                            : driver_statement(pool, setup.passdb_query,
	                                               &user_statement, PARAMETERS - 1);
	driver->auth_socket = setup.auth_socket;
	driver->module.default_pass_scheme = ROWS_SCHEME_DEFAULT;
	*module_r = &driver->module;
	return 0;
}

COMPAT_PREINIT(passdb, create, COMPAT_KEY_LOGIN)

/* No query yet: the first one connects, so that auth workers open no connection. */
static void init(struct passdb_module *module)
{
	if (worker)
		return;
	guard_init(driver_of(module)->auth_socket);
	report_init();
}

static void deinit(struct passdb_module *module)
{
	changes_deinit();
	rehash_deinit();
	guard_deinit();
	verify_deinit();
	database_unref(&driver_of(module)->database);
	patience_deinit(); /* also what the lines above failed */
}

struct passdb_module_interface passdb_postward = {
	.name = "postward",
	.preinit = compat_passdb_preinit,
	.init = init,
	.deinit = deinit,
	.verify_plain = verify_plain,
	.lookup_credentials = lookup_credentials,
};
