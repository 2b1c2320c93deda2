/* What our readers of DMARC make of lines on standard input, an answer a line.
 *
 *     probe_dmarc record    a record: JSON, or the word why it is none
 *     probe_dmarc align     "DOMAIN FROM r|s": aligned or not-aligned
 *     probe_dmarc from      a From field's value: the author's domain, or nothing
 *     probe_dmarc org       a domain: its organisational domain */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/address.h"
#include "core/dmarc.h"
#include "core/json.h"
#include "mail/psl.h"

static struct pw_psl *psl;

static void must(enum pw_status r)
{
	if (r != PW_OK) {
		fprintf(stderr, "probe_dmarc: %s\n", pw_status_text(r));
		exit(1);
	}
}

static void put_uris(struct pw_buf *out, struct pw_str rest)
{
	struct pw_dmarc_uri uri;
	size_t count = 0;

	pw_buf_putc(out, '[');
	while (pw_dmarc_next_uri(&rest, &uri)) {
		pw_buf_puts(out, count++ > 0 ? PW_STR(", [") : PW_STR("["));
		pw_json_put_string(out, uri.uri);
		pw_buf_printf(out, ", %lld]", (long long)uri.size_max);
	}
	pw_buf_putc(out, ']');
}

static void put_record(struct pw_buf *out, struct pw_str line)
{
	struct pw_dmarc_record record;
	enum pw_status r = pw_dmarc_parse(&record, line);

	if (r != PW_OK) {
		pw_json_put_string(out, pw_str_from(pw_status_text(r)));
		return;
	}
	pw_buf_printf(
		out,
		"{\"p\": \"%s\", \"sp\": \"%s\", \"np\": \"%s\", \"adkim\": \"%s\", "
		"\"aspf\": \"%s\", \"pct\": %u, \"t\": %s, \"fo\": %u, "
		"\"psd\": \"%c\", \"rua\": ",
		pw_dmarc_policy_text(record.p), pw_dmarc_policy_text(record.sp),
		pw_dmarc_policy_text(record.np),
		record.is_dkim_strict ? "strict" : "relaxed",
		record.is_spf_strict ? "strict" : "relaxed", (unsigned)record.pct,
		record.is_test ? "true" : "false", record.failure_options, record.psd);
	put_uris(out, record.rua);
	pw_buf_puts(out, PW_STR(", \"ruf\": "));
	put_uris(out, record.ruf);
	pw_buf_putc(out, '}');
}

static void put_alignment(struct pw_buf *out, struct pw_str line)
{
	char one[256], other[256];
	struct pw_str rest = line, domain = pw_str_cut(&rest, ' ');
	struct pw_str from = pw_str_cut(&rest, ' ');
	struct pw_dns_record record = {
		.text = pw_str_eq(rest, PW_STR("s")) ? PW_STR("v=DMARC1; p=none; adkim=s")
		                                     : PW_STR("v=DMARC1; p=none")
	};
	const struct pw_dns_answer answer = { .records = &record, .count = 1 };
	const struct pw_dmarc_identity id = { .domain = domain,
		                              .org = pw_psl_org(psl, domain, one),
		                              .is_dkim = true };
	struct pw_dmarc_outcome outcome;

	pw_dmarc_decide(&outcome,
	                &(struct pw_dmarc_input){ .from = from,
	                                          .org = pw_psl_org(psl, from, other),
	                                          .from_answer = &answer,
	                                          .identities = &id,
	                                          .identity_count = 1 });
	pw_buf_puts(out,
	            outcome.is_dkim_aligned ? PW_STR("aligned") : PW_STR("not-aligned"));
}

static void put_from(struct pw_buf *out, struct pw_str line)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_mailbox mailbox;

	must(pw_arena_new(&arena, 0));
	if (pw_from_mailbox(&mailbox, arena, line) == PW_OK)
		pw_buf_puts(out, mailbox.domain);
}

static void put_org(struct pw_buf *out, struct pw_str line)
{
	char buffer[256];

	pw_buf_puts(out, pw_psl_org(psl, line, buffer));
}

static const struct {
	const char *name;
	void (*put)(struct pw_buf *out, struct pw_str line);
} commands[] = {
	{ "record", put_record },
	{ "align", put_alignment },
	{ "from", put_from },
	{ "org", put_org },
};

int main(int argc, char **argv)
{
	static char line[65536];
	size_t c = 0;

	while (argc == 2 && c < PW_LEN(commands) &&
	       strcmp(commands[c].name, argv[1]) != 0)
		c++;
	if (argc != 2 || c == PW_LEN(commands))
		return 2;
	must(pw_psl_new(&psl));
	while (fgets(line, sizeof(line), stdin) != NULL) {
		PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

		line[strcspn(line, "\n")] = '\0';
		commands[c].put(&out, pw_str_from(line));
		must(pw_buf_status(&out));
		printf("%s\n", pw_buf_text(&out));
	}
	pw_psl_free(&psl);
	return 0;
}
