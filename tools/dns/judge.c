#include <string.h>

#include "core/dmarc.h"
#include "tools/dkim/record.h"
#include "tools/dns/survey.h"

/* ---- verdicts ---- */

struct verdict {
	enum dns_state state;
	struct pw_buf problem;
};

static void verdict_done(struct verdict *v)
{
	pw_buf_done(&v->problem);
}

static void say(struct verdict *v, enum dns_state state, const char *problem)
{
	v->state = state;
	pw_buf_reset(&v->problem);
	pw_buf_puts(&v->problem, pw_str_from(problem));
}

static void say_unanswered(struct verdict *v, const struct pw_dns_answer *answer)
{
	say(v, DNS_SEEN_UNKNOWN, "");
	pw_buf_printf(&v->problem, "DNS did not answer (%s)",
	              pw_dns_rcode_text(answer->rcode));
}

static struct pw_str without_dot(struct pw_str name)
{
	if (name.len > 0 && name.at[name.len - 1] == '.')
		name.len--;
	return name;
}

/* ---- the kinds ---- */

static bool has_address(const struct pw_dns_answer *answer, struct pw_ip ip)
{
	for (size_t i = 0; i < answer->count; i++)
		if (pw_ip_eq(answer->records[i].ip, ip))
			return true;
	return false;
}

/* "10 mx.example.org.": other hosts may stand beside it, in any order. */
static void judge_mx(struct verdict *v, const struct dns_record *r)
{
	const struct pw_dns_answer *answer = &r->asked.answer;
	struct pw_str host = r->value;

	(void)pw_str_cut(&host, ' ');
	host = without_dot(host);
	for (size_t i = 0; i < answer->count; i++) {
		if (!pw_str_eq_nocase(answer->records[i].text, host))
			continue;
		if (r->host == NULL || r->host->four.answer.count > 0 ||
		    r->host->six.answer.count > 0)
			return;
		if (pw_dns_is_error(&r->host->four.answer))
			say_unanswered(v, &r->host->four.answer);
		else if (pw_dns_is_error(&r->host->six.answer))
			say_unanswered(v, &r->host->six.answer);
		else {
			say(v, DNS_SEEN_DIFFERS, "");
			pw_buf_printf(&v->problem, "%.*s has no address", PW_FMT(host));
		}
		return;
	}
	say(v, DNS_SEEN_DIFFERS, "other hosts take its mail");
}

static void judge_address(struct verdict *v, const struct dns_record *r)
{
	struct pw_ip ip;

	if (pw_ip_parse(&ip, r->value) != PW_OK || !has_address(&r->asked.answer, ip))
		say(v, DNS_SEEN_DIFFERS, "it leads to another address");
}

/* Receivers look whether the name leads back to the address; which name it is does not
 * matter to them. */
static void judge_ptr(struct verdict *v, const struct dns_record *r)
{
	const struct pw_dns_answer *unanswered = NULL;

	for (size_t i = 0; i < DNS_NAMES_MAX && r->forward[i].is_asked; i++) {
		if (has_address(&r->forward[i].answer, r->ip))
			return;
		if (pw_dns_is_error(&r->forward[i].answer))
			unanswered = &r->forward[i].answer;
	}
	if (unanswered != NULL)
		say_unanswered(v, unanswered);
	else
		say(v, DNS_SEEN_DIFFERS, "the name does not lead back to the address");
}

static void judge_dkim(struct verdict *v, const struct dns_record *r)
{
	const struct pw_dns_answer *answer = &r->asked.answer;

	if (answer->count > 1) {
		say(v, DNS_SEEN_DIFFERS,
		    "there are several records, and verifiers take any");
		return;
	}
	if (!dkim_is_same_key(answer->records[0].text, r->value))
		say(v, DNS_SEEN_DIFFERS, "it is another key");
}

static void judge_dmarc(struct verdict *v, const struct dns_record *r)
{
	const struct pw_dns_answer *answer = &r->asked.answer;
	struct pw_dmarc_record parsed;
	size_t found = 0;

	for (size_t i = 0; i < answer->count; i++) {
		enum pw_status s = pw_dmarc_parse(&parsed, answer->records[i].text);

		found += s != PW_ERR_NOTFOUND;
		if (s != PW_OK && s != PW_ERR_NOTFOUND)
			say(v, DNS_SEEN_DIFFERS, "it cannot be read");
	}
	if (found == 0)
		say(v, DNS_SEEN_MISSING, "there is no DMARC record");
	else if (found > 1)
		say(v, DNS_SEEN_DIFFERS,
		    "there are several DMARC records, so none counts");
}

