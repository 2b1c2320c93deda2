#include "score/record_auth.h"

#include "core/json.h"

/* In front of a member or element: a comma where it is not the first. */
static void part(struct pw_buf *out)
{
	char last = out->len > 0 ? out->at[out->len - 1] : '{';

	if (last != '{' && last != '[')
		pw_buf_puts(out, PW_STR(", "));
}

static void put_name(struct pw_buf *out, const char *name)
{
	part(out);
	pw_buf_printf(out, "\"%s\": ", name);
}

static void put_text(struct pw_buf *out, const char *name, struct pw_str text)
{
	put_name(out, name);
	pw_json_put_string(out, pw_str_sub(text, 0, RECORD_TEXT_MAX));
}

static void put_policy(struct pw_buf *out, const char *name, enum pw_dmarc_policy policy)
{
	put_text(out, name, pw_str_from(pw_dmarc_policy_text(policy)));
}

/* fo= as it is written in a report: "1:d:s". */
static void put_options(struct pw_buf *out, unsigned options)
{
	static const char letters[] = "01ds"; /* in the order of the bits */
	char text[8];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(letters) - 1; i++) {
		if (!(options & (1U << i)))
			continue;
		if (n > 0)
			text[n++] = ':';
		text[n++] = letters[i];
	}
	put_text(out, "fo", (struct pw_str){ text, n });
}

static void put_published(struct pw_buf *out, const struct pw_dmarc_outcome *dmarc)
{
	const struct pw_dmarc_record *record = &dmarc->record;

	put_name(out, "policy");
	pw_buf_putc(out, '{');
	put_text(out, "domain", dmarc->domain);
	put_policy(out, "p", record->p);
	put_policy(out, "sp", record->sp);
	put_policy(out, "np", record->np);
	put_text(out, "adkim", record->is_dkim_strict ? PW_STR("s") : PW_STR("r"));
	put_text(out, "aspf", record->is_spf_strict ? PW_STR("s") : PW_STR("r"));
	put_name(out, "pct");
	pw_buf_put_int(out, record->pct);
	put_options(out, record->failure_options);
	if (record->is_test)
		put_text(out, "t", PW_STR("y"));
	put_text(out, "rua", record->rua);
	pw_buf_putc(out, '}');
}

/* What was done is what was evaluated, but for a rejection that our settings leave out.
 */
static void put_evaluated(struct pw_buf *out, const struct record *record)
{
	struct pw_dmarc_outcome dmarc = record->verdict->auth.dmarc;

	if (dmarc.disposition == PW_DMARC_P_REJECT && !record->is_dmarc_refused)
		pw_dmarc_override(&dmarc, PW_DMARC_P_NONE, PW_DMARC_LOCAL_POLICY);
	put_name(out, "evaluated");
	pw_buf_putc(out, '{');
	put_policy(out, "disposition", dmarc.disposition);
	put_text(out, "spf", dmarc.is_spf_aligned ? PW_STR("pass") : PW_STR("fail"));
	put_text(out, "dkim", dmarc.is_dkim_aligned ? PW_STR("pass") : PW_STR("fail"));
	put_policy(out, "asked", dmarc.policy);
	if (dmarc.reason != PW_DMARC_AS_ASKED)
		put_text(out, "reason", pw_str_from(pw_dmarc_reason_text(dmarc.reason)));
	if (record->verdict->auth.voucher.len > 0)
		put_text(out, "comment", record->verdict->auth.voucher);
	pw_buf_putc(out, '}');
}

static void put_spf_one(struct pw_buf *out, const struct pw_spf_outcome *spf,
                        bool is_helo)
{
	part(out);
	pw_buf_putc(out, '{');
	put_text(out, "domain", spf->domain);
	put_text(out, "scope", is_helo ? PW_STR("helo") : PW_STR("mfrom"));
	put_text(out, "result", pw_str_from(pw_spf_result_text(spf->result)));
	pw_buf_putc(out, '}');
}

static void put_spf(struct pw_buf *out, const struct pw_auth *auth)
{
	put_name(out, "spf");
	pw_buf_putc(out, '[');
	if (auth->has_spf)
		put_spf_one(out, &auth->spf, auth->is_spf_helo);
	if (auth->has_helo)
		put_spf_one(out, &auth->helo, true);
	pw_buf_putc(out, ']');
}

static void put_dkim(struct pw_buf *out, const struct pw_auth *auth)
{
	put_name(out, "dkim");
	pw_buf_putc(out, '[');
	for (size_t i = 0; i < auth->dkim_count && i < RECORD_SIGNATURES_MAX; i++) {
		const struct pw_dkim_verdict *v = &auth->dkim[i];

		part(out);
		pw_buf_putc(out, '{');
		put_text(out, "domain", v->domain);
		put_text(out, "selector", v->selector);
		put_text(out, "result", pw_str_from(pw_dkim_result_text(v->result)));
		put_text(out, "algorithm", v->algorithm);
		if (v->reason[0] != '\0')
			put_text(out, "human_result", pw_str_from(v->reason));
		pw_buf_putc(out, '}');
	}
	pw_buf_putc(out, ']');
}

static void put_arc(struct pw_buf *out, const struct pw_auth *auth)
{
	if (auth->arc.result == PW_ARC_NONE)
		return;
	put_name(out, "arc");
	pw_buf_putc(out, '{');
	put_text(out, "result", pw_str_from(pw_arc_result_text(auth->arc.result)));
	put_name(out, "sealers");
	pw_buf_putc(out, '[');
	for (unsigned i = 0; i < auth->arc.chain->count; i++) {
		part(out);
		pw_json_put_string(out, auth->arc.chain->sets[i].domain);
	}
	pw_buf_puts(out, PW_STR("]}"));
}

void record_put_auth(struct pw_buf *out, const struct record *record)
{
	const struct pw_auth *auth = &record->verdict->auth;
	const struct pw_message *m = record->verdict->message;

	pw_buf_putc(out, '{');
	if (m->has_from)
		put_text(out, "from", m->from.domain);
	if (auth->dmarc.has_record) {
		put_published(out, &auth->dmarc);
		put_evaluated(out, record);
	}
	put_spf(out, auth);
	put_dkim(out, auth);
	put_arc(out, auth);
	pw_buf_putc(out, '}');
}
