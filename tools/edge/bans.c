/* postwardctl edge bans: fetch the inner host's list of banned clients, give it to
 * nftables, show it. Three steps with the least rights for each. */
#include "tools/edge/bans.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "io/child.h"
#include "io/clock.h"
#include "io/file.h"
#include "tools/addresses.h"
#include "tools/command.h"
#include "tools/edge/bans_fetch.h"
#include "tools/edge/verbs.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/settings_file.h"
#include "tools/setup/wish.h"

#define USER "postward_origin"
#define NFT_TIMEOUT_MS 120000
#define ALLOW_BYTES_MAX ((size_t)1024 * 1024)
#define ARENA_BYTES ((size_t)64 * 1024 * 1024)

const char edge_bans_usage[] =
	"usage: postwardctl edge bans pull|load|show [OPTION...]\n"
	"pull fetches the inner host's list of banned clients and keeps it, as the user\n"
	"postward_origin; load gives what is kept to nftables, with CAP_NET_ADMIN; show\n"
	"prints it.\n"
	"  --from ADDRESS       the inner host; default: what setup was told\n"
	"  --port N             its bans_listen; default 10028\n"
	"  --state FILE         where the list is kept;\n"
	"                       default /var/lib/postward-bans/list\n"
	"  --allow FILE         who is never banned, a network a line;\n"
	"                       default /etc/postward/bans.allow\n"
	"  --timeout MS         longest time for the whole list; default 10000\n"
	"  --dry-run            load: print what nft would be told\n"
	"  --json               show: one JSON object\n";

struct options {
	const char *from, *state, *allow;
	int64_t port, timeout_ms;
	bool is_dry, is_json;
};

static int fail(int code, const char *what, const char *why)
{
	(void)fprintf(stderr, "postwardctl edge bans: %s: %s\n", what, why);
	return code;
}

static int fail_at(const char *file, size_t line, enum pw_status r)
{
	(void)fprintf(stderr, "postwardctl edge bans: %s:%zu: %s\n", file, line,
	              pw_status_text(r));
	return EX_DATAERR;
}

static int64_t now_s(void)
{
	return pw_clock_wall_ms() / 1000;
}

/* The other host: of the command line, else of setup. */
static bool find_inner(struct pw_ip *out, const char *from)
{
	PW_AUTO(pw_buf_done) struct pw_buf peer = { 0 };

	if (from == NULL)
		settings_file_value_of(&peer, SETUP_CONF, "peer", "");
	return pw_ip_parse(out, from != NULL ? pw_str_from(from) : pw_buf_str(&peer)) ==
	       PW_OK;
}

/* ---- pull */

/* What a stranger's bytes are read with has no other rights. */
static bool become_origin(void)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam(USER) : NULL;

	if (user == NULL)
		return true;
	return setgroups(0, NULL) == 0 && setgid(user->pw_gid) == 0 &&
	       setuid(user->pw_uid) == 0;
}

static int check_list(struct pw_str text, const char *from)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_banlist list;
	size_t line;
	enum pw_status r;

	if (pw_arena_new(&arena, ARENA_BYTES) != PW_OK)
		return EX_OSERR;
	if ((r = pw_banlist_parse(&list, arena, text, &line)) == PW_OK)
		return EXIT_FINE;
	(void)fprintf(
		stderr,
		"postwardctl edge bans: what %s says is no good list, line %zu: %s\n",
		from, line, pw_status_text(r));
	return EX_PROTOCOL;
}

static int pull(const struct options *opt)
{
	PW_AUTO(pw_buf_done) struct pw_buf list = { 0 }, kept = { 0 }, from = { 0 };
	struct pw_ip inner;
	enum pw_status r;
	int code;

	if (!find_inner(&inner, opt->from))
		return fail(EXIT_WRONG_USE, "--from",
		            "name the inner host's address in the VPN");
	if (!become_origin())
		return fail(EX_OSERR, USER, "cannot become this user");
	pw_ip_put(&from, inner);
	pw_buf_init(&list, PW_BANLIST_BYTES_MAX);
	r = bans_fetch(&list, inner, (unsigned int)opt->port,
	               pw_clock_mono_ms() + opt->timeout_ms);
	if (r != PW_OK)
		return fail(EX_TEMPFAIL, pw_buf_text(&from), pw_status_text(r));
	if ((code = check_list(pw_buf_str(&list), pw_buf_text(&from))) != EXIT_FINE)
		return code;
	bans_put(&kept, now_s(), pw_buf_str(&list));
	if ((r = pw_buf_status(&kept)) == PW_OK)
		r = pw_file_replace(opt->state, pw_buf_str(&kept), 0644);
	return r == PW_OK ? EXIT_FINE : fail(EX_CANTCREAT, opt->state, pw_status_text(r));
}

/* ---- load and show */

static int read_list(struct bans_list *out, struct pw_arena *arena, const char *path)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r = pw_file_read(&text, path, BANS_FILE_BYTES_MAX);
	size_t line;

	if (r != PW_OK)
		return fail(r == PW_ERR_NOTFOUND ? EX_NOINPUT : EX_IOERR, path,
		            pw_status_text(r));
	r = bans_parse(out, arena, pw_buf_str(&text), &line);
	return r == PW_OK ? EXIT_FINE : fail_at(path, line, r);
}

static void add(struct bans_never *never, struct pw_ip ip)
{
	never->at[never->count++] =
		(struct pw_net){ ip, ip.family == PW_IP_V4 ? 32 : 128 };
}

