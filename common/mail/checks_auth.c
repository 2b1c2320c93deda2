#include "mail/checks_room.h"

/* clang-format off */
static const enum pw_symbol spf_symbols[PW_SPF_RESULTS] = {
	[PW_SPF_NONE]      = PW_SYM_SPF_NA,
	[PW_SPF_NEUTRAL]   = PW_SYM_SPF_NEUTRAL,
	[PW_SPF_PASS]      = PW_SYM_SPF_PASS,
	[PW_SPF_FAIL]      = PW_SYM_SPF_FAIL,
	[PW_SPF_SOFTFAIL]  = PW_SYM_SPF_SOFTFAIL,
	[PW_SPF_TEMPERROR] = PW_SYM_SPF_TEMPERR,
	[PW_SPF_PERMERROR] = PW_SYM_SPF_PERMERR,
};
static const enum pw_symbol dkim_symbols[PW_DKIM_RESULTS] = {
	[PW_DKIM_NONE]      = PW_SYM_DKIM_NA,
	[PW_DKIM_PASS]      = PW_SYM_DKIM_PASS,
	[PW_DKIM_FAIL]      = PW_SYM_DKIM_FAIL,
	[PW_DKIM_POLICY]    = PW_SYM_DKIM_WEAK_KEY,
	[PW_DKIM_NEUTRAL]   = PW_SYM_DKIM_NA,
	[PW_DKIM_TEMPERROR] = PW_SYM_DKIM_TEMPERR,
	[PW_DKIM_PERMERROR] = PW_SYM_DKIM_PERMERR,
};
static const enum pw_symbol dmarc_symbols[] = {
	[PW_DMARC_NONE]      = PW_SYM_DMARC_NA,
	[PW_DMARC_PASS]      = PW_SYM_DMARC_PASS,
	[PW_DMARC_FAIL]      = PW_SYM_DMARC_FAIL_NONE,
	[PW_DMARC_TEMPERROR] = PW_SYM_DMARC_TEMPERR,
	[PW_DMARC_PERMERROR] = PW_SYM_DMARC_NA,
};
static const enum pw_symbol dmarc_fails[] = {
	[PW_DMARC_P_NONE]       = PW_SYM_DMARC_FAIL_NONE,
	[PW_DMARC_P_QUARANTINE] = PW_SYM_DMARC_FAIL_QUARANTINE,
	[PW_DMARC_P_REJECT]     = PW_SYM_DMARC_FAIL_REJECT,
};
/* clang-format on */

static void fire_results(const struct pw_check *c)
{
	const struct pw_auth *auth = c->auth;

	if (auth->has_spf)
		pw_fire(c, spf_symbols[auth->spf.result], auth->spf.domain);
	if (auth->has_helo && auth->helo.result == PW_SPF_FAIL)
		pw_fire(c, PW_SYM_SPF_HELO_FAIL, auth->helo_name);
	pw_fire(c, dkim_symbols[auth->dkim_overall],
	        auth->dkim_count > 0 ? auth->dkim[0].domain : PW_STR(""));
	if (auth->is_dkim_aligned)
		pw_fire(c, PW_SYM_DKIM_ALIGNED, c->message->from.domain);
	if (auth->arc.result != PW_ARC_NONE)
		pw_fire(c,
		        auth->arc.result == PW_ARC_PASS ? PW_SYM_ARC_PASS
		                                        : PW_SYM_ARC_FAIL,
		        auth->arc.result == PW_ARC_PASS
		                ? auth->arc.chain->sets[auth->arc.chain->count - 1].domain
		                : pw_str_from(auth->arc.reason));
	if (!c->message->has_from)
		return;
	if (auth->voucher.len > 0)
		pw_fire(c, PW_SYM_ARC_TRUSTED, auth->voucher);
	else if (auth->dmarc.result == PW_DMARC_FAIL)
		pw_fire(c, dmarc_fails[auth->dmarc.disposition], auth->dmarc.domain);
	else
		pw_fire(c, dmarc_symbols[auth->dmarc.result], auth->dmarc.domain);
}

/* Nothing there at all; a DNS error is not nothing. */
static bool is_bare(const struct pw_auth *auth)
{
	return auth->has_spf && auth->spf.result == PW_SPF_NONE &&
	       auth->dkim_overall == PW_DKIM_NONE && auth->dmarc.result == PW_DMARC_NONE;
}

/* Is the author's domain vouched for, or might it be? SPF of another domain says nothing
 * about the author. */
static bool may_be_author(const struct pw_check *c)
{
	const struct pw_auth *auth = c->auth;

	if (auth->spf.result == PW_SPF_TEMPERROR ||
	    auth->dkim_overall == PW_DKIM_TEMPERROR ||
	    auth->dmarc.result == PW_DMARC_TEMPERROR)
		return true;
	return auth->dmarc.result == PW_DMARC_PASS || auth->is_dkim_aligned ||
	       auth->voucher.len > 0 ||
	       (auth->spf.result == PW_SPF_PASS &&
	        pw_str_eq_nocase(pw_check_org(c, auth->spf.domain),
	                         pw_check_org(c, c->message->from.domain)));
}

static void check_local_author(const struct pw_check *c)
{
	struct pw_str domain = c->message->from.domain;

	if (c->message->has_from && c->auth->has_spf && pw_check_is_local(c, domain) &&
	    !may_be_author(c) && !pw_check_is_relayed(c))
		pw_fire(c, PW_SYM_SPOOF_LOCAL_DOMAIN, domain);
}

void pw_check_auth(const struct pw_check *c)
{
	if (c->envelope->origin.login.len > 0) {
		pw_fire(c, PW_SYM_AUTH_USER, c->envelope->origin.login);
		return;
	}
	if (c->auth == NULL)
		return;
	fire_results(c);
	if (is_bare(c->auth))
		pw_fire(c, PW_SYM_AUTH_NONE, PW_STR(""));
	check_local_author(c);
}
