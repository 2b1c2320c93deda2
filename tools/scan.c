/* postwardctl scan: what the score of a message in a file is, and why. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "core/date.h"
#include "core/header.h"
#include "core/score_text.h"
#include "io/clock.h"
#include "mail/judge.h"
#include "tools/batch.h"
#include "tools/command.h"
#include "tools/message.h"
#include "tools/options.h"
#include "tools/resolver.h"
#include "tools/scan_tree.h"
#include "tools/weights.h"

static const char usage[] =
	"usage: postwardctl scan [OPTION...] FILE...\n"
	"       postwardctl scan --batch [OPTION...]\n"
	"  --json            one JSON object a file instead of text\n"
	"  --tree            the parts of the message, too, as they were read\n"
	"  --no-database     built-in weights, no rules of SQL\n"
	"  --database CONNINFO  where SQL is, instead of what postward.conf says\n"
	"  --ip A --helo H --from F --rcpt R   the envelope, as far as it is known\n"
	"  --zone FILE       verify SPF, DKIM, DMARC with this JSON zone file\n"
	"  --dns SERVERS     verify with these servers, ADDR[@PORT], ...;\n"
	"                    '' = those of /etc/resolv.conf. Without --zone and --dns\n"
	"                    nothing is asked and nothing verified\n"
	"  --timeout MS      for all DNS questions of one message; default 10000\n"
	"  --now SECONDS     as of this Unix time; default: when it was received\n"
	"  --batch           read {\"file\", \"ip\", \"helo\", \"from\", \"rcpt\", "
	"\"now\"}\n"
	"                    per line, answer per line\n";

struct options {
	const char *ip, *helo, *from, *zone, *dns_servers, *database;
	struct tool_texts rcpt;
	int64_t now_s; /* -1 = when the message says it arrived, else the clock's */
	int64_t timeout_ms;
	bool is_json, is_batch, with_tree, without_database;
};

/* What one run shares. */
struct bench {
	const struct options *opt;
	struct pw_resolver *resolver; /* NULL: nothing is asked */
	struct pw_dkim_lib *dkim;
	struct pw_psl *psl;
	struct pw_judge_tools tools; /* the three above */
	struct pw_weights weights;
	struct pw_own_rules *rules;
	struct pw_own_maps *maps;
	struct pw_composites *composites;
	struct pw_arena *names; /* of own symbols */
	struct pw_arena *arena;
};

/* One message and what is known of its way here. */
struct job {
	const char *path;
	struct pw_envelope envelope;
	struct pw_mailbox rcpt[TOOL_TEXTS_MAX];
	int64_t now_s;
};

/* When the message arrived: the date behind the last ';' of its first Received. */
static int64_t arrival(struct pw_str message, int64_t fallback_s)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_header field;
	int64_t at_s = fallback_s;
	size_t semicolon;
	struct pw_str date;

	if (!pw_header_find(message, PW_STR("Received"), &field))
		return fallback_s;
	pw_header_unfold(&text, field.value);
	semicolon = pw_str_rfind(pw_buf_str(&text), ';');
	date = pw_str_sub(pw_buf_str(&text), semicolon + 1, text.len);
	return pw_date_parse(&at_s, NULL, date) == PW_OK ? at_s : fallback_s;
}

static bool ends_header(struct pw_str message, struct pw_str body)
{
	size_t at = (size_t)(body.at - message.at);

	return at == message.len ||
	       (at >= 4 && memcmp(body.at - 4, "\r\n\r\n", 4) == 0) ||
	       (at == 2 && memcmp(body.at - 2, "\r\n", 2) == 0);
}

static enum pw_status feed(struct pw_judge *judge, struct pw_str message)
{
	struct pw_str body = message;
	struct pw_header field;
	enum pw_status r;

	while (pw_header_next(&body, &field))
		if ((r = pw_judge_header(judge, field.name, field.value)) != PW_OK)
			return r;
	if ((r = pw_judge_eoh(judge, !ends_header(message, body))) != PW_OK)
		return r;
	return pw_judge_body(judge, body);
}

static struct json_object *symbol_json(const struct pw_score_line *line)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	struct json_object *json = json_object_new_object();

	if (line->is_cap)
		pw_buf_puts(&name, PW_STR("cap:"));
	if (line->is_parts)
		pw_buf_puts(&name, PW_STR("parts:"));
	pw_buf_puts(&name, line->name);
	tool_json_add(json, "name", pw_buf_str(&name));
	json_object_object_add(json, "score", tool_json_milli(line->score_milli));
	tool_json_add(json, "evidence", line->evidence);
	if (line->is_dry_run)
		json_object_object_add(json, "dry_run", json_object_new_boolean(true));
	return json;
}

static struct json_object *symbols_json(const struct pw_score_plan *plan)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < plan->count; i++)
		json_object_array_add(list, symbol_json(&plan->lines[i]));
	return list;
}

