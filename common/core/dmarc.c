#include "core/dmarc.h"

#include "core/ascii.h"

static const char *const policies[] = { "none", "quarantine", "reject" };
static const char *const results[] = { "none", "pass", "fail", "temperror", "permerror" };

static const char *const reasons[] = { "", "sampled_out", "policy_test_mode",
	                               "trusted_forwarder", "local_policy" };

const char *pw_dmarc_reason_text(enum pw_dmarc_reason reason)
{
	return reasons[reason];
}

const char *pw_dmarc_result_text(enum pw_dmarc_result result)
{
	return results[result];
}

const char *pw_dmarc_policy_text(enum pw_dmarc_policy policy)
{
	return policies[policy];
}

void pw_dmarc_put_name(struct pw_buf *out, struct pw_str domain)
{
	pw_buf_puts(out, PW_STR("_dmarc."));
	pw_buf_puts(out, domain);
}

/* What is collected from the tags before it is weighed. */
struct draft {
	struct pw_dmarc_record *record;
	bool has_p, has_sp, has_np, has_report_uri;
	bool is_broken; /* an invalid p or sp: RFC 7489 6.6.3 */
};

static bool read_policy(enum pw_dmarc_policy *out, struct pw_str value)
{
	for (size_t i = 0; i < PW_LEN(policies); i++) {
		if (!pw_str_eq_nocase(value, pw_str_from(policies[i])))
			continue;
		*out = (enum pw_dmarc_policy)i;
		return true;
	}
	return false;
}

static void tag_p(struct draft *d, struct pw_str value)
{
	d->has_p = read_policy(&d->record->p, value);
}

static void tag_sp(struct draft *d, struct pw_str value)
{
	d->has_sp = read_policy(&d->record->sp, value);
	d->is_broken = !d->has_sp;
}

static void tag_np(struct draft *d, struct pw_str value)
{
	d->has_np = read_policy(&d->record->np, value);
}

static void tag_adkim(struct draft *d, struct pw_str value)
{
	d->record->is_dkim_strict = pw_str_eq_nocase(value, PW_STR("s"));
}

static void tag_aspf(struct draft *d, struct pw_str value)
{
	d->record->is_spf_strict = pw_str_eq_nocase(value, PW_STR("s"));
}

static void tag_pct(struct draft *d, struct pw_str value)
{
	int64_t pct;

	if (pw_str_to_int64(value, 0, 100, &pct) == PW_OK)
		d->record->pct = (uint8_t)pct;
}

static void tag_t(struct draft *d, struct pw_str value)
{
	d->record->is_test = pw_str_eq_nocase(value, PW_STR("y"));
}

static void tag_psd(struct draft *d, struct pw_str value)
{
	if (pw_str_eq_nocase(value, PW_STR("y")) || pw_str_eq_nocase(value, PW_STR("n")))
		d->record->psd = pw_lower(value.at[0]);
}

/* Options parted by ':'; what is unknown is passed over (RFC 7489 6.3). */
static void tag_fo(struct draft *d, struct pw_str value)
{
	static const char letters[] = "01ds"; /* in the order of the bits */
	unsigned options = 0;

	while (value.at != NULL) {
		struct pw_str one = pw_str_trim(pw_str_cut(&value, ':'));

		for (size_t i = 0; i < sizeof(letters) - 1; i++)
			if (one.len == 1 && pw_lower(one.at[0]) == letters[i])
				options |= 1U << i;
	}
	if (options != 0)
		d->record->failure_options = options;
}

/* "!10m" at the end of a URI; false if what stands there is no size. */
static bool split_size(struct pw_dmarc_uri *uri)
{
	static const char units[] = "kmgt";
	size_t at = pw_str_rfind(uri->uri, '!');
	struct pw_str size = pw_str_sub(uri->uri, at + 1, uri->uri.len);
	unsigned shift = 0;
	int64_t n;

	uri->size_max = 0;
	if (at == uri->uri.len)
		return true;
	for (size_t i = 0; i < sizeof(units) - 1 && size.len > 0; i++)
		if (pw_lower(size.at[size.len - 1]) == units[i])
			shift = 10 * (unsigned)(i + 1);
	if (shift > 0)
		size.len--;
	if (size.len == 0 || !pw_is_digit(size.at[0]) ||
	    pw_str_to_int64(size, 0, INT64_MAX >> shift, &n) != PW_OK)
		return false;
	uri->size_max = n << shift;
	uri->uri = pw_str_sub(uri->uri, 0, at);
	return true;
}

