#include "auth-common.h"

#include "passdb.h"

#include "hash.h"
#include "ioloop.h"
#include "lib-event-private.h"
#include "passdb-cache.h"

#include "dovecot-plugins/compat.h"

#include "core/auth_line.h"

#include "guard.h"
#include "report.h"

/* Logins whose password is remembered for as long as Dovecot may answer from its cache:
 * one that it answers says nothing about it. Beyond, all are forgotten. */
#define REMEMBERED_MAX 10000

#define EVENT_FINISHED "auth_request_finished"
#define FIELD_RESULT "postward_result"
#define FIELD_CREDENTIAL "postward_credential"
#define FIELD_PASSWORD "postward_password"

/* A login of late. */
struct login {
	int64_t number; /* of its password */
	time_t told;    /* when it last went well and was told */
	char key[];     /* who from where */
};

static struct {
	HASH_TABLE(char *, struct login *) logins;
	struct event_filter *wanted;
	bool is_watching;
} report;

/* ---- marks ---- */

/* clang-format off */
static const struct mark {
	enum passdb_result result;
	const char *word; /* of the field */
	int told;         /* enum pw_auth_result; -1 = it is not told */
} marks[] = {
	{ PASSDB_RESULT_USER_UNKNOWN,      "unknown",  PW_AUTH_UNKNOWN },
	{ PASSDB_RESULT_USER_DISABLED,     "refused",  PW_AUTH_REFUSED },
	{ PASSDB_RESULT_PASS_EXPIRED,      "refused",  PW_AUTH_REFUSED },
	{ PASSDB_RESULT_INTERNAL_FAILURE,  "internal", -1 },
	{ PASSDB_RESULT_PASSWORD_MISMATCH, "failure",  PW_AUTH_FAILURE },
	{ PASSDB_RESULT_OK,                "found",    PW_AUTH_FAILURE }, /* yet it failed */
};
/* clang-format on */

void report_mark(struct auth_request *request, enum passdb_result result)
{
	for (size_t i = 0; i < N_ELEMENTS(marks); i++)
		if (marks[i].result == result)
			event_add_str(request->event, FIELD_RESULT, marks[i].word);
}

void report_mark_refused(struct auth_request *request)
{
	report_mark(request, PASSDB_RESULT_USER_DISABLED);
}

void report_mark_wrong(struct auth_request *request)
{
	int64_t hash;

	if (request->mech_password == NULL)
		return;
	hash = guard_password(request->fields.user, request->mech_password);
	if (hash != 0)
		event_add_int(request->event, FIELD_PASSWORD, hash);
}

void report_mark_credential(struct auth_request *request, int64_t number)
{
	event_add_int(request->event, FIELD_CREDENTIAL, number);
}

/* ---- which password it was ---- */

static const char *text_of(struct event *event, const char *key)
{
	const char *text = event_find_field_recursive_str(event, key);

	return text == NULL ? "" : text;
}

static int64_t number_of(struct event *event, const char *key, int64_t fallback)
{
	int64_t n;

	return pw_str_to_int64(pw_str_from(text_of(event, key)), INT64_MIN, INT64_MAX,
	                       &n) == PW_OK
	               ? n
	               : fallback;
}

static void forget_all(void)
{
	struct hash_iterate_context *iter;
	struct login *login;
	char *key;

	iter = hash_table_iterate_init(report.logins);
	while (hash_table_iterate(iter, report.logins, &key, &login))
		i_free(login);
	hash_table_iterate_deinit(&iter);
	hash_table_clear(report.logins, TRUE);
}

static struct login *remember(const char *key)
{
	size_t size = strlen(key) + 1;
	struct login *login;
	char *own;

	if (hash_table_count(report.logins) >= REMEMBERED_MAX)
		forget_all();
	login = i_malloc(sizeof(*login) + size);
	memcpy(login->key, key, size);
	own = login->key;
	hash_table_insert(report.logins, own, login);
	return login;
}

/* A login that went well; NULL = nothing is known of it. What the cache knows about it is
 * what the driver answered last. */
