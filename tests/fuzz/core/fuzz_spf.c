/* The SPF machine against any answers. The input is a client, a sender and then answers,
 * each used for the next question, over and over.
 *
 * Properties: it ends within the limits whatever is answered; the result is one of the
 * seven; the explanation is printable and there only for "fail"; the same input gives the
 * same outcome; a parsed record has the qualifiers and prefix lengths it may have. */
#include <stdint.h>
#include <stdlib.h>

#include "core/spf.h"
#include "core/spf_record.h"

#define RECORDS_MAX 12

static void must(bool claim)
{
	if (!claim)
		abort();
}

/* Lines of the input: address, HELO, sender; the rest are answers. */
static struct pw_str next_line(struct pw_str *rest)
{
	return pw_str_cut(rest, '\n');
}

/* '!' and N, S or T: an error; else records divided by '|': an address or text. */
static struct pw_dns_answer read_answer(struct pw_str line, struct pw_dns_record *records)
{
	struct pw_dns_answer answer = { .records = records };

	if (line.len == 2 && line.at[0] == '!') {
		answer.rcode = line.at[1] == 'N'   ? PW_DNS_NXDOMAIN
		               : line.at[1] == 'S' ? PW_DNS_SERVFAIL
		                                   : PW_DNS_TIMEOUT;
		return answer;
	}
	while (line.at != NULL && answer.count < RECORDS_MAX) {
		struct pw_str part = pw_str_cut(&line, '|');

		if (pw_ip_parse(&records[answer.count].ip, part) != PW_OK)
			records[answer.count].text = part;
		answer.count++;
	}
	return answer;
}

static enum pw_status run(struct pw_spf_outcome *out, struct pw_arena *arena,
                          struct pw_str data)
{
	struct pw_spf_input input = { .now_s = 1 };
	struct pw_str answers;
	struct pw_dns_question ask;
	struct pw_spf *spf;
	int questions = 0;

	if (pw_ip_parse(&input.ip, next_line(&data)) != PW_OK)
		(void)pw_ip_from_bytes(&input.ip, "\xc0\x00\x02\x01", 4);
	input.helo = next_line(&data);
	input.from = next_line(&data);
	answers = data;
	must(pw_spf_new(&spf, arena, &input) == PW_OK);
	while (pw_spf_next(spf, &ask) == PW_SPF_ASK) {
		struct pw_dns_record records[RECORDS_MAX] = { 0 };
		struct pw_dns_answer answer;

		must(++questions <= PW_SPF_QUESTIONS_MAX);
		must(pw_dns_name_is_valid(ask.name));
		if (answers.at == NULL)
			answers = data;
		answer = read_answer(next_line(&answers), records);
		pw_spf_feed(spf, &answer);
	}
	return pw_spf_outcome(spf, out);
}

static void check_record(struct pw_arena *arena, struct pw_str data)
{
	struct pw_spf_record record;

	if (!pw_spf_record_is(data) || pw_spf_record_parse(&record, arena, data) != PW_OK)
		return;
	for (size_t i = 0; i < record.count; i++) {
		const struct pw_spf_term *term = &record.terms[i];

		must(term->result == PW_SPF_PASS || term->result == PW_SPF_FAIL ||
		     term->result == PW_SPF_SOFTFAIL || term->result == PW_SPF_NEUTRAL);
		must(term->bits4 <= 32 && term->bits6 <= 128);
		must(term->text.at >= data.at &&
		     term->text.at + term->text.len <= data.at + data.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_str text = { (const char *)data, size };
	struct pw_spf_outcome once, again;
	enum pw_status r;

	must(pw_arena_new(&arena, 0) == PW_OK);
	check_record(arena, text);
	if ((r = run(&once, arena, text)) != PW_OK) {
		must(r == PW_ERR_NOMEM); /* the arena is full: no verdict */
		return 0;
	}
	must((size_t)once.result < PW_SPF_RESULTS);
	must(once.lookups <= PW_SPF_LOOKUPS_MAX);
	must(once.void_lookups <= PW_SPF_VOID_MAX + 1);
	must(once.explanation.len <= PW_SPF_EXPLANATION_MAX);
	must(once.explanation.len == 0 || once.result == PW_SPF_FAIL);
	for (size_t i = 0; i < once.explanation.len; i++)
		must(once.explanation.at[i] >= ' ' && once.explanation.at[i] <= '~');
	if (run(&again, arena, text) != PW_OK)
		return 0;
	must(once.result == again.result && once.lookups == again.lookups);
	must(pw_str_eq(once.explanation, again.explanation));
	return 0;
}
