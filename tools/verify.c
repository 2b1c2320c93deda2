/* postwardctl verify: SPF, DKIM, ARC and DMARC of messages in files, one object a file.
 */
#include <stdio.h>
#include <sysexits.h>

#include "core/header.h"
#include "io/clock.h"
#include "tools/answers.h"
#include "tools/batch.h"
#include "tools/command.h"
#include "tools/message.h"
#include "tools/options.h"
#include "tools/resolver.h"

static const char usage[] =
	"usage: postwardctl verify [OPTION...] FILE...\n"
	"       postwardctl verify --batch [OPTION...]\n"
	"  --ip ADDRESS --helo NAME --from SENDER   the envelope, for SPF\n"
	"  --batch           read {\"file\", \"now\", \"ip\", \"helo\", \"from\"} per "
	"line,\n"
	"                    answer per line\n"
	"  --now SECONDS     verify as of this Unix time\n"
	"  --zone FILE       DNS answers come from this JSON zone file\n"
	"  --dns SERVERS     ADDR[@PORT], ...; default: /etc/resolv.conf\n"
	"  --timeout MS      for all DNS questions of one message; default 10000\n"
	"  --json            accepted: answers are JSON in any case\n";

struct options {
	const char *ip, *helo, *from, *zone, *dns_servers;
	int64_t now_s; /* -1 = the clock's */
	int64_t timeout_ms;
	bool is_batch;
};

/* What all messages share. */
struct bench {
	const struct options *opt;
	struct pw_resolver *resolver;
	struct pw_dkim_lib *lib;
	struct pw_psl *psl;
	struct pw_arena *arena;
};

/* One message and what is known of its way here; ip empty: nothing. */
struct job {
	const char *path;
	struct pw_str ip, helo, from;
	int64_t now_s;
};

static void bench_done(struct bench *bench)
{
	pw_resolver_close(&bench->resolver);
	pw_dkim_lib_free(&bench->lib);
	pw_psl_free(&bench->psl);
	pw_arena_free(&bench->arena);
}

/* The author, if header From names exactly one. */
static bool find_author(struct pw_mailbox *out, struct pw_arena *arena,
                        struct pw_str message)
{
	struct pw_header field;
	size_t count = 0;
	bool is_one = false;

	while (pw_header_next(&message, &field))
		if (pw_str_eq_nocase(field.name, PW_STR("From")) && ++count == 1)
			is_one = pw_from_mailbox(out, arena, field.value) == PW_OK;
	return is_one && count == 1;
}

static enum pw_status feed(struct pw_auth_run *run, struct pw_arena *arena,
                           struct pw_str message)
{
	struct pw_str body = message;
	struct pw_mailbox author;
	struct pw_header field;
	enum pw_status r;

	while (pw_header_next(&body, &field))
		if ((r = pw_auth_header(run, field.name, field.value)) != PW_OK)
			return r;
	r = pw_auth_eoh(run, find_author(&author, arena, message) ? &author : NULL);
	return r == PW_OK ? pw_auth_body(run, body) : r;
}

static enum pw_status verify(const struct bench *bench, const struct job *job,
                             struct pw_str message, struct pw_auth *out)
{
	PW_AUTO(pw_auth_free) struct pw_auth_run *run = NULL;
	int64_t now_s = job->now_s >= 0 ? job->now_s : pw_clock_wall_ms() / 1000;
	struct pw_spf_input spf = { .helo = job->helo,
		                    .from = job->from,
		                    .now_s = now_s };
	enum pw_status r;

	r = pw_auth_new(&run, bench->arena, bench->resolver, bench->lib, bench->psl,
	                now_s * 1000);
	if (r == PW_OK && job->ip.len > 0 && (r = pw_ip_parse(&spf.ip, job->ip)) == PW_OK)
		r = pw_auth_spf(run, &spf);
	if (r != PW_OK || (r = feed(run, bench->arena, message)) != PW_OK)
		return r;
	return pw_auth_end(run, pw_clock_mono_ms() + bench->opt->timeout_ms, 0, out);
}

