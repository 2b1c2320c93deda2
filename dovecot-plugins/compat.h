/* What differs between Dovecot 2.3 and 2.4: the only place that asks for the version.
 * Include it after Dovecot's own headers; it adapts what they brought in. */
#pragma once

#include "lib.h"

#define COMPAT_2_4 (DOVECOT_VERSION_MAJOR > 2 || DOVECOT_VERSION_MINOR >= 4)
#define COMPAT_2_4_3                                                                     \
	(COMPAT_2_4 && (DOVECOT_VERSION_MINOR > 4 || DOVECOT_VERSION_MICRO >= 3))

#if COMPAT_2_4
/* 2.4 has real settings for third parties. The config process learns them from
 * settings/libpostward_settings.so, built from this table. */
#include "settings-parser.h"

#include "settings.h"

struct postward_settings {
	pool_t pool;
	const char *postward_config; /* path of the auth driver's own settings */
	/* what mail processes need: they cannot read that file */
	const char *postward_usage_socket;
	const char *postward_quota_rule; /* of the userdb, as 2.3's quota_rule */
	const char *postward_learn_socket;
	const char *postward_learn_junk;
	const char *postward_learn_trash;
};

#define COMPAT_SETTING(name)                                                             \
	SETTING_DEFINE_STRUCT_STR(#name, name, struct postward_settings)
/* clang-format off */
static const struct setting_define postward_setting_defines[] = {
	COMPAT_SETTING(postward_config),
	COMPAT_SETTING(postward_usage_socket),
	COMPAT_SETTING(postward_quota_rule),
	COMPAT_SETTING(postward_learn_socket),
	COMPAT_SETTING(postward_learn_junk),
	COMPAT_SETTING(postward_learn_trash),
	SETTING_DEFINE_LIST_END,
};
/* clang-format on */
static const struct postward_settings postward_setting_defaults = {
	.postward_config = "/etc/dovecot/postward-dovecot.conf",
	.postward_usage_socket = "",
	.postward_quota_rule = "",
	.postward_learn_socket = "",
	.postward_learn_junk = "",
	.postward_learn_trash = "",
};
static const struct setting_parser_info postward_setting_parser_info = {
	.name = "postward",
	.defines = postward_setting_defines,
	.defaults = &postward_setting_defaults,
	.struct_size = sizeof(struct postward_settings),
	.pool_offset1 = 1 + offsetof(struct postward_settings, pool),
};
#endif

/* ---- auth driver ---- */
#ifdef PASSDB_H
#include "str.h"

#include "auth-cache.h"
#include "auth-client-connection.h"
#include "auth-settings.h"
#include "event-filter.h"

/* A field a lookup returned; value NULL = not set. */
struct compat_field {
	const char *name, *value;
};

/* What a driver is made from: the path of the settings file, or `database=conninfo`;
 * is it the passdb of master users? */
struct compat_origin {
	const char *args;
	bool is_master;
};

/* A driver's life with Dovecot, the same on every version: `create` makes the module in
 * pool from its origin (*error_r says why not), key names what an answer depends on, as a
 * cache must. Answers of master users are not cached: they depend on two names.
 * COMPAT_PREINIT(kind, create, key) makes compat_<kind>_preinit for the interface.
 *
 * COMPAT_WORKER_CALLBACK(name) begins the definition of a callback for auth_worker_call()
 * with the parameters `reply` and `context`; compat_worker_result(reply) reads it. */
#if COMPAT_2_4
#include "auth-worker-connection.h"

/* 2.4 does not know %u: it would be a constant, one cache entry for all users. */
#define COMPAT_EVENT_SERVICE "protocol"
#define COMPAT_KEY_USER "%{user}"
#define COMPAT_KEY_LOGIN "%{user}%{protocol}%{remote_ip}%{mechanism}"
/* quota_storage_size would override policyd's limit */
#define COMPAT_FIELD_QUOTA "postward_quota_rule"

static inline const char *compat_service(const struct auth_request *request)
{
	return request->fields.protocol;
}

static inline int compat_client_fd(const struct auth_client_connection *client)
{
	return client->conn.fd_in;
}

static inline int compat_config(pool_t pool, struct event *event, const char **args_r,
                                const char **error_r)
{
	const struct postward_settings *set;

	if (settings_get(event, &postward_setting_parser_info, 0, &set, error_r) < 0)
		return -1;
	*args_r = p_strdup(pool, set->postward_config);
	settings_free(set);
	return 0;
}

static inline int compat_passdb_origin(pool_t pool, struct event *event,
                                       struct compat_origin *origin_r,
                                       const char **error_r)
{
	const struct auth_passdb_settings *set;

	if (settings_get(event, &auth_passdb_setting_parser_info, 0, &set, error_r) < 0)
		return -1;
	origin_r->is_master = set->master;
	settings_free(set);
	return compat_config(pool, event, &origin_r->args, error_r);
}

static inline int compat_userdb_origin(pool_t pool, struct event *event,
                                       struct compat_origin *origin_r,
                                       const char **error_r)
{
	origin_r->is_master = FALSE;
	return compat_config(pool, event, &origin_r->args, error_r);
}

#if COMPAT_2_4_3
#define COMPAT_PREINIT(kind, create, key)                                                \
	static int compat_##kind##_preinit(pool_t pool, struct event *event,             \
	                                   const struct kind##_parameters *params,       \
	                                   struct kind##_module **module_r,              \
	                                   const char **error_r)                         \
	{                                                                                \
		struct compat_origin origin;                                             \
                                                                                         \
		if (compat_##kind##_origin(pool, event, &origin, error_r) < 0 ||         \
		    create(pool, &origin, module_r, error_r) < 0)                        \
			return -1;                                                       \
		if (origin.is_master)                                                    \
			return 0;                                                        \
		return kind##_set_cache_key(*module_r, params, pool, key, NULL,          \
		                            "postward", error_r);                        \
	}
