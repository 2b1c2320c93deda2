#include "tools/json.h"

#include <stdio.h>

#include "core/score_text.h"
#include "core/utf8.h"

void tool_json_put(struct json_object **json)
{
	json_object_put(*json);
}

/* JSON is UTF-8; what comes from a message need not be. */
struct json_object *tool_json_string(struct pw_str s)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_utf8_put(&text, s);
	return json_object_new_string_len(pw_buf_text(&text), (int)text.len);
}

void tool_json_print(struct json_object *json)
{
	puts(json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
}

void tool_json_print_error(const char *text)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();

	json_object_object_add(json, "error", json_object_new_string(text));
	tool_json_print(json);
}

struct pw_str tool_json_member(struct json_object *json, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(json, name, &value) ||
	    !json_object_is_type(value, json_type_string))
		return (struct pw_str){ "", 0 };
	return (struct pw_str){ json_object_get_string(value),
		                (size_t)json_object_get_string_len(value) };
}

void tool_json_add(struct json_object *json, const char *name, struct pw_str text)
{
	json_object_object_add(json, name, tool_json_string(text));
}

struct json_object *tool_json_milli(int64_t milli)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_milli_put(&text, milli);
	while (text.len > 0 && text.at[text.len - 1] == '0')
		pw_buf_truncate(&text, text.len - 1);
	if (text.len > 0 && text.at[text.len - 1] == '.')
		pw_buf_truncate(&text, text.len - 1);
	return json_object_new_double_s((double)milli / 1000.0, pw_buf_text(&text));
}

bool tool_json_int(struct json_object *json, const char *name, int64_t min, int64_t max,
                   int64_t *out)
{
	struct json_object *value;
	int64_t n;

	if (!json_object_object_get_ex(json, name, &value))
		return true;
	n = json_object_get_int64(value);
	if (!json_object_is_type(value, json_type_int) || n < min || n > max)
		return false;
	*out = n;
	return true;
}

void tool_json_add_note(struct json_object *list, const char *file, unsigned int line,
                        struct pw_str what, struct pw_str why)
{
	struct json_object *one = json_object_new_object();

	tool_json_add(one, "file", pw_str_from(file));
	json_object_object_add(one, "line", json_object_new_int64(line));
	tool_json_add(one, "what", what);
	tool_json_add(one, "why", why);
	json_object_array_add(list, one);
}