/* This host, the inner one, and who is in the file. A file that cannot be read bans
 * nobody: the table stays as it is. */
static int read_never(struct bans_never *out, struct pw_arena *arena,
                      const struct options *opt)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_ip own[ADDRESSES_MAX], inner;
	struct pw_net nets[ADDRESSES_MAX + 1];
	struct bans_never more = { nets, 0 };
	size_t count = addresses_public(own, ADDRESSES_MAX), line;
	enum pw_status r;

	for (size_t i = 0; i < count; i++)
		add(&more, own[i]);
	if (find_inner(&inner, opt->from))
		add(&more, inner);
	r = pw_file_read(&text, opt->allow, ALLOW_BYTES_MAX);
	if (r != PW_OK && r != PW_ERR_NOTFOUND)
		return fail(EX_IOERR, opt->allow, pw_status_text(r));
	r = bans_never_parse(out, arena, pw_buf_str(&text), &more, &line);
	return r == PW_OK ? EXIT_FINE : fail_at(opt->allow, line, r);
}

static int run_nft(struct pw_str commands)
{
	static const char *const argv[] = { "nft", "-f", "-", NULL };
	PW_AUTO(pw_buf_done) struct pw_buf err = { 0 };
	int code = 0;
	enum pw_status r =
		pw_child_run(argv, commands, NULL, &err, NFT_TIMEOUT_MS, &code);

	if (r == PW_ERR_NOTFOUND || code == 127)
		return fail(EX_UNAVAILABLE, "nft", "not installed: apt install nftables");
	if (r != PW_OK)
		return fail(EX_OSERR, "nft", pw_status_text(r));
	return code == 0 ? EXIT_FINE : fail(EX_SOFTWARE, "nft", pw_buf_text(&err));
}

static int load(const struct options *opt)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf commands = { 0 };
	struct bans_never never = { NULL, 0 };
	struct bans_list bans;
	size_t count;
	int code;

	if (pw_arena_new(&arena, ARENA_BYTES) != PW_OK)
		return EX_OSERR;
	if ((code = read_list(&bans, arena, opt->state)) != EXIT_FINE ||
	    (code = read_never(&never, arena, opt)) != EXIT_FINE)
		return code;
	count = bans_put_nft(&commands, &bans, &never, now_s());
	if (pw_buf_status(&commands) != PW_OK)
		return EX_OSERR;
	if (opt->is_dry) {
		(void)fputs(pw_buf_text(&commands), stdout);
		return EXIT_FINE;
	}
	if ((code = run_nft(pw_buf_str(&commands))) == EXIT_FINE)
		printf("%zu of %zu clients are banned\n", count, bans.list.count);
	return code;
}

static void print_json(const struct bans_list *bans)
{
	PW_AUTO(tool_json_put) struct json_object *all = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < bans->list.count; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
		struct json_object *one = json_object_new_object();
		const struct pw_ban *ban = &bans->list.at[i];

		pw_ip_put(&text, ban->net.ip);
		if (ban->net.ip.family == PW_IP_V6)
			pw_buf_printf(&text, "/%d", ban->net.bits);
		tool_json_add(one, "client", pw_buf_str(&text));
		json_object_object_add(
			one, "left_s",
			json_object_new_int64(bans_left_s(bans, ban, now_s())));
		json_object_array_add(list, one);
	}
	json_object_object_add(all, "age_s", json_object_new_int64(now_s() - bans->at_s));
	json_object_object_add(all, "bans", list);
	tool_json_print(all);
}

static void print_list(const struct bans_list *bans)
{
	printf("%zu clients, fetched %lld s ago\n", bans->list.count,
	       (long long)(now_s() - bans->at_s));
	for (size_t i = 0; i < bans->list.count; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };
		struct pw_ban left = bans->list.at[i];

		left.seconds = bans_left_s(bans, &left, now_s());
		pw_ban_put(&line, &left);
		(void)fputs(pw_buf_text(&line), stdout);
	}
}

static int show(const struct options *opt)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct bans_list bans;
	int code;

	if (pw_arena_new(&arena, ARENA_BYTES) != PW_OK)
		return EX_OSERR;
	if ((code = read_list(&bans, arena, opt->state)) != EXIT_FINE)
		return code;
	if (opt->is_json)
		print_json(&bans);
	else
		print_list(&bans);
	return EXIT_FINE;
}

int edge_bans(int argc, char **argv)
{
	struct options opt = { .state = BANS_FILE,
		               .allow = BANS_ALLOW_FILE,
		               .port = BANS_PORT,
		               .timeout_ms = TOOL_TIMEOUT_MS };
	const struct tool_option options[] = {
		{ "from", .text = &opt.from },
		{ "port", .number = &opt.port, .min = 1, .max = 65535 },
		{ "state", .text = &opt.state },
		{ "allow", .text = &opt.allow },
		{ "timeout", .number = &opt.timeout_ms, .min = 1,
		  .max = TOOL_TIMEOUT_MS_MAX },
		{ "dry-run", .flag = &opt.is_dry },
		{ "json", .flag = &opt.is_json },
	};
	static const struct {
		const char *name;
		int (*run)(const struct options *opt);
	} verbs[] = { { "pull", pull }, { "load", load }, { "show", show } };
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), edge_bans_usage, argc, argv,
	                       &operand, &code))
		return code;
	for (size_t i = 0; operand == argc - 1 && i < PW_LEN(verbs); i++)
		if (strcmp(argv[operand], verbs[i].name) == 0)
			return verbs[i].run(&opt);
	return tool_wrong_use(edge_bans_usage);
}
