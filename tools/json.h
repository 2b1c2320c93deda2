/* JSON as the subcommands print and read it (json-c). */
#pragma once

#include <json-c/json.h>

#include "core/str.h"

/* For PW_AUTO. */
void tool_json_put(struct json_object **json);
struct json_object *tool_json_string(struct pw_str s);
/* One object, one line of standard output, flushed. */
void tool_json_print(struct json_object *json);
/* {"error": text} on a line. */
void tool_json_print_error(const char *text);
/* The string member of that name; empty when absent or no string. Borrowed from json. */
struct pw_str tool_json_member(struct json_object *json, const char *name);
/* Add a text member; bytes that are not UTF-8 become U+FFFD. */
void tool_json_add(struct json_object *json, const char *name, struct pw_str text);
/* Thousandths as a decimal number with at most three places: 800 is 0.8. */
struct json_object *tool_json_milli(int64_t milli);
/* The integer member of that name. Absent, *out keeps its value; returns false when it is
 * there and not within min..max. */
bool tool_json_int(struct json_object *json, const char *name, int64_t min, int64_t max,
                   int64_t *out);
/* Append to a list what a line of a file is about, and why it is mentioned: {"file",
 * "line", "what", "why"}. */
void tool_json_add_note(struct json_object *list, const char *file, unsigned int line,
                        struct pw_str what, struct pw_str why);
