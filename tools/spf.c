/* postwardctl spf: one check, or one per line of standard input. */
#include <stdio.h>
#include <sysexits.h>

#include "io/clock.h"
#include "io/spf.h"
#include "tools/answers.h"
#include "tools/batch.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/resolver.h"

static const char usage[] =
	"usage: postwardctl spf --ip ADDRESS --helo NAME --from SENDER [OPTION...]\n"
	"       postwardctl spf --batch [OPTION...]\n"
	"  --ip ADDRESS      the SMTP client\n"
	"  --helo NAME       its HELO name\n"
	"  --from SENDER     MAIL FROM address; empty: the HELO name is checked\n"
	"  --batch           read {\"ip\", \"helo\", \"from\"} per line, answer per "
        "line\n"
	"  --zone FILE       answers come from this JSON zone file, not from DNS\n"
	"  --dns SERVERS     ADDR[@PORT], ...; default: /etc/resolv.conf\n"
	"  --timeout MS      for all DNS questions of one check; default 10000\n"
	"  --receiver NAME   our host name, as macro r shows it\n"
	"  --json            accepted: answers are JSON in any case\n";

struct options {
	const char *ip, *helo, *from, *zone, *dns_servers, *receiver;
	int64_t timeout_ms;
	bool is_batch;
};

/* What all checks share. */
struct bench {
	const struct options *opt;
	struct pw_resolver *resolver;
	struct pw_arena *arena;
};

/* Check and print; true if an answer could be given. */
static bool check(const struct bench *bench, struct pw_str ip, struct pw_str helo,
                  struct pw_str from)
{
	PW_AUTO(tool_json_put) struct json_object *json = NULL;
	struct pw_spf_input input = { .helo = helo,
		                      .from = from,
		                      .receiver = pw_str_from(bench->opt->receiver),
		                      .now_s = pw_clock_wall_ms() / 1000 };
	struct pw_spf_outcome outcome;
	enum pw_status r;

	if (pw_ip_parse(&input.ip, ip) != PW_OK) {
		tool_json_print_error("ip is not an address");
		return false;
	}
	r = pw_spf_check(&outcome, bench->arena, &input, bench->resolver,
	                 pw_clock_mono_ms() + bench->opt->timeout_ms);
	if (r == PW_OK) {
		json = tool_spf_json(&outcome);
		tool_json_print(json);
	} else {
		tool_json_print_error(pw_status_text(r));
	}
	pw_arena_reset(bench->arena);
	return r == PW_OK;
}

static bool check_request(const void *arg, struct json_object *request)
{
	return check(arg, tool_json_member(request, "ip"),
	             tool_json_member(request, "helo"),
	             tool_json_member(request, "from"));
}

static int run(const struct options *opt)
{
	PW_AUTO(pw_resolver_close) struct pw_resolver *resolver = NULL;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	int code;

	if ((resolver = tool_resolver_open(opt->zone, opt->dns_servers, &code)) == NULL)
		return code;
	if (pw_arena_new(&arena, 0) != PW_OK)
		return EX_OSERR;
	const struct bench bench = { opt, resolver, arena };
	if (opt->is_batch)
		return tool_batch_run(check_request, &bench);
	return check(&bench, pw_str_from(opt->ip), pw_str_from(opt->helo),
	             pw_str_from(opt->from))
	               ? EXIT_FINE
	               : EXIT_PROBLEMS;
}

int command_spf(int argc, char **argv)
{
	struct options opt = { .timeout_ms = TOOL_TIMEOUT_MS };
	const struct tool_option options[] = {
		{ "ip", .text = &opt.ip },
		{ "helo", .text = &opt.helo },
		{ "from", .text = &opt.from },
		{ "zone", .text = &opt.zone },
		{ "dns", .text = &opt.dns_servers },
		{ "receiver", .text = &opt.receiver },
		{ "timeout", .number = &opt.timeout_ms, .min = 1,
		  .max = TOOL_TIMEOUT_MS_MAX },
		{ "batch", .flag = &opt.is_batch },
		{ .name = "json" },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), usage, argc, argv, &operand,
	                       &code))
		return code;
	if (operand < argc || (opt.ip == NULL && !opt.is_batch))
		return tool_wrong_use(usage);
	return run(&opt);
}