#else
#define COMPAT_PREINIT(kind, create, key)                                                \
	static int compat_##kind##_preinit(pool_t pool, struct event *event,             \
	                                   struct kind##_module **module_r,              \
	                                   const char **error_r)                         \
	{                                                                                \
		struct compat_origin origin;                                             \
		ARRAY_TYPE(const_string) none;                                           \
                                                                                         \
		if (compat_##kind##_origin(pool, event, &origin, error_r) < 0 ||         \
		    create(pool, &origin, module_r, error_r) < 0)                        \
			return -1;                                                       \
		if (origin.is_master)                                                    \
			return 0;                                                        \
		t_array_init(&none, 1);                                                  \
		(*module_r)->default_cache_key =                                         \
			auth_cache_parse_key_and_fields(pool, key, &none, "postward");   \
		return 0;                                                                \
	}
#endif

static inline enum passdb_result compat_verify(struct auth_request *request,
                                               const char *password, const char *scheme,
                                               bool log_mismatch)
{
	enum passdb_result result = auth_request_db_password_verify_log(
		request, request->mech_password, password, scheme, log_mismatch);

	return result == PASSDB_RESULT_OK || result == PASSDB_RESULT_PASSWORD_MISMATCH
	               ? result
	               : PASSDB_RESULT_INTERNAL_FAILURE;
}

#define COMPAT_WORKER_CALLBACK(name)                                                     \
	static bool name(struct auth_worker_connection *conn ATTR_UNUSED,                \
	                 const char *const *reply, void *context)

static inline enum passdb_result compat_worker_result(const char *const *reply)
{
	if (strcmp(reply[0], "OK") == 0)
		return PASSDB_RESULT_OK;
	return strcmp(reply[0], "FAIL") == 0 && null_strcmp(reply[1], "0") == 0
	               ? PASSDB_RESULT_PASSWORD_MISMATCH
	               : PASSDB_RESULT_INTERNAL_FAILURE;
}