bool pw_dmarc_next_uri(struct pw_str *rest, struct pw_dmarc_uri *out)
{
	while (rest->at != NULL) {
		out->uri = pw_str_trim(pw_str_cut(rest, ','));
		if ((pw_str_starts_nocase(out->uri, PW_STR("mailto:")) ||
		     pw_str_starts_nocase(out->uri, PW_STR("https:"))) &&
		    split_size(out))
			return true;
	}
	return false;
}

static void tag_ruf(struct draft *d, struct pw_str value)
{
	d->record->ruf = value;
}

/* Reports are another program's work; that somebody reads them decides what a broken
 * policy means. */
static void tag_rua(struct draft *d, struct pw_str value)
{
	struct pw_str rest = value;
	struct pw_dmarc_uri uri;

	d->record->rua = value;
	d->has_report_uri = pw_dmarc_next_uri(&rest, &uri);
}

/* clang-format off */
static const struct tag {
	const char *name;
	void (*read)(struct draft *d, struct pw_str value);
} tags[] = {
	{ "p",     tag_p },
	{ "sp",    tag_sp },
	{ "np",    tag_np },
	{ "adkim", tag_adkim },
	{ "aspf",  tag_aspf },
	{ "pct",   tag_pct },
	{ "t",     tag_t },
	{ "rua",   tag_rua },
	{ "ruf",   tag_ruf },
	{ "fo",    tag_fo },
	{ "psd",   tag_psd },
};
/* clang-format on */

/* "name = value" without blanks around both; false if there is no '='. */
static bool split_tag(struct pw_str item, struct pw_str *name, struct pw_str *value)
{
	size_t at = pw_str_find(item, '=');

	if (at == item.len)
		return false;
	*name = pw_str_trim(pw_str_sub(item, 0, at));
	*value = pw_str_trim(pw_str_sub(item, at + 1, item.len));
	return true;
}

/* Of a tag that stands twice the first counts; what is unknown or malformed is passed
 * over. */
static void read_tags(struct draft *d, struct pw_str rest)
{
	bool seen[PW_LEN(tags)] = { false };
	struct pw_str name, value;

	while (rest.at != NULL) {
		if (!split_tag(pw_str_cut(&rest, ';'), &name, &value))
			continue;
		for (size_t i = 0; i < PW_LEN(tags); i++) {
			if (seen[i] || !pw_str_eq_nocase(name, pw_str_from(tags[i].name)))
				continue;
			seen[i] = true;
			tags[i].read(d, value);
		}
	}
}

enum pw_status pw_dmarc_parse(struct pw_dmarc_record *out, struct pw_str text)
{
	struct pw_dmarc_record record = { .pct = 100,
		                          .failure_options = PW_DMARC_FO_ALL,
		                          .psd = 'u' };
	struct draft d = { .record = &record };
	struct pw_str rest = text, name, value;

	if (!split_tag(pw_str_cut(&rest, ';'), &name, &value) ||
	    !pw_str_eq_nocase(name, PW_STR("v")) || !pw_str_eq(value, PW_STR("DMARC1")))
		return PW_ERR_NOTFOUND;
	if (text.len > PW_DMARC_RECORD_MAX)
		return PW_ERR_LIMIT;
	read_tags(&d, rest);
	if (!d.has_p || d.is_broken) {
		if (!d.has_report_uri)
			return PW_ERR_SYNTAX;
		record.p = record.sp = record.np = PW_DMARC_P_NONE;
		d.has_sp = d.has_np = true;
	}
	if (!d.has_sp)
		record.sp = record.p;
	if (!d.has_np)
		record.np = record.sp;
	*out = record;
	return PW_OK;
}

/* What one answer holds (RFC 7489 6.6.3, steps 2 and 5). */
enum found { FOUND_NOTHING, FOUND_RECORD, FOUND_BROKEN, FOUND_SEVERAL, FOUND_TROUBLE };