static void put_answer(struct json_object *json, const struct pw_auth *auth)
{
	json_object_object_add(json, "dkim",
	                       tool_dkim_json(auth->dkim, auth->dkim_count));
	tool_json_add(json, "dkim_result",
	              pw_str_from(pw_dkim_result_text(auth->dkim_overall)));
	json_object_object_add(json, "arc", tool_arc_json(&auth->arc));
	json_object_object_add(json, "spf",
	                       auth->has_spf ? tool_spf_json(&auth->spf)
	                                     : tool_none_json("no client address"));
	if (auth->has_helo)
		json_object_object_add(json, "spf_helo", tool_spf_json(&auth->helo));
	json_object_object_add(json, "dmarc", tool_dmarc_json(&auth->dmarc));
}

/* Verify and print; true if an answer could be given. */
static bool verify_file(const struct bench *bench, const struct job *job)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();
	PW_AUTO(pw_buf_done) struct pw_buf message = { 0 };
	struct pw_auth auth;
	enum pw_status r = tool_message_read(&message, job->path);

	tool_json_add(json, "file", pw_str_from(job->path));
	if (r == PW_OK)
		r = verify(bench, job, pw_buf_str(&message), &auth);
	if (r == PW_OK)
		put_answer(json, &auth);
	else
		tool_json_add(json, "error", pw_str_from(pw_status_text(r)));
	tool_json_print(json);
	pw_arena_reset(bench->arena);
	return r == PW_OK;
}

static bool verify_request(const void *arg, struct json_object *request)
{
	const struct bench *bench = arg;
	struct job job = { .path = tool_json_member(request, "file").at,
		           .ip = tool_json_member(request, "ip"),
		           .helo = tool_json_member(request, "helo"),
		           .from = tool_json_member(request, "from"),
		           .now_s = bench->opt->now_s };

	if (job.path[0] == '\0' ||
	    !tool_json_int(request, "now", 0, TOOL_NOW_MAX, &job.now_s)) {
		tool_json_print_error("no file, or now is no time");
		return false;
	}
	return verify_file(bench, &job);
}

static bool verify_path(const struct bench *bench, const char *path)
{
	const struct options *opt = bench->opt;
	const struct job job = { path, pw_str_from(opt->ip), pw_str_from(opt->helo),
		                 pw_str_from(opt->from), opt->now_s };

	return verify_file(bench, &job);
}

static int run(const struct options *opt, int count, char **paths)
{
	PW_AUTO(bench_done) struct bench bench = { .opt = opt };
	bool is_fine = true;
	enum pw_status r;
	int code;

	bench.resolver = tool_resolver_open(opt->zone, opt->dns_servers, &code);
	if (bench.resolver == NULL)
		return code;
	if ((r = pw_dkim_lib_new(&bench.lib, PW_DKIM_ANY_TIME_S)) != PW_OK ||
	    (r = pw_psl_new(&bench.psl)) != PW_OK ||
	    (r = pw_arena_new(&bench.arena, 0)) != PW_OK) {
		(void)fprintf(stderr, "postwardctl verify: %s\n", pw_status_text(r));
		return EX_OSERR;
	}
	if (opt->is_batch)
		return tool_batch_run(verify_request, &bench);
	for (int i = 0; i < count; i++)
		is_fine = verify_path(&bench, paths[i]) && is_fine;
	return is_fine ? EXIT_FINE : EXIT_PROBLEMS;
}

int command_verify(int argc, char **argv)
{
	struct options opt = { .now_s = -1, .timeout_ms = TOOL_TIMEOUT_MS };
	const struct tool_option options[] = {
		{ "ip", .text = &opt.ip },
		{ "helo", .text = &opt.helo },
		{ "from", .text = &opt.from },
		{ "zone", .text = &opt.zone },
		{ "dns", .text = &opt.dns_servers },
		{ "now", .number = &opt.now_s, .min = 0, .max = TOOL_NOW_MAX },
		{ "timeout", .number = &opt.timeout_ms, .min = 1,
		  .max = TOOL_TIMEOUT_MS_MAX },
		{ "batch", .flag = &opt.is_batch },
		{ .name = "json" },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), usage, argc, argv, &operand,
	                       &code))
		return code;
	if ((operand == argc) != opt.is_batch)
		return tool_wrong_use(usage);
	return run(&opt, argc - operand, argv + operand);
}