static inline void compat_log_unknown_user(struct auth_request *request)
{
	auth_request_db_log_unknown_user(request);
}

/* Fields into the request; false: the passdb_fields or userdb_fields of the configuration
 * cannot be expanded (logged). */
static inline bool compat_passdb_fields(struct auth_request *request,
                                        const struct compat_field *field, size_t count)
{
	struct auth_fields *fields = auth_fields_init(request->pool);

	for (size_t i = 0; i < count; i++) {
		if (field[i].value == NULL)
			continue;
		auth_fields_add(fields, field[i].name, field[i].value, 0);
		auth_request_set_field(request, field[i].name, field[i].value,
		                       request->passdb->passdb->default_pass_scheme);
	}
	return auth_request_set_passdb_fields(request, fields) == 0;
}

static inline void compat_userdb_field(struct auth_request *request,
                                       struct auth_fields *fields, const char *name,
                                       const char *value)
{
	auth_fields_add(fields, name, value, 0);
	auth_request_set_userdb_field(request, name, value);
}

/* `mail` is several settings in 2.4: DRIVER:PATH[:INDEX=PATH]... It says all of them:
 * what the configuration has for another driver's INBOX must not stay. */
static inline void compat_userdb_mail(struct auth_request *request,
                                      struct auth_fields *fields, const char *location)
{
	static const struct {
		const char *option, *setting;
	} options[] = {
		{ "INBOX=", "mail_inbox_path" },          { "INDEX=", "mail_index_path" },
		{ "CONTROL=", "mail_control_path" },      { "ALT=", "mail_alt_path" },
		{ "VOLATILEDIR=", "mail_volatile_path" },
	};
	const char *const *part = t_strsplit(location, ":");
	const char *path;

	compat_userdb_field(request, fields, "mail_driver", part[0]);
	if (part[1] == NULL)
		return;
	compat_userdb_field(request, fields, "mail_path", part[1]);
	if (strcmp(part[0], "mbox") != 0)
		compat_userdb_field(request, fields, "mail_inbox_path",
		                    strcmp(part[0], "maildir") == 0 ? "." : "");
	for (part += 2; *part != NULL; part++) {
		for (unsigned int i = 0; i < N_ELEMENTS(options); i++) {
			if (str_begins(*part, options[i].option, &path))
				compat_userdb_field(request, fields, options[i].setting,
				                    path);
		}
	}
}

static inline bool compat_userdb_fields(struct auth_request *request,
                                        const struct compat_field *field, size_t count)
{
	struct auth_fields *fields = auth_fields_init(request->pool);

	for (size_t i = 0; i < count; i++) {
		if (field[i].name == NULL || field[i].value == NULL)
			continue;
		if (strcmp(field[i].name, "mail") == 0)
			compat_userdb_mail(request, fields, field[i].value);
		else
			compat_userdb_field(request, fields, field[i].name,
			                    field[i].value);
	}
	return auth_request_set_userdb_fields(request, fields) == 0;
}
#else
#include "auth-worker-server.h"

#define COMPAT_EVENT_SERVICE "service"
#define COMPAT_KEY_USER "%u"
#define COMPAT_KEY_LOGIN "%u%s%r%m"
#define COMPAT_FIELD_QUOTA "quota_rule"

static inline const char *compat_service(const struct auth_request *request)
{
	return request->fields.service;
}

static inline int compat_client_fd(const struct auth_client_connection *client)
{
	return client->fd;
}

/* `master:` before the path marks the passdb of master users: a driver of 2.3 is not told
 * about `master = yes` when it is made. */
static inline struct compat_origin compat_origin(const char *args)
{
	bool is_master = strncmp(args, "master:", 7) == 0;

	return (struct compat_origin){ args + (is_master ? 7 : 0), is_master };
}

