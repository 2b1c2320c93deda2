#include "policyd/policy_json.h"

#include <json.h>
#include <string.h>

/* Nothing in it has members of its own. */
#define DEPTH_MAX 2
/* Hexadecimal digits of Dovecot's hash that are looked at: its 12 bits are three. */
#define HASH_DIGITS_MAX 8

static void free_tokener(struct json_tokener **tokener)
{
	if (*tokener != NULL)
		json_tokener_free(*tokener);
}

static void put_object(struct json_object **object)
{
	json_object_put(*object);
}

/* A text; what is none, or not there, is empty. */
static struct pw_str text_of(const struct json_object *object, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, name, &value) ||
	    !json_object_is_type(value, json_type_string))
		return PW_STR("");
	return (struct pw_str){ json_object_get_string(value),
		                (size_t)json_object_get_string_len(value) };
}

static bool is_true(const struct json_object *object, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(object, name, &value) &&
	       json_object_is_type(value, json_type_boolean) &&
	       json_object_get_boolean(value);
}

/* Dovecot's hash of the password, in hexadecimal digits, as one of ours; 0 = none. */
static int64_t password_of(struct pw_str digits)
{
	static const char values[] = "0123456789abcdef";
	int64_t hash = 0;

	if (digits.len == 0 || digits.len > HASH_DIGITS_MAX)
		return 0;
	for (size_t i = 0; i < digits.len; i++) {
		const char *found = memchr(values, digits.at[i], 16);

		if (found == NULL)
			return 0;
		hash = hash * 16 + (found - values);
	}
	return hash % PW_AUTH_PASSWORD_MAX + 1;
}

/* Dovecot 2.4 says why (fail_type); 2.3 only that it failed. */
static const struct fail {
	const char *word;
	enum policy_end end;
	enum pw_auth_result result;
} fails[] = {
	{ "internal", POLICY_END_INTERNAL, PW_AUTH_REFUSED },
	{ "credentials", POLICY_END_KNOWN, PW_AUTH_FAILURE },
	{ "account", POLICY_END_KNOWN, PW_AUTH_UNKNOWN },
	{ "disabled", POLICY_END_KNOWN, PW_AUTH_REFUSED },
	{ "expired", POLICY_END_KNOWN, PW_AUTH_REFUSED },
	{ "policy", POLICY_END_KNOWN, PW_AUTH_REFUSED },
};

static void read_end(struct policy_json *out, const struct json_object *object)
{
	struct pw_str word = text_of(object, "fail_type");

	out->line.result = PW_AUTH_FAILURE;
	if (is_true(object, "success")) {
		out->end = POLICY_END_KNOWN;
		out->line.result = PW_AUTH_SUCCESS;
	} else if (is_true(object, "policy_reject")) {
		out->end = POLICY_END_KNOWN;
		out->line.result = PW_AUTH_REFUSED;
	}
	for (size_t i = 0; i < PW_LEN(fails) && out->end == POLICY_END_UNTOLD; i++)
		if (pw_str_eq(word, pw_str_from(fails[i].word))) {
			out->end = fails[i].end;
			out->line.result = fails[i].result;
		}
}

/* Texts that outlive the object: copied behind each other. */
static enum pw_status copy_texts(struct policy_json *out,
                                 const struct json_object *object)
{
	const struct {
		const char *name;
		struct pw_str *to;
	} texts[] = {
		{ "login", &out->line.login },
		{ "remote", &out->line.remote },
		{ "protocol", &out->line.service },
		{ "session_id", &out->line.session },
	};
	size_t at = 0;

	for (size_t i = 0; i < PW_LEN(texts); i++) {
		*texts[i].to = text_of(object, texts[i].name);
		pw_buf_puts(&out->texts, *texts[i].to);
	}
	if (pw_buf_status(&out->texts) != PW_OK)
		return pw_buf_status(&out->texts);
	for (size_t i = 0; i < PW_LEN(texts); i++) {
		texts[i].to->at = pw_buf_text(&out->texts) + at;
		at += texts[i].to->len;
	}
	return PW_OK;
}

static enum pw_status parse(struct json_object **out, struct pw_str text)
{
	PW_AUTO(free_tokener)
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	PW_AUTO(put_object) struct json_object *object = NULL;

	if (tokener == NULL)
		return PW_ERR_NOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, text.at, (int)text.len);
	if (object == NULL || !json_object_is_type(object, json_type_object))
		return PW_ERR_SYNTAX;
	*out = PW_TAKE(object);
	return PW_OK;
}

enum pw_status policy_json_read(struct policy_json *out, struct pw_str text)
{
	PW_AUTO(put_object) struct json_object *object = NULL;
	enum pw_status r;

	if (text.len > POLICY_JSON_MAX)
		return PW_ERR_LIMIT;
	if (text.len == 0)
		return PW_ERR_SYNTAX;
	if ((r = parse(&object, text)) != PW_OK)
		return r;
	out->line.kind = PW_AUTH_REPORT;
	out->line.credential = PW_AUTH_CREDENTIAL_UNKNOWN;
	out->line.password = password_of(text_of(object, "pwhash"));
	read_end(out, object);
	return copy_texts(out, object);
}

void policy_json_done(struct policy_json *json)
{
	pw_buf_done(&json->texts);
}