static struct login *login_of(struct event *event)
{
	const char *key = t_strconcat(text_of(event, "translated_user"), "\t",
	                              text_of(event, COMPAT_EVENT_SERVICE), "\t",
	                              text_of(event, "remote_ip"), "\t",
	                              text_of(event, "mechanism"), NULL);
	struct login *login = hash_table_lookup(report.logins, key);
	int64_t number = number_of(event, FIELD_CREDENTIAL, -1);

	if (number < 0)
		return login;
	if (login == NULL)
		login = remember(key);
	login->number = number;
	login->told = 0;
	return login;
}

/* ---- telling ---- */

/* enum pw_auth_result, or -1: that is no result of a login. */
static int result_of(struct event *event)
{
	const char *word = text_of(event, FIELD_RESULT);

	if (strcmp(text_of(event, "success"), "yes") == 0)
		return PW_AUTH_SUCCESS;
	if (strcmp(text_of(event, "error"), "internal failure") == 0)
		return -1;
	for (size_t i = 0; i < N_ELEMENTS(marks); i++)
		if (strcmp(marks[i].word, word) == 0)
			return marks[i].told;
	return *text_of(event, "user") == '\0' ? PW_AUTH_UNKNOWN : PW_AUTH_FAILURE;
}

/* It was the master user whose password was guessed or right. */
static const char *name_of(struct event *event)
{
	const char *master = text_of(event, "master_user");

	return *master != '\0' ? master : text_of(event, "user");
}

/* Of logins that went well, out of the cache, one a second says enough of a mail program
 * that logs in for every click; the next one after a failure is told again. Sessions of
 * Postfix are told one by one: policyd knows them by their port. Fills in the password of
 * a success. */
static bool is_worth_telling(struct event *event, struct pw_auth_line *line)
{
	bool is_success = line->result == PW_AUTH_SUCCESS;
	struct login *login = passdb_cache == NULL ? NULL : login_of(event);
	bool was_told = login != NULL && login->told == ioloop_time;

	if (login != NULL)
		login->told = is_success ? ioloop_time : 0;
	if (!is_success)
		return true;
	line->credential =
		login != NULL ? login->number : number_of(event, FIELD_CREDENTIAL, -1);
	return !was_told || pw_str_eq(line->service, PW_STR("smtp"));
}

/* Most logins are not worth it: the rest of their fields is looked up after. */
static void tell(struct event *event)
{
	int result = result_of(event);
	struct pw_auth_line line = {
		.service = pw_str_from(text_of(event, COMPAT_EVENT_SERVICE)),
		.credential = PW_AUTH_CREDENTIAL_UNKNOWN,
	};

	if (result < 0)
		return;
	line.result = (enum pw_auth_result)result;
	if (!is_worth_telling(event, &line))
		return;
	line.login = pw_str_from(name_of(event));
	line.remote = pw_str_from(text_of(event, "remote_ip"));
	line.port = number_of(event, "remote_port", 0);
	line.session = pw_str_from(text_of(event, "session"));
	if (result == PW_AUTH_FAILURE || result == PW_AUTH_UNKNOWN)
		line.password = number_of(event, FIELD_PASSWORD, 0);
	guard_report(&line);
}

static bool on_event(struct event *event, enum event_callback_type type,
                     struct failure_context *ctx ATTR_UNUSED, const char *fmt ATTR_UNUSED,
                     va_list args ATTR_UNUSED)
{
	if (type == EVENT_CALLBACK_TYPE_CREATE)
		compat_want_event(&report.wanted, EVENT_FINISHED);
	else if (type == EVENT_CALLBACK_TYPE_SEND && event->sending_name != NULL &&
	         strcmp(event->sending_name, EVENT_FINISHED) == 0)
		tell(event);
	return TRUE;
}

void report_init(void)
{
	if (report.is_watching)
		return;
	report.is_watching = true;
	hash_table_create(&report.logins, default_pool, 0, str_hash, strcmp);
	compat_want_event(&report.wanted, EVENT_FINISHED);
	event_register_callback(on_event);
}

void report_deinit(void)
{
	if (!report.is_watching)
		return;
	report.is_watching = false;
	event_unregister_callback(on_event);
	compat_unwant_event(&report.wanted);
	forget_all();
	hash_table_destroy(&report.logins);
}
