#include "tools/check/postfix.h"

#define SOCKET "policy.sock"
#define RECIPIENTS "smtpd_recipient_restrictions"
#define GUARD "reject_non_fqdn_recipient"
#define POLICY                                                                           \
	"check_policy_service { unix:postward/" SOCKET                                   \
	", timeout=5s, try_limit=2, default_action=%s }"

/* Stages of an SMTP session at which Postfix can ask. */
static const char *const stages[] = {
	"smtpd_client_restrictions",
	"smtpd_helo_restrictions",
	"smtpd_sender_restrictions",
	"smtpd_relay_restrictions",
	RECIPIENTS,
	"smtpd_data_restrictions",
	"smtpd_end_of_data_restrictions",
};

/* Where policyd stands in a list of restrictions. */
struct place {
	bool is_there;
	bool is_guarded; /* recipients without a domain are refused before */
	bool is_hidden;  /* behind a restriction that lets everybody, or every login, pass
	                  */
	struct pw_str hider;
	struct pw_str action; /* default_action */
};

static bool lets_pass(struct pw_str item, bool is_submission)
{
	return pw_str_eq_nocase(item, PW_STR("permit")) ||
	       (is_submission &&
	        pw_str_eq_nocase(item, PW_STR("permit_sasl_authenticated")));
}

static struct place find(struct pw_str list, bool is_submission)
{
	struct place place = { 0 };
	struct postconf_endpoint endpoint;
	struct pw_str item;

	while (postconf_next_item(&list, &item)) {
		if (place.hider.at == NULL && lets_pass(item, is_submission))
			place.hider = item;
		if (pw_str_eq_nocase(item, PW_STR(GUARD)))
			place.is_guarded = true;
		if (!pw_str_eq_nocase(item, PW_STR("check_policy_service")) ||
		    !postconf_next_item(&list, &item))
			continue;
		postconf_endpoint(&endpoint, item);
		if (!postconf_is_socket(&endpoint, SOCKET))
			continue;
		place.is_there = true;
		place.is_hidden = place.hider.at != NULL;
		place.action = endpoint.default_action;
		return place;
	}
	return place;
}

/* What Postfix does while policyd is away: a login's mail can wait, other hosts' mail has
 * been looked at by others as well. */
static const char *wanted_action(const struct postconf_service *s)
{
	return postconf_is_submission(s) ? "DEFER" : "DUNNO";
}

/* Recipients without a domain are refused in front of policyd: Postfix gives them that of
 * myorigin after policyd was asked. */
static bool is_guard(struct pw_str item, const char *stage)
{
	return pw_str_eq_nocase(item, PW_STR(GUARD)) &&
	       pw_str_eq(pw_str_from(stage), PW_STR(RECIPIENTS));
}

/* The list without policyd, and without what stands in front of it. */
static void put_others(struct pw_buf *out, struct pw_str list, const char *stage)
{
	struct postconf_endpoint endpoint;
	struct pw_str item, target;
	const char *gap = "";

	while (postconf_next_item(&list, &item)) {
		bool is_policy = pw_str_eq_nocase(item, PW_STR("check_policy_service")) &&
		                 postconf_next_item(&list, &target);

		if (is_policy) {
			postconf_endpoint(&endpoint, target);
			if (postconf_is_socket(&endpoint, SOCKET))
				continue;
		}
		if (is_guard(item, stage))
			continue;
		pw_buf_printf(out, "%s%.*s", gap, PW_FMT(item));
		if (is_policy)
			pw_buf_printf(out, " %.*s", PW_FMT(target));
		gap = ", ";
	}
}

/* The list with policyd in front, where nothing hides it. */
static void cure_front(struct check_report *report, const struct postconf *conf,
                       const struct postconf_service *s, const char *stage)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 }, others = { 0 }, command = { 0 };

	put_others(&others, postconf_value(conf, s, stage), stage);
	if (is_guard(PW_STR(GUARD), stage))
		pw_buf_puts(&value, PW_STR(GUARD ", "));
	pw_buf_printf(&value, POLICY, wanted_action(s));
	if (others.len > 0)
		pw_buf_printf(&value, ", %s", pw_buf_text(&others));
	postconf_put_command(&command, conf, s, stage, pw_buf_str(&value));
	check_cure(report, "%s", pw_buf_text(&command));
}