static bool is_spf(struct pw_str text)
{
	return pw_str_starts_nocase(text, PW_STR("v=spf1")) &&
	       (text.len == 6 || text.at[6] == ' ');
}

static bool has_term(struct pw_str record, struct pw_str term)
{
	while (record.len > 0)
		if (pw_str_eq_nocase(pw_str_cut(&record, ' '), term))
			return true;
	return false;
}

/* Without an address to try, the mechanisms wanted have to be there. */
static void judge_terms(struct verdict *v, struct pw_str seen, struct pw_str wanted)
{
	while (wanted.len > 0) {
		struct pw_str term = pw_str_cut(&wanted, ' ');

		if (pw_str_ends_nocase(term, PW_STR("all")) || has_term(seen, term))
			continue;
		say(v, DNS_SEEN_DIFFERS, "");
		pw_buf_printf(&v->problem, "\"%.*s\" is not in it", PW_FMT(term));
		return;
	}
}

static void judge_outcome(struct verdict *v, const struct dns_spf *spf)
{
	PW_AUTO(pw_buf_done) struct pw_buf ip = { 0 };

	if (v->state == DNS_SEEN_DIFFERS || spf->outcome.result == PW_SPF_PASS)
		return;
	pw_ip_put(&ip, spf->ip);
	say(v,
	    !spf->is_done || spf->outcome.result == PW_SPF_TEMPERROR ? DNS_SEEN_UNKNOWN
	                                                             : DNS_SEEN_DIFFERS,
	    "");
	pw_buf_printf(&v->problem, "mail from %s gets spf=%s", pw_buf_text(&ip),
	              pw_spf_result_text(spf->is_done ? spf->outcome.result
	                                              : PW_SPF_TEMPERROR));
}

static void judge_spf(struct verdict *v, const struct dns_record *r)
{
	const struct pw_dns_answer *answer = &r->asked.answer;
	const struct pw_dns_record *found = NULL;
	size_t count = 0;

	for (size_t i = 0; i < answer->count; i++) {
		if (!is_spf(answer->records[i].text))
			continue;
		found = &answer->records[i];
		count++;
	}
	if (found == NULL) {
		say(v, DNS_SEEN_MISSING, "there is no SPF record");
		return;
	}
	if (count > 1) {
		say(v, DNS_SEEN_DIFFERS, "there are several SPF records, so none counts");
		return;
	}
	for (size_t i = 0; i < r->spf_count; i++)
		judge_outcome(v, &r->spf[i]);
	if (r->spf_count == 0)
		judge_terms(v, found->text, r->value);
}

/* "0 1 993 host.": priority and weight are the administrator's. */
static void judge_srv(struct verdict *v, const struct dns_record *r)
{
	struct pw_str rest = r->value, port;
	int64_t number = 0;

	(void)pw_str_cut(&rest, ' ');
	(void)pw_str_cut(&rest, ' ');
	port = pw_str_cut(&rest, ' ');
	if (pw_str_to_int64(port, 0, UINT16_MAX, &number) == PW_OK)
		for (size_t i = 0; i < r->asked.answer.count; i++)
			if (r->asked.answer.records[i].port == number &&
			    pw_str_eq_nocase(r->asked.answer.records[i].text,
			                     without_dot(rest)))
				return;
	say(v, DNS_SEEN_DIFFERS, "it leads elsewhere");
}

/* Who is told is the administrator's, how it begins is not (RFC 8460 3). */
static void judge_tlsrpt(struct verdict *v, const struct dns_record *r)
{
	for (size_t i = 0; i < r->asked.answer.count; i++)
		if (pw_str_starts(r->asked.answer.records[i].text, PW_STR("v=TLSRPTv1;")))
			return;
	say(v, DNS_SEEN_MISSING, "there is no TLS-RPT record");
}