/* 2.3 has no way to refuse but to end the process, as its own drivers do. */
#define COMPAT_PREINIT(kind, create, key)                                                \
	static struct kind##_module *compat_##kind##_preinit(pool_t pool,                \
	                                                     const char *args)           \
	{                                                                                \
		struct compat_origin origin = compat_origin(args);                       \
		struct kind##_module *module = NULL;                                     \
		const char *error;                                                       \
                                                                                         \
		if (create(pool, &origin, &module, &error) < 0)                          \
			i_fatal(#kind " postward: %s", error);                           \
		if (!origin.is_master)                                                   \
			module->default_cache_key = auth_cache_parse_key(pool, key);     \
		return module;                                                           \
	}

static inline enum passdb_result compat_verify(struct auth_request *request,
                                               const char *password, const char *scheme,
                                               bool log_mismatch)
{
	int r = auth_request_password_verify_log(request, request->mech_password,
	                                         password, scheme, AUTH_SUBSYS_DB,
	                                         log_mismatch);

	if (r < 0) /* a hash it cannot read (logged) proves nothing about the password */
		return PASSDB_RESULT_INTERNAL_FAILURE;
	return r > 0 ? PASSDB_RESULT_OK : PASSDB_RESULT_PASSWORD_MISMATCH;
}

#define COMPAT_WORKER_CALLBACK(name)                                                     \
	static bool name(struct auth_worker_connection *conn ATTR_UNUSED,                \
	                 const char *reply, void *context)

static inline enum passdb_result compat_worker_result(const char *reply)
{
	if (strncmp(reply, "OK\t", 3) == 0)
		return PASSDB_RESULT_OK;
	return strcmp(reply, "FAIL\t0") == 0 ? PASSDB_RESULT_PASSWORD_MISMATCH
	                                     : PASSDB_RESULT_INTERNAL_FAILURE;
}

static inline void compat_log_unknown_user(struct auth_request *request)
{
	auth_request_log_unknown_user(request, AUTH_SUBSYS_DB);
}

static inline bool compat_passdb_fields(struct auth_request *request,
                                        const struct compat_field *field, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (field[i].value != NULL)
			auth_request_set_field(
				request, field[i].name, field[i].value,
				request->passdb->passdb->default_pass_scheme);
	}
	return TRUE;
}

static inline bool compat_userdb_fields(struct auth_request *request,
                                        const struct compat_field *field, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (field[i].value != NULL)
			auth_request_set_userdb_field(request, field[i].name,
			                              field[i].value);
	}
	return TRUE;
}
#endif

/* ---- events ----
 *
 * A debug event goes to no callback unless a filter asks for it. compat_want_event() adds
 * one for an event of that name; call it whenever an event is made, since the statistics
 * client of this process replaces what is there when it connects. */
#if COMPAT_2_4
#define COMPAT_MERGE_FILTER(to, from)                                                    \
	event_filter_merge(to, from, EVENT_FILTER_MERGE_OP_OR)
#else
#define COMPAT_MERGE_FILTER(to, from) event_filter_merge(to, from)
#endif

static inline struct event_filter *compat_event_filter(const char *name)
{
	struct event_filter *filter = event_filter_create();
	const char *error;

	if (event_filter_parse(t_strdup_printf("event=%s", name), filter, &error) < 0)
		i_unreached();
	return filter;
}

#if COMPAT_2_4_3
static inline void compat_want_event(struct event_filter **wanted, const char *name)
{
	if (*wanted != NULL)
		return;
	*wanted = compat_event_filter(name);
	*event_global_debug_send_filter_register() = *wanted;
	event_global_debug_send_filter_updated();
}

