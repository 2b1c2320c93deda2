#include "auth-common.h"

#include "passdb.h"

#include "hash.h"
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

static struct {
	HASH_TABLE(char *, void *)
	credentials; /* key: who from where; value: number + 1 */
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
	char *key;
	void *value;

	iter = hash_table_iterate_init(report.credentials);
	while (hash_table_iterate(iter, report.credentials, &key, &value))
		i_free(key);
	hash_table_iterate_deinit(&iter);
	hash_table_clear(report.credentials, TRUE);
}

static void remember(const char *who, int64_t number)
{
	char *key;
	void *value;

	if (hash_table_lookup_full(report.credentials, who, &key, &value)) {
		hash_table_update(report.credentials, key,
		                  POINTER_CAST((uintptr_t)number + 1));
		return;
	}
	if (hash_table_count(report.credentials) >= REMEMBERED_MAX)
		forget_all();
	key = i_strdup(who);
	hash_table_insert(report.credentials, key, POINTER_CAST((uintptr_t)number + 1));
}

/* What the cache knows about a login is what the driver answered last. */
static int64_t credential_of(struct event *event)
{
	const char *who =
		t_strdup_printf("%s\t%s\t%s\t%s", text_of(event, "translated_user"),
	                        text_of(event, COMPAT_EVENT_SERVICE),
	                        text_of(event, "remote_ip"), text_of(event, "mechanism"));
	int64_t number = number_of(event, FIELD_CREDENTIAL, -1);
	void *known;

	if (passdb_cache == NULL)
		return number;
	if (number >= 0) {
		remember(who, number);
		return number;
	}
	known = hash_table_lookup(report.credentials, who);
	return known == NULL ? -1 : (int64_t)POINTER_CAST_TO(known, uintptr_t) - 1;
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
static const char *login_of(struct event *event)
{
	const char *master = text_of(event, "master_user");

	return *master != '\0' ? master : text_of(event, "user");
}

static void tell(struct event *event)
{
	int result = result_of(event);
	struct pw_auth_line line = {
		.login = pw_str_from(login_of(event)),
		.remote = pw_str_from(text_of(event, "remote_ip")),
		.port = number_of(event, "remote_port", 0),
		.service = pw_str_from(text_of(event, COMPAT_EVENT_SERVICE)),
		.session = pw_str_from(text_of(event, "session")),
		.credential = PW_AUTH_CREDENTIAL_UNKNOWN,
	};

	if (result < 0)
		return;
	line.result = (enum pw_auth_result)result;
	if (line.result == PW_AUTH_SUCCESS)
		line.credential = credential_of(event);
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
	hash_table_create(&report.credentials, default_pool, 0, str_hash, strcmp);
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
	hash_table_destroy(&report.credentials);
}