/* What has no kind we know has to be there word for word. */
static void judge_text(struct verdict *v, const struct dns_record *r)
{
	for (size_t i = 0; i < r->asked.answer.count; i++)
		if (pw_str_eq(r->asked.answer.records[i].text, r->value))
			return;
	say(v, DNS_SEEN_DIFFERS, "it says something else");
}

/* clang-format off */
static const struct kind {
	const char *name;
	void (*judge)(struct verdict *v, const struct dns_record *r);
} kinds[] = {
	{ "mx",      judge_mx },
	{ "spf",     judge_spf },
	{ "dkim",    judge_dkim },
	{ "dmarc",   judge_dmarc },
	{ "address", judge_address },
	{ "ptr",     judge_ptr },
	{ "srv",     judge_srv },
	{ "tlsrpt",  judge_tlsrpt },
};
/* clang-format on */

static void judge_kind(struct verdict *v, const struct dns_record *r)
{
	for (size_t i = 0; i < PW_LEN(kinds); i++) {
		if (!pw_str_eq(r->kind, pw_str_from(kinds[i].name)))
			continue;
		kinds[i].judge(v, r);
		return;
	}
	judge_text(v, r);
}

/* ---- what was seen, in words ---- */

static void put_seen(struct pw_buf *out, const struct pw_dns_answer *answer,
                     enum pw_dns_type type)
{
	for (size_t i = 0; i < answer->count; i++) {
		const struct pw_dns_record *one = &answer->records[i];

		if (i > 0)
			pw_buf_puts(out,
			            type == PW_DNS_TXT ? PW_STR("\" \"") : PW_STR(", "));
		if (type == PW_DNS_A || type == PW_DNS_AAAA)
			pw_ip_put(out, one->ip);
		else if (type == PW_DNS_MX)
			pw_buf_printf(out, "%u %.*s", one->preference, PW_FMT(one->text));
		else
			pw_buf_puts(out, one->text);
	}
}

enum pw_status dns_judge(struct dns_record *record, struct pw_arena *arena)
{
	PW_AUTO(verdict_done) struct verdict v = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf seen = { 0 };
	const struct pw_dns_answer *answer = &record->asked.answer;
	enum pw_dns_type type;
	enum pw_status r;

	if (pw_dns_type_parse(&type, record->type) != PW_OK)
		say(&v, DNS_SEEN_UNKNOWN, "postwardctl does not know such records");
	else if (pw_dns_is_error(answer))
		say_unanswered(&v, answer);
	else if (answer->count == 0)
		say(&v, DNS_SEEN_MISSING, "there is no such record");
	else {
		judge_kind(&v, record);
		put_seen(&seen, answer, type);
	}
	if (!record->needed && v.state != DNS_SEEN_UNKNOWN)
		pw_buf_reset(&v.problem);
	record->state = v.state;
	if ((r = pw_buf_status(&v.problem)) != PW_OK ||
	    (r = pw_buf_status(&seen)) != PW_OK ||
	    (r = pw_arena_copy(arena, pw_buf_str(&seen), &record->seen)) != PW_OK)
		return r;
	return pw_arena_copy(arena, pw_buf_str(&v.problem), &record->problem);
}

const char *dns_state_text(enum dns_state state)
{
	static const char *const texts[] = {
		[DNS_SEEN_OK] = "ok",
		[DNS_SEEN_MISSING] = "missing",
		[DNS_SEEN_DIFFERS] = "differs",
		[DNS_SEEN_UNKNOWN] = "unknown",
	};

	return texts[state];
}

/* A text is written as strings of at most 255 bytes. */
void dns_record_put(struct pw_buf *out, const struct dns_record *record)
{
	bool is_text = pw_str_eq(record->type, PW_STR("TXT"));

	pw_buf_printf(out, "%.*s. IN %.*s ", PW_FMT(record->name), PW_FMT(record->type));
	if (!is_text) {
		pw_buf_puts(out, record->value);
		return;
	}
	if (record->value.len > 255)
		pw_buf_puts(out, PW_STR("( "));
	for (size_t at = 0; at < record->value.len; at += 255)
		pw_buf_printf(out, "%s\"%.*s\"", at > 0 ? " " : "",
		              PW_FMT(pw_str_sub(record->value, at, 255)));
	if (record->value.len > 255)
		pw_buf_puts(out, PW_STR(" )"));
}
