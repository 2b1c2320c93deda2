/* postwardctl edge init: files for an edge and its inner host, to be looked at and used.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "io/clock.h"
#include "tools/command.h"
#include "tools/edge/kit.h"
#include "tools/edge/verbs.h"
#include "tools/edge/wireguard.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/shipped.h"
#include "tools/stamp_keys.h"

#define FOLDER "postward-edge"
#define TEXT_MAX_BYTES ((size_t)1024 * 1024)

const char edge_init_usage[] =
	"usage: postwardctl edge init --domain D --public A [OPTION...]\n"
	"Writes files for both hosts, to be looked at, and nothing else: the tunnel with "
	"new\n"
	"keys, firewalls, HAProxy, Postfix. No file that exists is touched.\n"
	"  --domain D           whose mail they take\n"
	"  --public A           the edge's public address, which the inner host calls\n"
	"  --hostname H         full name of the edge; default: mx.D\n"
	"  --inner-hostname H   of the inner host; default: inner.D\n"
	"  --edge-address A     the edge in the tunnel; default 10.9.0.1\n"
	"  --inner-address A    the inner host in the tunnel; default 10.9.0.2\n"
	"  --admin-network N    from where the inner host takes ssh; may be repeated; "
	"none\n"
	"                       by default: from nowhere\n"
	"  --fallback queue|defer  as for postwardctl setup; default: defer\n"
	"  --postscreen yes|no  likewise; default: yes\n"
	"  --out FOLDER         where to; default: " FOLDER "\n"
	"  --json               one JSON object\n";

struct options {
	struct edge_wish wish;
	struct tool_texts admins;
	const char *folder;
	bool is_json;
};

static int fail(int code, const char *what, const char *why)
{
	(void)fprintf(stderr, "postwardctl edge init: %s%s%s\n", what,
	              why != NULL ? ": " : "", why != NULL ? why : "");
	return code;
}

static void wipe_keys(struct edge_keys *keys)
{
	pw_wipe(keys, sizeof(*keys));
}

static enum pw_status take_admins(struct options *opt, struct pw_buf *why)
{
	for (size_t i = 0; i < opt->admins.count; i++) {
		if (opt->wish.admin_count == EDGE_NETWORKS_MAX ||
		    pw_net_parse(&opt->wish.admins[opt->wish.admin_count],
		                 pw_str_from(opt->admins.at[i])) != PW_OK) {
			pw_buf_printf(why, "--admin-network: not a network: %s",
			              opt->admins.at[i]);
			return PW_ERR_CONFIG;
		}
		opt->wish.admin_count++;
	}
	return PW_OK;
}

static void put_path(struct pw_buf *out, const struct options *opt, const char *name)
{
	pw_buf_reset(out);
	pw_buf_printf(out, "%s/%s", opt->folder, name);
}

/* All or nothing: keys of one end fit those of the other that were made with them. */
static int look_for_others(const struct options *opt)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	struct stat state;

	for (size_t i = 0; i < EDGE_FILES; i++) {
		put_path(&path, opt, edge_files[i].name);
		if (lstat(pw_buf_text(&path), &state) == 0)
			return fail(EX_CANTCREAT, pw_buf_text(&path),
			            "is there already, nothing was written; move it away "
			            "or give another --out");
	}
	return EXIT_FINE;
}

static int make_folders(const struct options *opt)
{
	static const char *const names[] = { ".", "edge", "inner" };
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };

	for (size_t i = 0; i < PW_LEN(names); i++) {
		put_path(&path, opt, names[i]);
		if (mkdir(i == 0 ? opt->folder : pw_buf_text(&path), 0700) != 0 &&
		    errno != EEXIST)
			return fail(EX_CANTCREAT, pw_buf_text(&path), strerror(errno));
	}
	return EXIT_FINE;
}

