#include "tools/dns/survey.h"

#include "io/clock.h"

/* ---- life ---- */

static void drop(struct dns_asked *asked)
{
	pw_dns_drop(&asked->ticket);
}

void dns_survey_done(struct dns_survey *survey)
{
	for (size_t i = 0; i < survey->count; i++) {
		struct dns_record *r = &survey->at[i];

		drop(&r->asked);
		for (size_t k = 0; k < DNS_NAMES_MAX; k++)
			drop(&r->forward[k]);
		for (size_t k = 0; k < r->spf_count; k++)
			drop(&r->spf[k].now);
	}
	for (size_t i = 0; i < survey->host_count; i++) {
		drop(&survey->hosts[i].four);
		drop(&survey->hosts[i].six);
	}
	pw_arena_free(&survey->arena);
	*survey = (struct dns_survey){ 0 };
}

/* ---- one question ---- */

struct asker {
	struct pw_resolver *resolver;
	struct pw_arena *arena;
	int64_t deadline_ms;
};

static enum pw_status ask(const struct asker *asker, struct dns_asked *out,
                          enum pw_dns_type type, struct pw_str name)
{
	const struct pw_dns_question question = { type, name };

	out->is_asked = true;
	return pw_dns_ask(asker->resolver, &question, &out->ticket);
}

static enum pw_status wait_for(const struct asker *asker, struct dns_asked *asked)
{
	if (asked->ticket == NULL)
		return PW_OK;
	return pw_dns_wait(&asked->ticket, asker->deadline_ms, asker->arena,
	                   &asked->answer);
}

/* ---- first round: the records themselves, and the hosts' addresses ---- */

static bool is_kind(const struct dns_record *r, const char *kind)
{
	return pw_str_eq(r->kind, pw_str_from(kind));
}

static struct pw_str host_of(const struct dns_record *r)
{
	struct pw_str host = r->value;

	(void)pw_str_cut(&host, ' ');
	if (host.len > 0 && host.at[host.len - 1] == '.')
		host.len--;
	return host;
}

static struct dns_host *find_host(struct dns_survey *survey, struct pw_str name)
{
	struct dns_host *host;

	for (size_t i = 0; i < survey->host_count; i++)
		if (pw_str_eq_nocase(survey->hosts[i].name, name))
			return &survey->hosts[i];
	host = &survey->hosts[survey->host_count++];
	host->name = name;
	return host;
}

static enum pw_status ask_records(struct dns_survey *survey, const struct asker *asker)
{
	enum pw_status status = PW_OK;

	for (size_t i = 0; status == PW_OK && i < survey->count; i++) {
		struct dns_record *r = &survey->at[i];
		enum pw_dns_type type;

		if (i >= DNS_AT_ONCE)
			status = wait_for(asker, &survey->at[i - DNS_AT_ONCE].asked);
		if (is_kind(r, "mx"))
			r->host = find_host(survey, host_of(r));
		if (status == PW_OK && pw_dns_type_parse(&type, r->type) == PW_OK)
			status = ask(asker, &r->asked, type, r->name);
	}
	for (size_t i = 0; status == PW_OK && i < survey->host_count; i++) {
		status = ask(asker, &survey->hosts[i].four, PW_DNS_A,
		             survey->hosts[i].name);
		if (status == PW_OK)
			status = ask(asker, &survey->hosts[i].six, PW_DNS_AAAA,
			             survey->hosts[i].name);
	}
	for (size_t i = 0; status == PW_OK && i < survey->count; i++)
		status = wait_for(asker, &survey->at[i].asked);
	for (size_t i = 0; status == PW_OK && i < survey->host_count; i++) {
		status = wait_for(asker, &survey->hosts[i].four);
		if (status == PW_OK)
			status = wait_for(asker, &survey->hosts[i].six);
	}
	return status;
}

/* ---- whose addresses ---- */

static void add_address(struct dns_survey *survey, struct pw_ip ip)
{
	for (size_t i = 0; i < survey->address_count; i++)
		if (pw_ip_eq(survey->addresses[i], ip))
			return;
	if (survey->address_count < DNS_ADDRESSES_MAX)
		survey->addresses[survey->address_count++] = ip;
}

/* Those of mail.settings; without one, those that the MX hosts have in DNS. */
static void find_addresses(struct dns_survey *survey)
{
	struct pw_ip ip;

	for (size_t i = 0; i < survey->count; i++)
		if (is_kind(&survey->at[i], "address") &&
		    pw_ip_parse(&ip, survey->at[i].value) == PW_OK)
			add_address(survey, ip);
	for (size_t i = 0, known = survey->address_count;
	     known == 0 && i < survey->host_count; i++) {
		const struct dns_host *host = &survey->hosts[i];

		for (size_t k = 0; k < host->four.answer.count; k++)
			add_address(survey, host->four.answer.records[k].ip);
		for (size_t k = 0; k < host->six.answer.count; k++)
			add_address(survey, host->six.answer.records[k].ip);
	}
}