static enum found find_record(struct pw_dmarc_record *out,
                              const struct pw_dns_answer *answer)
{
	enum found found = FOUND_NOTHING;
	struct pw_dmarc_record record;

	if (answer == NULL)
		return FOUND_NOTHING;
	if (pw_dns_is_error(answer))
		return FOUND_TROUBLE;
	for (size_t i = 0; i < answer->count; i++) {
		enum pw_status r = pw_dmarc_parse(&record, answer->records[i].text);

		if (r == PW_ERR_NOTFOUND)
			continue;
		if (found != FOUND_NOTHING)
			return FOUND_SEVERAL;
		found = r == PW_OK ? FOUND_RECORD : FOUND_BROKEN;
		if (r == PW_OK)
			*out = record;
	}
	return found;
}

/* Which of the identities agree with From (RFC 7489 3.1). */
static void align(struct pw_dmarc_outcome *out, bool *is_open,
                  const struct pw_dmarc_input *input,
                  const struct pw_dmarc_record *record)
{
	size_t count = input->identity_count;

	*is_open = false;
	if (count > PW_DMARC_IDENTITIES_MAX)
		count = PW_DMARC_IDENTITIES_MAX;
	for (size_t i = 0; i < count; i++) {
		const struct pw_dmarc_identity *id = &input->identities[i];
		bool is_strict =
			id->is_dkim ? record->is_dkim_strict : record->is_spf_strict;
		bool is_aligned = is_strict ? pw_str_eq_nocase(id->domain, input->from)
		                            : pw_str_eq_nocase(id->org, input->org);

		if (!is_aligned || id->domain.len == 0)
			continue;
		if (id->is_temporary)
			*is_open = true;
		else if (id->is_dkim)
			out->is_dkim_aligned = true;
		else
			out->is_spf_aligned = true;
	}
}

/* pct and t soften by one step (RFC 7489 6.6.4). */
static void soften(struct pw_dmarc_outcome *out, uint8_t sample)
{
	out->disposition = out->policy;
	if (out->policy == PW_DMARC_P_NONE)
		return;
	if (sample >= out->record.pct)
		pw_dmarc_override(out, out->policy - 1, PW_DMARC_SAMPLED_OUT);
	else if (out->record.is_test)
		pw_dmarc_override(out, out->policy - 1, PW_DMARC_TEST_MODE);
}

void pw_dmarc_override(struct pw_dmarc_outcome *outcome, enum pw_dmarc_policy disposition,
                       enum pw_dmarc_reason reason)
{
	if (outcome->result != PW_DMARC_FAIL || outcome->disposition == disposition)
		return;
	outcome->disposition = disposition;
	outcome->reason = disposition == outcome->policy ? PW_DMARC_AS_ASKED : reason;
}

static void judge(struct pw_dmarc_outcome *out, const struct pw_dmarc_input *input,
                  const struct pw_dmarc_record *record, bool is_of_org)
{
	bool is_open;

	out->has_record = true;
	out->record = *record;
	out->domain = is_of_org ? input->org : input->from;
	out->policy = !is_of_org              ? record->p
	              : input->is_nonexistent ? record->np
	                                      : record->sp;
	align(out, &is_open, input, record);
	if (out->is_spf_aligned || out->is_dkim_aligned)
		out->result = PW_DMARC_PASS;
	else if (is_open)
		out->result = PW_DMARC_TEMPERROR;
	else {
		out->result = PW_DMARC_FAIL;
		soften(out, input->sample);
	}
}

void pw_dmarc_decide(struct pw_dmarc_outcome *out, const struct pw_dmarc_input *input)
{
	struct pw_dmarc_record record;
	bool is_of_org = false;
	enum found found;

	*out = (struct pw_dmarc_outcome){ .result = PW_DMARC_NONE };
	if (input->from.len == 0)
		return;
	found = find_record(&record, input->from_answer);
	if (found == FOUND_NOTHING && !pw_str_eq_nocase(input->from, input->org)) {
		found = find_record(&record, input->org_answer);
		is_of_org = true;
	}
	switch (found) {
	case FOUND_RECORD:
		judge(out, input, &record, is_of_org);
		break;
	case FOUND_BROKEN:
		out->result = PW_DMARC_PERMERROR;
		break;
	case FOUND_TROUBLE:
		out->result = PW_DMARC_TEMPERROR;
		break;
	case FOUND_NOTHING:
	case FOUND_SEVERAL:
		break;
	}
}