/* A file that somebody made in the meantime stays. */
static int write_new(const char *path, struct pw_str text, unsigned int mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool is_well = fd >= 0;

	while (is_well && text.len > 0) {
		ssize_t n = write(fd, text.at, text.len);

		is_well = n >= 0 || errno == EINTR;
		text = pw_str_sub(text, n > 0 ? (size_t)n : 0, text.len);
	}
	is_well = is_well && fchmod(fd, mode) == 0 && fsync(fd) == 0;
	if (!is_well)
		(void)fail(EX_CANTCREAT, path, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return is_well ? EXIT_FINE : EX_CANTCREAT;
}

static int write_file(const struct options *opt, const struct edge_file *file,
                      const struct edge_keys *keys)
{
	static const struct shipped templates = { "PW_EDGE_DIR",
		                                  "/usr/share/postward/edge",
		                                  "/../../tools/edge/files" };
	PW_AUTO(pw_buf_done) struct pw_buf template = { 0 }, path = { 0 };
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	enum pw_status r = PW_OK;

	put_path(&path, opt, file->name);
	if (file->kind == EDGE_TEMPLATE)
		r = shipped_read(&template, &templates, file->name);
	if (r != PW_OK)
		return fail(EX_UNAVAILABLE, file->name,
		            "its template is missing: apt install --reinstall "
		            "postward-tools");
	pw_buf_init(&text, TEXT_MAX_BYTES);
	r = edge_file_text(&text, file, pw_buf_str(&template), &opt->wish, keys);
	if (r != PW_OK)
		return fail(EX_SOFTWARE, file->name, pw_status_text(r));
	return write_new(pw_buf_text(&path), pw_buf_str(&text), file->mode);
}

static void report(const struct options *opt)
{
	PW_AUTO(tool_json_put) struct json_object *json = NULL;
	struct json_object *list;

	if (!opt->is_json) {
		printf("written to %s:\n", opt->folder);
		for (size_t i = 0; i < EDGE_FILES; i++)
			printf("  %-26s %s\n", edge_files[i].name, edge_files[i].purpose);
		puts("Read them; then docs/edge.md goes on with \"The tunnel\".");
		return;
	}
	json = json_object_new_object();
	list = json_object_new_array();
	for (size_t i = 0; i < EDGE_FILES; i++)
		json_object_array_add(list, json_object_new_string(edge_files[i].name));
	json_object_object_add(json, "ok", json_object_new_boolean(true));
	tool_json_add(json, "folder", pw_str_from(opt->folder));
	json_object_object_add(json, "files", list);
	tool_json_print(json);
}

static enum pw_status make_stamp_keys(struct edge_keys *keys)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	enum pw_status r = stamp_keys_first(&text, pw_clock_wall_ms() / 1000);

	if (r == PW_OK && text.len < sizeof(keys->stamps))
		memcpy(keys->stamps, text.at, text.len + 1);
	else if (r == PW_OK)
		r = PW_ERR_LIMIT;
	return r;
}

static int run(struct options *opt)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(wipe_keys) struct edge_keys keys = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r = pw_arena_new(&arena, 0);
	int code;

	if (r == PW_OK && (r = take_admins(opt, &why)) == PW_OK)
		r = edge_wish_check(&opt->wish, arena, &why);
	if (r != PW_OK)
		return fail(EX_DATAERR,
		            why.len > 0 ? pw_buf_text(&why) : pw_status_text(r), NULL);
	if ((code = look_for_others(opt)) != EXIT_FINE ||
	    (code = make_folders(opt)) != EXIT_FINE)
		return code;
	if (edge_keys_make(&keys) != PW_OK || make_stamp_keys(&keys) != PW_OK)
		return fail(EX_SOFTWARE, "no keys could be made", NULL);
	for (size_t i = 0; i < EDGE_FILES; i++)
		if ((code = write_file(opt, &edge_files[i], &keys)) != EXIT_FINE)
			return code;
	report(opt);
	return EXIT_FINE;
}

int edge_init(int argc, char **argv)
{
	struct options opt = { .folder = FOLDER };
	const struct tool_option options[] = {
		{ "domain", .text = &opt.wish.domain },
		{ "public", .text = &opt.wish.endpoint },
		{ "hostname", .text = &opt.wish.hostname },
		{ "inner-hostname", .text = &opt.wish.inner_hostname },
		{ "edge-address", .text = &opt.wish.edge },
		{ "inner-address", .text = &opt.wish.inner },
		{ "admin-network", .texts = &opt.admins },
		{ "fallback", .text = &opt.wish.fallback },
		{ "postscreen", .text = &opt.wish.postscreen },
		{ "out", .text = &opt.folder },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), edge_init_usage, argc, argv,
	                       &operand, &code))
		return code;
	if (operand < argc || opt.wish.domain == NULL || opt.wish.endpoint == NULL)
		return tool_wrong_use(edge_init_usage);
	return run(&opt);
}