/* Dovecot's list keeps it. */
static inline void compat_unwant_event(struct event_filter **wanted)
{
	*wanted = NULL;
}
#else
static inline void compat_want_event(struct event_filter **wanted, const char *name)
{
	struct event_filter *now = event_get_global_debug_send_filter();

	if (*wanted != NULL && *wanted == now)
		return;
	event_filter_unref(wanted);
	*wanted = compat_event_filter(name);
	if (now != NULL)
		COMPAT_MERGE_FILTER(*wanted, now);
	event_set_global_debug_send_filter(*wanted);
}

static inline void compat_unwant_event(struct event_filter **wanted)
{
	event_filter_unref(wanted);
}
#endif
#endif

/* ---- quota plugin ---- */
#ifdef QUOTA_PRIVATE_H
#include "str.h"

/* Stock backend that counts usage in the indexes; exported, but in no header. */
extern struct quota_backend quota_backend_count;

#if COMPAT_2_4
#define COMPAT_QUOTA_ARGS
#define COMPAT_QUOTA_PASS_ARGS
#define COMPAT_QUOTA_BACKEND_FIELDS .use_vsize = TRUE,
#define COMPAT_QUOTA_LIMIT_VFUNC(function)

static inline const struct postward_settings *compat_settings(struct event *event)
{
	const struct postward_settings *set;
	const char *error;

	if (settings_get(event, &postward_setting_parser_info, 0, &set, &error) < 0) {
		e_error(event, "%s", error);
		return NULL;
	}
	return set;
}

/* Until policyd has said it, the limit is what the userdb says: ?:bytes=N:messages=N */
static inline void compat_quota_begin(struct quota_root *root)
{
	const struct postward_settings *set = compat_settings(root->quota->user->event);
	const char *number;
	int64_t limit;

	if (set == NULL)
		return;
	for (const char *const *word = t_strsplit(set->postward_quota_rule, ":");
	     *word != NULL; word++) {
		if (str_begins(*word, "bytes=", &number) &&
		    str_to_int64(number, &limit) == 0)
			root->bytes_limit = limit;
		else if (str_begins(*word, "messages=", &number) &&
		         str_to_int64(number, &limit) == 0)
			root->count_limit = limit;
	}
	settings_free(set);
}

/* The root's limits are new; a delivery may go over them by grace_bytes. 2.4 reads the
 * grace from the root's settings: it gets a copy of its own, and freeing that drops the
 * original, whose pool it names. */
static inline void compat_quota_limits_changed(struct quota_root *root,
                                               int64_t grace_bytes)
{
	struct quota_root_settings *set;

	if (root->set->quota_storage_grace == (uoff_t)grace_bytes)
		return;
	set = p_memdup(root->pool, root->set, sizeof(*set));
	set->quota_storage_grace = (uoff_t)grace_bytes;
	root->set = set;
}

#define COMPAT_QUOTA_NAMESPACES(root) (&(root)->namespaces)

static inline bool compat_quota_covers(struct quota_root *root ATTR_UNUSED,
                                       struct mail_namespace *ns ATTR_UNUSED)
{
	return TRUE;
}

/* Does the configuration leave this mailbox out? */
static inline bool compat_quota_ignores(struct quota_root *root, struct mailbox *box)
{
	const struct quota_root_settings *set;
	const char *error;
	bool is_ignored;

	if (settings_get_filter(box->event, "quota", root->set_filter_name,
	                        &quota_root_setting_parser_info, 0, &set, &error) < 0) {
		e_error(box->event, "%s", error);
		return FALSE;
	}
	is_ignored = set->quota_ignore;
	settings_free(set);
	return is_ignored;
}

/* The path, in the root's pool; NULL if not set. */
static inline const char *compat_usage_socket(struct quota_root *root)
{
	const struct postward_settings *set = compat_settings(root->quota->user->event);
	const char *path = NULL;

	if (set == NULL)
		return NULL;
	if (*set->postward_usage_socket != '\0')
		path = p_strdup(root->pool, set->postward_usage_socket);
	settings_free(set);
	return path;
}
#define COMPAT_USAGE_SOCKET(root) compat_usage_socket(root)
#else
#define COMPAT_QUOTA_ARGS const char *args,
#define COMPAT_QUOTA_PASS_ARGS args,
#define COMPAT_QUOTA_BACKEND_FIELDS
#define COMPAT_QUOTA_LIMIT_VFUNC(function) .init_limits = function,