static void print_json(const char *path, const struct pw_verdict *v, bool with_tree)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();
	const struct pw_auth *auth = &v->auth;

	tool_json_add(json, "file", pw_str_from(path));
	json_object_object_add(json, "score", tool_json_milli(v->plan.score_milli));
	tool_json_add(json, "action", pw_str_from(pw_action_text(v->plan.action)));
	json_object_object_add(json, "symbols", symbols_json(&v->plan));
	tool_json_add(json, "spf", pw_str_from(pw_spf_result_text(auth->spf.result)));
	tool_json_add(json, "dkim", pw_str_from(pw_dkim_result_text(auth->dkim_overall)));
	tool_json_add(json, "dmarc",
	              pw_str_from(pw_dmarc_result_text(auth->dmarc.result)));
	tool_json_add(json, "arc", pw_str_from(pw_arc_result_text(auth->arc.result)));
	json_object_object_add(json, "verified", json_object_new_boolean(v->has_auth));
	if (with_tree)
		json_object_object_add(json, "tree", scan_tree_json(v->message));
	tool_json_print(json);
}

static void print_account(const char *path, const struct pw_verdict *v, bool with_tree)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_score_put_account(&text, &v->plan);
	for (size_t i = 0; i < text.len; i++) /* evidence comes from strangers */
		if ((unsigned char)text.at[i] < ' ' && text.at[i] != '\n')
			text.at[i] = '?';
	if (with_tree)
		scan_tree_put(&text, v->message);
	printf("%s\n%s", path, pw_buf_text(&text));
	fflush(stdout);
}

static void tell_limited(const struct bench *bench, const char *path,
                         const struct pw_rules_limited *limited)
{
	for (size_t i = 0; i < limited->count; i++)
		(void)fprintf(stderr,
		              "postwardctl scan: %s: rule %.*s was given up: over its "
		              "limit of steps\n",
		              path, PW_FMT(bench->weights.symbols[limited->at[i]].name));
}

static enum pw_status judge(const struct bench *bench, const struct job *job)
{
	PW_AUTO(pw_judge_free) struct pw_judge *j = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf message = { 0 };
	struct pw_verdict verdict;
	int64_t now_s = job->now_s;
	enum pw_status r;

	if ((r = tool_message_read(&message, job->path)) != PW_OK)
		return r;
	if (now_s < 0)
		now_s = arrival(pw_buf_str(&message), pw_clock_wall_ms() / 1000);
	r = pw_judge_new(&j, bench->arena, &bench->tools, &job->envelope, now_s * 1000);
	if (r != PW_OK || (r = feed(j, pw_buf_str(&message))) != PW_OK)
		return r;
	r = pw_judge_end(j, &bench->weights, pw_clock_mono_ms() + bench->opt->timeout_ms,
	                 &verdict);
	if (r != PW_OK)
		return r;
	tell_limited(bench, job->path, verdict.limited);
	if (bench->opt->is_json)
		print_json(job->path, &verdict, bench->opt->with_tree);
	else
		print_account(job->path, &verdict, bench->opt->with_tree);
	return PW_OK;
}

static void print_failure(const char *path, enum pw_status r, bool is_json)
{
	PW_AUTO(tool_json_put) struct json_object *json = NULL;

	if (!is_json) {
		(void)fprintf(stderr, "postwardctl scan: %s: %s\n", path,
		              pw_status_text(r));
		return;
	}
	json = json_object_new_object();
	tool_json_add(json, "file", pw_str_from(path));
	tool_json_add(json, "error", pw_str_from(pw_status_text(r)));
	tool_json_print(json);
}

/* Judge and print; true if an answer could be given. */
static bool scan(const struct bench *bench, const struct job *job)
{
	enum pw_status r = judge(bench, job);

	pw_arena_reset(bench->arena);
	if (r != PW_OK)
		print_failure(job->path, r, bench->opt->is_json);
	return r == PW_OK;
}

static void add_recipient(struct job *job, struct pw_arena *arena, struct pw_str address)
{
	struct pw_mailbox *rcpt = &job->rcpt[job->envelope.recipient_count];

	if (job->envelope.recipient_count < TOOL_TEXTS_MAX &&
	    pw_address_parse(rcpt, arena, address) == PW_OK)
		job->envelope.recipient_count++;
	job->envelope.recipients = job->rcpt;
}

/* The envelope as told; texts are empty where nothing was. Returns false on a bad ip. */
static bool set_envelope(struct job *job, struct pw_arena *arena, struct pw_str ip,
                         struct pw_str helo, struct pw_str from, bool has_from)
{
	struct pw_envelope *e = &job->envelope;

	*e = (struct pw_envelope){ .origin.name_state = PW_NAME_TEMPORARY };
	if (ip.len > 0 && pw_ip_parse(&e->origin.address, ip) != PW_OK)
		return false;
	e->origin.address = pw_ip_unmap(e->origin.address);
	e->origin.helo = helo;
	e->has_sender = has_from;
	if (pw_address_parse(&e->sender, arena, from) != PW_OK)
		e->sender = (struct pw_mailbox){ { "", 0 }, { "", 0 } };
	return true;
}