static void cure_without(struct check_report *report, const struct postconf *conf,
                         const struct postconf_service *s, const char *stage)
{
	PW_AUTO(pw_buf_done) struct pw_buf others = { 0 }, command = { 0 };

	put_others(&others, postconf_value(conf, s, stage), stage);
	postconf_put_command(&command, conf, s, stage, pw_buf_str(&others));
	check_cure(report, "%s", pw_buf_text(&command));
}

/* What happens to mail while policyd is away. Postfix's own answer is 451 after up to
 * 200 s. False: as it should. */
static bool judge_action(struct check_report *report, const struct postconf *conf,
                         const struct postconf_service *s, const char *stage,
                         struct pw_str action)
{
	const struct pw_str otherwise = PW_STR("451 after a long wait");
	const char *wanted = wanted_action(s);

	if (action.len >= 5 && pw_str_starts_nocase(action, pw_str_from(wanted)))
		return false;
	check_warning(report,
	              "%.*s: %s: while " SOCKET " is away, mail is treated with "
	              "\"%.*s\" instead of %s",
	              PW_FMT(s->name), stage, PW_FMT(action.len > 0 ? action : otherwise),
	              wanted);
	cure_front(report, conf, s, stage);
	return true;
}

static void need(struct check_report *report, const struct postconf *conf,
                 const struct postconf_service *s, const char *stage, const char *why)
{
	struct place place =
		find(postconf_value(conf, s, stage), postconf_is_submission(s));

	if (!place.is_there) {
		check_error(report, "%.*s: " SOCKET " is not asked in %s: %s",
		            PW_FMT(s->name), stage, why);
		cure_front(report, conf, s, stage);
	} else if (place.is_hidden) {
		check_error(report,
		            "%.*s: %s: " SOCKET " stands behind %.*s and is not asked",
		            PW_FMT(s->name), stage, PW_FMT(place.hider));
		cure_front(report, conf, s, stage);
	} else if (!judge_action(report, conf, s, stage, place.action) &&
	           is_guard(PW_STR(GUARD), stage) && !place.is_guarded) {
		check_warning(report,
		              "%.*s: %s: a recipient without a domain gets around lists "
		              "and limits: " GUARD " does not stand before " SOCKET,
		              PW_FMT(s->name), stage);
		cure_front(report, conf, s, stage);
	}
}

/* Before RCPT there is no recipient to judge, and Postfix asks at that stage only if it
 * delays refusals; DATA comes too late to tell recipients apart. */
static void judge_strays(struct check_report *report, const struct postconf *conf,
                         const struct postconf_service *s)
{
	static const char *const right[] = { "smtpd_relay_restrictions", RECIPIENTS,
		                             "smtpd_end_of_data_restrictions" };

	for (size_t i = 0; i < PW_LEN(stages); i++) {
		bool is_right = false;

		for (size_t k = 0; k < PW_LEN(right); k++)
			is_right |=
				pw_str_eq(pw_str_from(stages[i]), pw_str_from(right[k]));
		if (is_right || !find(postconf_value(conf, s, stages[i]), false).is_there)
			continue;
		check_warning(report,
		              "%.*s: " SOCKET " is asked in %s, where it can say nothing",
		              PW_FMT(s->name), stages[i]);
		cure_without(report, conf, s, stages[i]);
	}
}

void judge_stages(struct check_report *report, const struct postconf *conf,
                  enum check_role role)
{
	if (role == CHECK_EDGE)
		return;
	for (size_t i = 0; i < conf->count; i++) {
		const struct postconf_service *s = &conf->services[i];

		if (postconf_is_public(s))
			need(report, conf, s, RECIPIENTS,
			     "mail for full mailboxes is taken and comes back as a "
			     "bounce");
		if (postconf_is_submission(s)) {
			need(report, conf, s, RECIPIENTS,
			     "nobody looks whether a login may send as that sender");
			need(report, conf, s, "smtpd_end_of_data_restrictions",
			     "limits of sending never count");
		}
		if (postconf_is_smtpd(s))
			judge_strays(report, conf, s);
	}
}