/* Sizes are virtual ones. The limit of the userdb's quota_rule is the root's already. */
static inline void compat_quota_begin(struct quota_root *root)
{
	root->quota->set->vsizes = TRUE;
}

#define COMPAT_QUOTA_NAMESPACES(root) (&(root)->quota->namespaces)

static inline bool compat_quota_covers(struct quota_root *root, struct mail_namespace *ns)
{
	return quota_root_is_namespace_visible(root, ns);
}

/* Does the configuration leave this mailbox out? */
static inline bool compat_quota_ignores(struct quota_root *root, struct mailbox *box)
{
	const struct quota_rule *rule =
		quota_root_rule_find(root->set, mailbox_get_vname(box));

	return rule != NULL && rule->ignore;
}

/* The root's limits are new; a delivery may go over them by grace_bytes. What other rules
 * say in percent follows. */
static inline void compat_quota_limits_changed(struct quota_root *root,
                                               int64_t grace_bytes)
{
	quota_root_recalculate_relative_rules(root->set, root->bytes_limit,
	                                      root->count_limit);
	root->set->last_mail_max_extra_bytes = (uint64_t)grace_bytes;
}

/* `quota = postward:NAME:socket=/path`; *args is left with what the stock backend knows.
 */
static inline const char *compat_usage_socket(struct quota_root *root, const char **args)
{
	string_t *rest = t_str_new(64);
	const char *path = NULL;

	if (*args == NULL)
		return NULL;
	for (const char *const *word = t_strsplit(*args, ":"); *word != NULL; word++) {
		if (strncmp(*word, "socket=", 7) == 0) {
			path = p_strdup(root->pool, *word + 7);
		} else {
			str_append(rest, str_len(rest) > 0 ? ":" : "");
			str_append(rest, *word);
		}
	}
	*args = str_c(rest);
	return path;
}
#define COMPAT_USAGE_SOCKET(root) compat_usage_socket(root, &args)
#endif
#endif

/* ---- learn plugin ---- */
#if defined(MAIL_STORAGE_HOOKS_H) && defined(MAIL_USER_H)
/* Path of the socket; names of mailboxes that take part besides those of special use, ""
 * = none. */
struct compat_learn {
	const char *socket, *junk, *trash;
};

#if COMPAT_2_4
/* What is set replaces what *out holds; false: the settings cannot be read (logged). */
static inline bool compat_learn_settings(struct mail_user *user, struct compat_learn *out)
{
	const struct postward_settings *set;
	const char *error;

	if (settings_get(user->event, &postward_setting_parser_info, 0, &set, &error) <
	    0) {
		e_error(user->event, "%s", error);
		return FALSE;
	}
	if (*set->postward_learn_socket != '\0')
		out->socket = p_strdup(user->pool, set->postward_learn_socket);
	out->junk = p_strdup(user->pool, set->postward_learn_junk);
	out->trash = p_strdup(user->pool, set->postward_learn_trash);
	settings_free(set);
	return TRUE;
}
#else
static inline void compat_learn_setting(struct mail_user *user, const char *name,
                                        const char **out)
{
	const char *value = mail_user_plugin_getenv(user, name);

	if (value != NULL && *value != '\0')
		*out = value;
}

static inline bool compat_learn_settings(struct mail_user *user, struct compat_learn *out)
{
	compat_learn_setting(user, "postward_learn_socket", &out->socket);
	compat_learn_setting(user, "postward_learn_junk", &out->junk);
	compat_learn_setting(user, "postward_learn_trash", &out->trash);
	return TRUE;
}
#endif
#endif
