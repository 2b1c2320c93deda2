/* postwardctl edge held: mail that the edge took for its queue, that the inner host
 * refused later, and that nobody may be told of. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "io/child.h"
#include "tools/command.h"
#include "tools/edge/verbs.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/plain.h"

#define TIMEOUT_MS 60000
#define QUEUE_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define HEADER_MAX_BYTES ((size_t)256 * 1024)
#define REFUSED "X-Postward-Refused"

const char edge_held_usage[] =
	"usage: postwardctl edge held [--json]\n"
	"Mail on hold in this edge's queue, and why the inner host refused it.\n";

static bool run_postfix(const char *const *argv, struct pw_buf *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf err = { 0 };
	int code = 0;
	enum pw_status r =
		pw_child_run(argv, (struct pw_str){ 0 }, out, &err, TIMEOUT_MS, &code);

	if (r == PW_OK && code == 0)
		return true;
	(void)fprintf(stderr, "postwardctl edge held: %s: %s%s", argv[0],
	              r != PW_OK ? pw_status_text(r) : pw_buf_text(&err),
	              r != PW_OK || err.len == 0 ? "\n" : "");
	return false;
}

/* The inner host's words, out of the header as Postfix has it; empty = not held by us. */
static void read_reason(struct pw_buf *out, struct pw_str id)
{
	PW_AUTO(pw_buf_done) struct pw_buf header = { 0 }, name = { 0 };
	struct pw_str rest;
	bool is_ours = false;

	pw_buf_puts(&name, id);
	pw_buf_init(&header, HEADER_MAX_BYTES);
	if (!run_postfix(
		    (const char *const[]){ "postcat", "-qh", pw_buf_text(&name), NULL },
		    &header))
		return;
	rest = pw_buf_str(&header);
	while (rest.len > 0) {
		struct pw_str line = pw_str_cut(&rest, '\n'), value = line, field;

		if (line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t')) {
			if (is_ours)
				pw_buf_printf(out, " %.*s", PW_FMT(pw_str_trim(line)));
			continue;
		}
		field = pw_str_cut(&value, ':');
		is_ours = out->len == 0 && pw_str_eq_nocase(field, PW_STR(REFUSED));
		if (is_ours)
			pw_buf_puts(out, pw_str_trim(value));
	}
}

static struct json_object *recipients_of(struct json_object *entry)
{
	struct json_object *list = json_object_new_array(), *all = NULL;

	if (json_object_object_get_ex(entry, "recipients", &all))
		for (size_t i = 0; i < json_object_array_length(all); i++)
			json_object_array_add(
				list,
				tool_json_string(tool_json_member(
					json_object_array_get_idx(all, i), "address")));
	return list;
}

static void add(struct json_object *list, struct json_object *entry)
{
	PW_AUTO(pw_buf_done) struct pw_buf reason = { 0 };
	struct json_object *one;
	struct pw_str id = tool_json_member(entry, "queue_id");
	int64_t arrival_s = 0, size = 0;

	if (!pw_str_eq(tool_json_member(entry, "queue_name"), PW_STR("hold")))
		return;
	(void)tool_json_int(entry, "arrival_time", 0, INT64_MAX, &arrival_s);
	(void)tool_json_int(entry, "message_size", 0, INT64_MAX, &size);
	read_reason(&reason, id);
	one = json_object_new_object();
	tool_json_add(one, "id", id);
	json_object_object_add(one, "arrival", json_object_new_int64(arrival_s));
	json_object_object_add(one, "size", json_object_new_int64(size));
	tool_json_add(one, "sender", tool_json_member(entry, "sender"));
	json_object_object_add(one, "recipients", recipients_of(entry));
	tool_json_add(one, "refused", pw_buf_str(&reason));
	json_object_array_add(list, one);
}

static struct json_object *read_all(struct pw_str lines)
{
	struct json_object *list = json_object_new_array();

	while (lines.len > 0) {
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
		PW_AUTO(tool_json_put) struct json_object *entry = NULL;

		pw_buf_puts(&text, pw_str_cut(&lines, '\n'));
		entry = json_tokener_parse(pw_buf_text(&text));
		if (entry != NULL)
			add(list, entry);
	}
	return list;
}

static void print_text(const char *label, struct pw_str text)
{
	printf("  %-8s ", label);
	tool_print_plain(text);
	(void)putchar('\n');
}

static void print_one(struct json_object *one)
{
	struct json_object *recipients = json_object_object_get(one, "recipients");
	struct pw_str refused = tool_json_member(one, "refused");
	time_t arrival = json_object_get_int64(json_object_object_get(one, "arrival"));
	char when[40] = "";
	struct tm tm;

	if (gmtime_r(&arrival, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%SZ", &tm);
	printf("%.*s  %s  %" PRId64 " bytes\n", PW_FMT(tool_json_member(one, "id")), when,
	       json_object_get_int64(json_object_object_get(one, "size")));
	print_text("from", tool_json_member(one, "sender"));
	for (size_t i = 0; i < json_object_array_length(recipients); i++)
		print_text("to", pw_str_from(json_object_get_string(
					 json_object_array_get_idx(recipients, i))));
	print_text("refused", refused.len > 0 ? refused
	                                      : PW_STR("not by the inner host: somebody "
	                                               "else put it on hold"));
}

static int print(struct json_object *list)
{
	size_t count = json_object_array_length(list);

	for (size_t i = 0; i < count; i++)
		print_one(json_object_array_get_idx(list, i));
	if (count == 0)
		puts("nothing is on hold");
	else
		puts("read one: postcat -q ID; drop it: postsuper -d ID; send it inside "
		     "again: "
		     "postsuper -H ID");
	return count == 0 ? EXIT_FINE : EXIT_PROBLEMS;
}

int edge_held(int argc, char **argv)
{
	PW_AUTO(pw_buf_done) struct pw_buf lines = { 0 };
	PW_AUTO(tool_json_put) struct json_object *json = NULL;
	bool is_json = false;
	const struct tool_option options[] = { { "json", .flag = &is_json } };
	struct json_object *list;
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), edge_held_usage, argc, argv,
	                       &operand, &code))
		return code;
	if (operand < argc)
		return tool_wrong_use(edge_held_usage);
	pw_buf_init(&lines, QUEUE_MAX_BYTES);
	if (!run_postfix((const char *const[]){ "postqueue", "-j", NULL }, &lines))
		return EX_UNAVAILABLE;
	json = json_object_new_object();
	list = read_all(pw_buf_str(&lines));
	json_object_object_add(
		json, "ok", json_object_new_boolean(json_object_array_length(list) == 0));
	json_object_object_add(json, "held", list);
	if (!is_json)
		return print(list);
	tool_json_print(json);
	return json_object_array_length(list) == 0 ? EXIT_FINE : EXIT_PROBLEMS;
}