static bool scan_path(const struct bench *bench, const char *path)
{
	const struct options *opt = bench->opt;
	struct job job = { .path = path, .now_s = opt->now_s };

	if (!set_envelope(&job, bench->arena, pw_str_from(opt->ip),
	                  pw_str_from(opt->helo), pw_str_from(opt->from),
	                  opt->from != NULL)) {
		(void)fputs("postwardctl scan: --ip is not an address\n", stderr);
		return false;
	}
	for (size_t i = 0; i < opt->rcpt.count; i++)
		add_recipient(&job, bench->arena, pw_str_from(opt->rcpt.at[i]));
	return scan(bench, &job);
}

static bool scan_request(const void *arg, struct json_object *request)
{
	const struct bench *bench = arg;
	struct job job = { .path = tool_json_member(request, "file").at,
		           .now_s = bench->opt->now_s };

	if (job.path[0] == '\0' ||
	    !tool_json_int(request, "now", 0, TOOL_NOW_MAX, &job.now_s)) {
		tool_json_print_error("no file, or now is no time");
		return false;
	}
	if (!set_envelope(&job, bench->arena, tool_json_member(request, "ip"),
	                  tool_json_member(request, "helo"),
	                  tool_json_member(request, "from"),
	                  json_object_object_get_ex(request, "from", NULL))) {
		tool_json_print_error("ip is not an address");
		return false;
	}
	add_recipient(&job, bench->arena, tool_json_member(request, "rcpt"));
	return scan(bench, &job);
}

static void bench_done(struct bench *bench)
{
	pw_resolver_close(&bench->resolver);
	pw_dkim_lib_free(&bench->dkim);
	pw_psl_free(&bench->psl);
	pw_own_rules_free(&bench->rules);
	pw_own_maps_free(&bench->maps);
	pw_composites_free(&bench->composites);
	pw_arena_free(&bench->names);
	pw_arena_free(&bench->arena);
}

/* Returns the exit code. Old mail must not meet the real DNS by accident: it is asked
 * when --dns says so. */
static int bench_init(struct bench *bench)
{
	const struct options *opt = bench->opt;
	int code = EXIT_FINE;
	enum pw_status r;

	if (opt->zone != NULL || opt->dns_servers != NULL)
		bench->resolver = tool_resolver_open(opt->zone, opt->dns_servers, &code);
	if (code != EXIT_FINE)
		return code;
	if ((r = pw_dkim_lib_new(&bench->dkim, PW_DKIM_ANY_TIME_S)) != PW_OK ||
	    (r = pw_psl_new(&bench->psl)) != PW_OK ||
	    (r = pw_own_rules_new(&bench->rules)) != PW_OK ||
	    (r = pw_own_maps_new(&bench->maps)) != PW_OK ||
	    (r = pw_composites_new(&bench->composites)) != PW_OK ||
	    (r = pw_arena_new(&bench->names, 0)) != PW_OK ||
	    (r = pw_arena_new(&bench->arena, PW_MESSAGE_ARENA_MAX)) != PW_OK) {
		(void)fprintf(stderr, "postwardctl scan: %s\n", pw_status_text(r));
		return EX_OSERR;
	}
	bench->tools = (struct pw_judge_tools){ .resolver = bench->resolver,
		                                .dkim = bench->dkim,
		                                .psl = bench->psl,
		                                .own_rules = bench->rules,
		                                .own_maps = bench->maps,
		                                .composites = bench->composites };
	pw_weights_default(&bench->weights);
	if (!opt->without_database)
		(void)tool_weights_load(
			&(struct tool_rules){ &bench->weights, bench->rules, bench->maps,
		                              bench->composites, bench->names },
			opt->database, &code);
	return code;
}

static int run(const struct options *opt, int count, char **paths)
{
	PW_AUTO(bench_done) struct bench bench = { .opt = opt };
	bool is_fine = true;
	int code = bench_init(&bench);

	if (code != EXIT_FINE)
		return code;
	if (opt->is_batch)
		return tool_batch_run(scan_request, &bench);
	for (int i = 0; i < count; i++)
		is_fine = scan_path(&bench, paths[i]) && is_fine;
	return is_fine ? EXIT_FINE : EXIT_PROBLEMS;
}

int command_scan(int argc, char **argv)
{
	struct options opt = { .now_s = -1, .timeout_ms = TOOL_TIMEOUT_MS };
	const struct tool_option options[] = {
		{ "ip", .text = &opt.ip },
		{ "helo", .text = &opt.helo },
		{ "from", .text = &opt.from },
		{ "rcpt", .texts = &opt.rcpt },
		{ "zone", .text = &opt.zone },
		{ "dns", .text = &opt.dns_servers },
		{ "timeout", .number = &opt.timeout_ms, .min = 1,
		  .max = TOOL_TIMEOUT_MS_MAX },
		{ "now", .number = &opt.now_s, .min = 0, .max = TOOL_NOW_MAX },
		{ "database", .text = &opt.database },
		{ "tree", .flag = &opt.with_tree },
		{ "no-database", .flag = &opt.without_database },
		{ "batch", .flag = &opt.is_batch },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), usage, argc, argv, &operand,
	                       &code))
		return code;
	if ((operand == argc) != opt.is_batch)
		return tool_wrong_use(usage);
	opt.is_json = opt.is_json || opt.is_batch;
	return run(&opt, argc - operand, argv + operand);
}
