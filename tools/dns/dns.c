/* postwardctl dns check: does DNS say what mail.dns_records says it should? */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "io/clock.h"
#include "tools/command.h"
#include "tools/database.h"
#include "tools/dns/authority.h"
#include "tools/dns/rows.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/plain.h"
#include "tools/resolver.h"

static const char usage[] =
	"usage: postwardctl dns check [DOMAIN...] [OPTION...]\n"
	"Asks DNS for the records of mail.dns_records and says what is missing or "
	"wrong.\n"
	"  --record             keep what was seen in mail.dns_seen, for mail.check();\n"
	"                       keys that all name servers show begin to sign;\n"
	"                       fill in setting mx_addresses if it is empty\n"
	"  --keys               DKIM keys only\n"
	"  --zone FILE          answers come from this JSON zone file, not from DNS\n"
	"  --dns SERVERS        ADDR[@PORT], ...; default: /etc/resolv.conf\n"
	"  --timeout MS         for all questions together; default 10000\n"
	"  --database CONNINFO  libpq string; default: setting database\n"
	"  --json               {\"ok\", \"records\": [{\"domain\", \"name\", \"type\",\n"
	"                       \"value\", \"kind\", \"state\", \"seen\", "
	"\"problem\"}]}\n"
	"exit code 0: all is well, 1: something is not, 2: wrong use, 75: DNS did not "
	"answer\n";

struct options {
	const char *zone, *dns_servers, *database;
	const char *const *domains;
	size_t count;
	bool is_json, is_record, is_keys;
	int64_t timeout_ms;
};

struct bench {
	const struct options *opt;
	struct pw_db_session *session;
	struct pw_resolver *resolver;
	struct dns_survey survey;
	int64_t deadline_ms;
};

static void bench_done(struct bench *bench)
{
	dns_survey_done(&bench->survey); /* its tickets before the resolver */
	pw_resolver_close(&bench->resolver);
	pw_db_session_close(&bench->session);
}

static int complain(enum pw_status r, const struct pw_buf *why)
{
	(void)fprintf(stderr, "postwardctl dns: %s\n",
	              why->len > 0 ? pw_buf_text(why) : pw_status_text(r));
	return r == PW_ERR_NOTFOUND ? EX_DATAERR : EX_UNAVAILABLE;
}

/* ---- printing ---- */

static void print_line(const char *what, struct pw_str text)
{
	(void)printf("         %s", what);
	tool_print_plain(text);
	(void)putchar('\n');
}

static void print_record(const struct dns_record *r)
{
	PW_AUTO(pw_buf_done) struct pw_buf wanted = { 0 };
	bool is_well = r->state == DNS_SEEN_OK || r->problem.len == 0;

	(void)printf("%-8s %.*s %.*s %.*s\n", dns_state_text(r->state), PW_FMT(r->name),
	             PW_FMT(r->type), PW_FMT(r->note));
	if (is_well && !pw_str_eq(r->kind, PW_STR("dmarc")))
		return;
	if (!is_well)
		print_line("", r->problem);
	if (r->seen.len > 0)
		print_line("DNS says:   ", r->seen);
	if (is_well || r->state == DNS_SEEN_UNKNOWN)
		return;
	dns_record_put(&wanted, r);
	print_line(r->state == DNS_SEEN_MISSING ? "publish:    " : "should say: ",
	           pw_buf_str(&wanted));
}

static struct json_object *as_json(const struct dns_record *r)
{
	struct json_object *json = json_object_new_object();

	tool_json_add(json, "domain", r->domain);
	tool_json_add(json, "name", r->name);
	tool_json_add(json, "type", r->type);
	tool_json_add(json, "value", r->value);
	tool_json_add(json, "kind", r->kind);
	tool_json_add(json, "state", pw_str_from(dns_state_text(r->state)));
	tool_json_add(json, "seen", r->seen);
	tool_json_add(json, "problem", r->problem);
	return json;
}

static void print_json(const struct dns_survey *survey, bool is_well)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < survey->count; i++)
		json_object_array_add(list, as_json(&survey->at[i]));
	json_object_object_add(json, "ok", json_object_new_boolean(is_well));
	json_object_object_add(json, "records", list);
	tool_json_print(json);
}

static int print(const struct dns_survey *survey, bool is_json)
{
	size_t problems = 0, unknown = 0;

	for (size_t i = 0; i < survey->count; i++) {
		const struct dns_record *r = &survey->at[i];

		if (r->problem.len == 0)
			continue;
		*(r->state == DNS_SEEN_UNKNOWN ? &unknown : &problems) += 1;
	}
	if (is_json)
		print_json(survey, problems + unknown == 0);
	for (size_t i = 0; !is_json && i < survey->count; i++)
		print_record(&survey->at[i]);
	if (survey->count == 0 && !is_json)
		(void)puts("there is no domain yet");
	return problems > 0 ? EXIT_PROBLEMS : unknown > 0 ? EX_TEMPFAIL : EXIT_FINE;
}

/* ---- the command ---- */

static enum pw_status survey_run(struct bench *bench, struct pw_buf *why)
{
	enum pw_status r;

	dns_survey_done(&bench->survey);
	r = dns_rows_read(&bench->survey, bench->session, bench->opt->domains,
	                  bench->opt->count, bench->opt->is_keys, why);
	if (r == PW_OK)
		r = dns_survey_run(&bench->survey, bench->resolver, bench->deadline_ms);
	if (r == PW_OK && bench->opt->zone == NULL)
		r = dns_authority_confirm(&bench->survey, bench->resolver,
		                          bench->deadline_ms);
	return r;
}

static int run(const struct options *opt)
{
	PW_AUTO(bench_done) struct bench bench = { .opt = opt };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	bool is_filled = false;
	enum pw_status r;
	int code;

	if ((bench.session = tool_database_open(opt->database, &code)) == NULL ||
	    (bench.resolver = tool_resolver_open(opt->zone, opt->dns_servers, &code)) ==
	            NULL)
		return code;
	bench.deadline_ms = pw_clock_mono_ms() + opt->timeout_ms;
	r = survey_run(&bench, &why);
	if (r == PW_OK && opt->is_record)
		r = dns_rows_fill(&bench.survey, bench.session, &is_filled, &why);
	if (r == PW_OK && is_filled) /* there are more records now */
		r = survey_run(&bench, &why);
	if (r == PW_OK && opt->is_record)
		r = dns_rows_record(&bench.survey, bench.session, &why);
	return r == PW_OK ? print(&bench.survey, opt->is_json) : complain(r, &why);
}

int command_dns(int argc, char **argv)
{
	struct options opt = { .timeout_ms = TOOL_TIMEOUT_MS };
	const struct tool_option options[] = {
		{ "zone", .text = &opt.zone },
		{ "dns", .text = &opt.dns_servers },
		{ "database", .text = &opt.database },
		{ "record", .flag = &opt.is_record },
		{ "keys", .flag = &opt.is_keys },
		{ "json", .flag = &opt.is_json },
		{ "timeout", .number = &opt.timeout_ms, .min = 1,
		  .max = TOOL_TIMEOUT_MS_MAX },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), usage, argc, argv, &operand,
	                       &code))
		return code;
	if (operand == argc || strcmp(argv[operand], "check") != 0)
		return tool_wrong_use(usage);
	opt.domains = (const char *const *)argv + operand + 1;
	opt.count = (size_t)(argc - operand - 1);
	return run(&opt);
}
