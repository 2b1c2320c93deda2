/* postwardctl edge keys: the keys with which an edge stamps mail. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "io/clock.h"
#include "io/file.h"
#include "tools/command.h"
#include "tools/edge/verbs.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/owned_file.h"
#include "tools/settings_file.h"
#include "tools/stamp_keys.h"

const char edge_keys_usage[] =
	"usage: postwardctl edge keys new|list [OPTION...]\n"
	"Keys with which the edge stamps mail, for its own queue and for an inner host "
	"that\n"
	"takes no XCLIENT, which then has the same file and gets a new key first.\n"
	"  new                  add a key; those that nothing is accepted with go\n"
	"  list                 when each begins and ends, never the keys\n"
	"  --file FILE          default: setting stamp_keys, else " STAMP_KEYS_FILE "\n"
	"  --in DAYS            when its time begins; default: 1, of the first one 0\n"
	"  --days DAYS          how long it is for; default 400\n"
	"  --json               one JSON object\n";

struct options {
	const char *file;
	int64_t in_days, days;
	bool is_json;
};

static int fail(int code, const char *what, const char *why)
{
	(void)fprintf(stderr, "postwardctl edge keys: %s: %s\n", what, why);
	return code;
}

/* The file and its keys; one that is not there has none. */
static int read_keys(struct pw_buf *text, struct pw_stamp_keys *keys, const char *path)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r = pw_file_read(text, path, PW_STAMP_KEY_FILE_MAX);

	keys->count = 0;
	if (r == PW_ERR_NOTFOUND)
		return EXIT_FINE;
	if (r == PW_OK)
		r = pw_stamp_keys_parse(keys, pw_buf_str(text), &why);
	if (r == PW_OK)
		return EXIT_FINE;
	return fail(r == PW_ERR_DENIED ? EX_NOPERM : EX_DATAERR, path,
	            why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
}

static const char *state_of(const struct pw_stamp_keys *keys,
                            const struct pw_stamp_key *key, int64_t now_s)
{
	if (key == pw_stamp_keys_signer(keys, now_s))
		return "signs";
	if (key->not_before_s > now_s)
		return "waits";
	if (key->not_after_s >= now_s)
		return "valid";
	return pw_stamp_key_is_valid(key, now_s) ? "fades" : "over";
}

static void put_dates(struct pw_buf *from, struct pw_buf *until,
                      const struct pw_stamp_key *key)
{
	pw_stamp_key_put_date(from, key->not_before_s);
	pw_stamp_key_put_date(until, key->not_after_s);
}

static struct json_object *as_json(const struct pw_stamp_keys *keys, int64_t now_s)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < keys->count; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf from = { 0 }, until = { 0 };
		struct json_object *one = json_object_new_object();
		const struct pw_stamp_key *key = &keys->keys[i];

		put_dates(&from, &until, key);
		tool_json_add(one, "id", pw_str_from(key->id));
		tool_json_add(one, "from", pw_buf_str(&from));
		tool_json_add(one, "until", pw_buf_str(&until));
		tool_json_add(one, "state", pw_str_from(state_of(keys, key, now_s)));
		json_object_array_add(list, one);
	}
	return list;
}

static void print_json(const struct options *opt, const struct pw_stamp_keys *keys,
                       const char *made, int64_t now_s)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();

	json_object_object_add(
		json, "ok",
		json_object_new_boolean(pw_stamp_keys_signer(keys, now_s) != NULL));
	tool_json_add(json, "file", pw_str_from(opt->file));
	if (made != NULL)
		tool_json_add(json, "made", pw_str_from(made));
	json_object_object_add(json, "keys", as_json(keys, now_s));
	tool_json_print(json);
}

static int print(const struct options *opt, const struct pw_stamp_keys *keys,
                 const char *made, int64_t now_s)
{
	bool is_well = pw_stamp_keys_signer(keys, now_s) != NULL;

	if (opt->is_json)
		print_json(opt, keys, made, now_s);
	for (size_t i = 0; !opt->is_json && i < keys->count; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf from = { 0 }, until = { 0 };

		put_dates(&from, &until, &keys->keys[i]);
		printf("%s  %s  %s  %s\n", keys->keys[i].id, pw_buf_text(&from),
		       pw_buf_text(&until), state_of(keys, &keys->keys[i], now_s));
	}
	if (!opt->is_json && made != NULL)
		printf("made %s in %s\nAn inner host that reads stamps gets this file "
		       "before "
		       "its time begins; then, on both:\n  systemctl reload "
		       "postward-origin\n",
		       made, opt->file);
	if (!opt->is_json && !is_well)
		puts("no key whose time it is: nothing is stamped");
	return is_well || made != NULL ? EXIT_FINE : EXIT_PROBLEMS;
}

static int replace(const char *path, struct pw_str text)
{
	const char *why = tool_replace_owned(path, text, 0600, STAMP_KEYS_OWNER);

	return why == NULL ? EXIT_FINE : fail(EX_CANTCREAT, path, why);
}

static int make(struct options *opt, struct pw_stamp_keys *keys, struct pw_buf *text,
                int64_t now_s)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf next = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	bool is_first = pw_stamp_keys_signer(keys, now_s) == NULL;
	int64_t from_s = now_s + (opt->in_days >= 0 ? opt->in_days
	                          : is_first        ? 0
	                                            : 1) *
	                                 STAMP_KEYS_DAY_S;
	enum pw_status r;
	int code;

	pw_buf_init(&next, PW_STAMP_KEY_FILE_MAX);
	(void)stamp_keys_prune(&next, pw_buf_str(text), keys, now_s);
	r = stamp_keys_make(&next, from_s, from_s + opt->days * STAMP_KEYS_DAY_S);
	pw_stamp_keys_done(keys);
	if (r == PW_OK)
		r = pw_stamp_keys_parse(keys, pw_buf_str(&next), &why);
	if (r != PW_OK)
		return fail(EX_SOFTWARE, opt->file,
		            why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
	if ((code = replace(opt->file, pw_buf_str(&next))) != EXIT_FINE)
		return code;
	return print(opt, keys, keys->keys[keys->count - 1].id, now_s);
}

static int run(struct options *opt, bool is_new)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf setting = { 0 };
	int64_t now_s = pw_clock_wall_ms() / 1000;
	int code;

	settings_file_value(&setting, "postward-origin", "stamp_keys", "");
	if (opt->file == NULL)
		opt->file = setting.len > 0 ? pw_buf_text(&setting) : STAMP_KEYS_FILE;
	if ((code = read_keys(&text, &keys, opt->file)) != EXIT_FINE)
		return code;
	return is_new ? make(opt, &keys, &text, now_s) : print(opt, &keys, NULL, now_s);
}

int edge_keys(int argc, char **argv)
{
	struct options opt = { .in_days = -1, .days = STAMP_KEYS_DAYS };
	const struct tool_option options[] = {
		{ "file", .text = &opt.file },
		{ "in", .number = &opt.in_days, .min = 0, .max = 3650 },
		{ "days", .number = &opt.days, .min = 1, .max = 3650 },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;
	bool is_new;

	if (!tool_options_take(options, PW_LEN(options), edge_keys_usage, argc, argv,
	                       &operand, &code))
		return code;
	if (operand != argc - 1)
		return tool_wrong_use(edge_keys_usage);
	is_new = strcmp(argv[operand], "new") == 0;
	if (!is_new && strcmp(argv[operand], "list") != 0)
		return tool_wrong_use(edge_keys_usage);
	return run(&opt, is_new);
}