/* ---- second round: do the names of an address lead back to it? ---- */

static void find_ptr_address(const struct dns_survey *survey, struct dns_record *r)
{
	for (size_t i = 0; i < survey->address_count; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };

		pw_dns_put_arpa(&name, survey->addresses[i]);
		if (pw_str_eq_nocase(pw_buf_str(&name), r->name))
			r->ip = survey->addresses[i];
	}
}

static enum pw_status ask_forward(struct dns_survey *survey, const struct asker *asker)
{
	enum pw_status status = PW_OK;

	for (size_t i = 0; i < survey->count; i++) {
		struct dns_record *r = &survey->at[i];

		if (!is_kind(r, "ptr"))
			continue;
		find_ptr_address(survey, r);
		for (size_t k = 0;
		     status == PW_OK && k < r->asked.answer.count && k < DNS_NAMES_MAX;
		     k++)
			status = ask(asker, &r->forward[k],
			             r->ip.family == PW_IP_V6 ? PW_DNS_AAAA : PW_DNS_A,
			             r->asked.answer.records[k].text);
	}
	for (size_t i = 0; i < survey->count; i++)
		for (size_t k = 0; status == PW_OK && k < DNS_NAMES_MAX; k++)
			status = wait_for(asker, &survey->at[i].forward[k]);
	return status;
}

/* ---- further rounds: SPF, all checks one step at a time ---- */

static enum pw_status begin_spf(struct dns_survey *survey, struct dns_record *r)
{
	PW_AUTO(pw_buf_done) struct pw_buf from = { 0 };
	enum pw_status status = PW_OK;

	if (!is_kind(r, "spf") || r->asked.answer.count == 0)
		return PW_OK;
	pw_buf_printf(&from, "postmaster@%.*s", PW_FMT(r->domain));
	r->spf = pw_arena_array(survey->arena, survey->address_count, sizeof(*r->spf));
	if (r->spf == NULL && survey->address_count > 0)
		return PW_ERR_NOMEM;
	for (size_t i = 0; status == PW_OK && i < survey->address_count; i++) {
		const struct pw_spf_input input = { .ip = survey->addresses[i],
			                            .helo = r->domain,
			                            .from = pw_buf_str(&from),
			                            .now_s = pw_clock_wall_ms() / 1000 };

		r->spf[i].ip = survey->addresses[i];
		status = pw_spf_new(&r->spf[i].machine, survey->arena, &input);
		r->spf_count = i + (status == PW_OK);
	}
	return status;
}

static enum pw_status step_spf(const struct asker *asker, struct dns_spf *spf)
{
	struct pw_dns_question question;

	if (spf->is_done)
		return PW_OK;
	if (pw_spf_next(spf->machine, &question) == PW_SPF_ASK)
		return ask(asker, &spf->now, question.type, question.name);
	spf->is_done = true;
	return pw_spf_outcome(spf->machine, &spf->outcome);
}

static enum pw_status feed_spf(const struct asker *asker, struct dns_spf *spf,
                               bool *is_open)
{
	enum pw_status r;

	if (spf->is_done)
		return PW_OK;
	*is_open = true;
	if ((r = wait_for(asker, &spf->now)) == PW_OK)
		pw_spf_feed(spf->machine, &spf->now.answer);
	return r;
}

static enum pw_status run_spf(struct dns_survey *survey, const struct asker *asker)
{
	enum pw_status status = PW_OK;
	bool is_open = true;

	for (size_t i = 0; status == PW_OK && i < survey->count; i++)
		status = begin_spf(survey, &survey->at[i]);
	while (status == PW_OK && is_open) {
		is_open = false;
		for (size_t i = 0; i < survey->count; i++)
			for (size_t k = 0; status == PW_OK && k < survey->at[i].spf_count;
			     k++)
				status = step_spf(asker, &survey->at[i].spf[k]);
		for (size_t i = 0; i < survey->count; i++)
			for (size_t k = 0; status == PW_OK && k < survey->at[i].spf_count;
			     k++)
				status = feed_spf(asker, &survey->at[i].spf[k], &is_open);
	}
	return status;
}

enum pw_status dns_survey_run(struct dns_survey *survey, struct pw_resolver *resolver,
                              int64_t deadline_ms)
{
	const struct asker asker = { resolver, survey->arena, deadline_ms };
	enum pw_status r;

	survey->hosts =
		pw_arena_array(survey->arena, survey->count + 1, sizeof(*survey->hosts));
	if (survey->hosts == NULL)
		return PW_ERR_NOMEM;
	if ((r = ask_records(survey, &asker)) != PW_OK)
		return r;
	find_addresses(survey);
	if ((r = ask_forward(survey, &asker)) != PW_OK ||
	    (r = run_spf(survey, &asker)) != PW_OK)
		return r;
	for (size_t i = 0; r == PW_OK && i < survey->count; i++)
		r = dns_judge(&survey->at[i], survey->arena);
	return r;
}
