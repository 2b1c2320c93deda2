#include "dkim/session.h"

#include <stdlib.h>

#include "dkim/counters.h"
#include "dkim/sealing.h"
#include "dkim/sign.h"
#include "io/clock.h"
#include "io/log.h"
#include "kit/edit.h"
#include "kit/reply.h"
#include "mail/dkim_sign.h"

#define ARENA_BYTES ((size_t)4 * 1024 * 1024)
#define SIGNATURES_MAX 16 /* of one message; further keys do not sign */
#define HOST_BYTES ((size_t)4 * 1024)

struct session {
	const struct kit_held *held;
	struct pw_arena *arena;
	struct sign_message message;   /* slices live in arena */
	struct pw_dkim_signer *signer; /* NULL: not ours to sign */
	struct letter *letter;         /* NULL: not one for the guard */
	struct sealing *sealing;       /* NULL: not one to be sealed */
	struct pw_str host;            /* Postfix's myhostname; lives in host_arena */
	struct pw_arena *host_arena;
	enum pw_status failure; /* first one of this message */
};

static struct daemon *daemon_of(const struct kit_session *s)
{
	return s->daemon->user;
}

static const struct settings *settings_of(const struct session *own)
{
	return own->held->set;
}

static void remember(struct session *own, enum pw_status r)
{
	if (own->failure == PW_OK)
		own->failure = r;
}

static enum pw_status on_open(struct kit_session *s)
{
	struct session *own = calloc(1, sizeof(*own));
	enum pw_status r;

	if (!own)
		return PW_ERR_NOMEM;
	s->own = own;
	own->held = kit_live_get(daemon_of(s)->live);
	own->host = PW_STR("");
	if ((r = pw_arena_new(&own->host_arena, HOST_BYTES)) != PW_OK)
		return r;
	return pw_arena_new(&own->arena, ARENA_BYTES);
}

static void on_close(struct kit_session *s)
{
	struct session *own = s->own;

	if (!own)
		return;
	pw_dkim_signer_free(&own->signer);
	letter_free(&own->letter);
	sealing_free(&own->sealing);
	pw_arena_free(&own->arena);
	pw_arena_free(&own->host_arena);
	kit_live_put(daemon_of(s)->live, &own->held);
	free(own);
	s->own = NULL;
}

static void on_reset(struct kit_session *s)
{
	struct session *own = s->own;

	pw_dkim_signer_free(&own->signer);
	letter_free(&own->letter);
	sealing_free(&own->sealing);
	pw_arena_reset(own->arena);
	own->message = (struct sign_message){ 0 };
	own->failure = PW_OK;
}

/* Logins as the snapshot has them; one that is no address stands as it is. */
static enum pw_status learn_login(struct session *own, const char *login)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	if (!login)
		return PW_OK;
	if (pw_address_normalise(&text, pw_str_from(login)) != PW_OK)
		pw_buf_puts(&text, pw_str_from(login));
	if (pw_buf_status(&text) != PW_OK)
		return pw_buf_status(&text);
	return pw_arena_copy(own->arena, pw_buf_str(&text), &own->message.login);
}

/* For local mail (non_smtpd_milters) Postfix makes up a client 127.0.0.1 with port 0,
 * which no TCP client has. */
static bool is_local(const struct kit_session *s)
{
	if (s->client.family == PW_IP_NONE)
		return true;
	return s->client_port == 0 && s->client.family == PW_IP_V4 &&
	       s->client.bytes[0] == 127;
}

/* A letter that cannot be kept whole is none: the guard is never in the way. */
static void letter_keep(struct session *own, enum pw_status r)
{
	if (r != PW_OK)
		letter_free(&own->letter);
}

static void begin(struct kit_session *s)
{
	struct session *own = s->own;
	const struct settings *set = settings_of(own);

	remember(own, pw_dkim_signer_new(&own->signer, (size_t)set->line_length_limit));
	if (guard_wants(daemon_of(s)->guard, set->guard_one_in))
		letter_keep(own, letter_new(&own->letter));
}

static sfsistat on_connect(struct kit_session *s, const char *name)
{
	struct session *own = s->own;

	(void)name;
	(void)!pw_arena_copy(own->host_arena, pw_str_from(kit_macro(s, "j")), &own->host);
	return SMFIS_CONTINUE;
}

/* A message without its seal is as good as it was: failures only leave it so. */
static void begin_seal(struct session *own)
{
	const struct settings *set = settings_of(own);

	if (!own->sealing && set->seal)
		(void)!sealing_new(&own->sealing, (size_t)set->line_length_limit);
}

static sfsistat on_mail(struct kit_session *s, char **argv)
{
	struct session *own = s->own;

	(void)argv;
	remember(own, learn_login(own, kit_macro(s, "{auth_authen}")));
	own->message.is_local = is_local(s);
	if (own->message.login.len > 0 || own->message.is_local)
		begin(s);
	if (own->message.login.len == 0 && own->message.is_local)
		begin_seal(own); /* a Sieve script may have sent it on */
	return SMFIS_CONTINUE;
}

/* Before alias expansion: does what comes for it go outside? */
static sfsistat on_rcpt(struct kit_session *s, char **argv)
{
	struct session *own = s->own;
	PW_AUTO(pw_buf_done) struct pw_buf recipient = { 0 };
	PW_AUTO(pw_snapshot_put)
	const struct pw_snapshot_view *view = pw_snapshot_get(daemon_of(s)->snapshot);
	struct pw_str domain;

	if (!view || own->message.login.len > 0 || own->message.is_local ||
	    pw_address_normalise(&recipient, pw_str_from(argv[0])) != PW_OK ||
	    forwards_find(keyring_forwards(view->compiled), pw_buf_str(&recipient),
	                  &domain) != PW_OK)
		return SMFIS_CONTINUE;
	begin_seal(own);
	if (own->sealing)
		sealing_leads(own->sealing, domain);
	return SMFIS_CONTINUE;
}

/* Most mail from outside is neither signed nor sealed: it need not come here. */
static sfsistat on_data(struct kit_session *s)
{
	const struct session *own = s->own;
	bool is_ours = own->signer || own->sealing || own->failure != PW_OK;

	return is_ours ? SMFIS_CONTINUE : SMFIS_ACCEPT;
}

static void learn_from(struct session *own, struct pw_str name, struct pw_str value)
{
	if (!pw_str_eq_nocase(name, PW_STR("From")))
		return;
	if (own->message.from_count++ == 0)
		remember(own, pw_arena_copy(own->arena, value, &own->message.from));
}

static sfsistat on_header(struct kit_session *s, struct pw_str name, struct pw_str value)
{
	struct session *own = s->own;
	enum pw_status r;

	sealing_header(own->sealing, name, value);
	if (!own->signer)
		return SMFIS_CONTINUE;
	learn_from(own, name, value);
	if (own->letter)
		letter_keep(own, letter_header(own->letter, name, value));
	r = pw_dkim_signer_header(own->signer, name, value);
	if (r == PW_ERR_LIMIT)
		own->message.is_too_large = true;
	else
		remember(own, r);
	return SMFIS_CONTINUE;
}

static sfsistat on_body(struct kit_session *s, struct pw_str chunk)
{
	struct session *own = s->own;

	sealing_body(own->sealing, chunk);
	if (own->signer)
		remember(own, pw_dkim_signer_body(own->signer, chunk));
	if (own->letter)
		letter_keep(own, letter_body(own->letter, chunk));
	return SMFIS_CONTINUE;
}

/* The signatures of a message while they are made. */
struct work {
	struct pw_buf texts[SIGNATURES_MAX];
	struct kit_edit edits[SIGNATURES_MAX];
	size_t count;
};

static void work_done(struct work *work)
{
	for (size_t i = 0; i < SIGNATURES_MAX; i++)
		pw_buf_done(&work->texts[i]);
}

/* One header field a key. */
static enum pw_status sign_as(struct work *work, struct session *own,
                              const struct sign_as *as, int64_t now_ms)
{
	for (size_t i = 0; i < as->domain->count && work->count < SIGNATURES_MAX; i++) {
		const struct keyring_key *key = &as->domain->keys[i];
		struct pw_dkim_sign_as one = {
			.domain = as->domain->name,
			.selector = key->selector,
			.key = key->key,
			.names = as->rule ? as->rule->names : NULL,
			.identity = as->identity,
			.expires_s = as->rule ? as->rule->expires_s : 0,
		};
		struct pw_buf *text = &work->texts[work->count];
		enum pw_status r;

		if ((r = pw_dkim_signer_sign(own->signer, &one, text, now_ms)) != PW_OK)
			return r;
		if (own->letter)
			letter_keep(own,
			            letter_signature(own->letter, pw_buf_str(text),
			                             one.domain, one.selector, one.key));
		work->edits[work->count++] =
			(struct kit_edit){ KIT_INSERT, 1, "DKIM-Signature",
			                   pw_buf_text(text) };
	}
	return PW_OK;
}

/* All or none. */
static enum pw_status sign_all(struct kit_session *s, struct sign_plan *plan)
{
	PW_AUTO(work_done) struct work work = { .count = 0 };
	struct session *own = s->own;
	int64_t now_ms = pw_clock_wall_ms();
	enum pw_status r;

	for (size_t i = 0; i < plan->count; i++)
		if ((r = sign_as(&work, own, &plan->as[i], now_ms)) != PW_OK)
			return r;
	plan->signatures = work.count;
	if ((r = kit_apply(s, work.edits, work.count)) != PW_OK || !own->letter)
		return r;
	letter_keep(own, letter_name(own->letter, kit_id(s)));
	if (own->letter)
		guard_take(daemon_of(s)->guard, &own->letter);
	return PW_OK;
}

static void sign(struct kit_session *s, struct sign_plan *plan,
                 const struct sign_rules *rules)
{
	enum pw_status r = sign_all(s, plan);

	switch ((int)r) {
	case PW_OK:
		return;
	case PW_ERR_LIMIT: /* these three would be so at every attempt */
		plan->cause = "line_too_long";
		break;
	case PW_ERR_SYNTAX:
		plan->cause = "stray_bytes";
		break;
	case PW_ERR_RANGE:
		plan->cause = "too_many_fields";
		break;
	default:
		sign_fail(plan, SIGN_INTERNAL, pw_status_text(r), rules);
		return;
	}
	plan->action = SIGN_NONE;
}

static void report(const struct kit_session *s, const struct sign_plan *plan)
{
	static const size_t count_of[] = {
		[SIGN_ADD] = COUNT_signed,
		[SIGN_NONE] = COUNT_unsigned,
		[SIGN_REJECT] = COUNT_rejected,
		[SIGN_DEFER] = COUNT_deferred,
	};
	const struct session *own = s->own;
	bool is_signed = plan->action == SIGN_ADD;

	pw_count(&counters, count_of[plan->action], 1);
	if (is_signed)
		pw_count(&counters, COUNT_signatures, (int64_t)plan->signatures);
	pw_log(plan->action == SIGN_DEFER ? PW_LOG_WARNING : PW_LOG_INFO, kit_id(s),
	       PW_KV("action", sign_action_text(plan->action)),
	       is_signed ? PW_KV("domain", plan->as[0].domain->name)
	                 : PW_KV("cause", plan->cause),
	       is_signed ? PW_KV("selector", plan->as[0].domain->keys[0].selector)
	                 : PW_KV_NONE,
	       PW_KV_ADDR("from", plan->from),
	       own->message.login.len > 0 ? PW_KV("login", own->message.login)
	                                  : PW_KV_NONE,
	       is_signed ? PW_KV_INT("signatures", plan->signatures) : PW_KV_NONE,
	       PW_KV_END);
}

/* Of a Sieve script's mail, where it was: the domain of a mailbox of ours. */
static void learn_redirect(const struct session *own, const struct keyring *keyring)
{
	struct pw_str from = sealing_redirector(own->sealing), domain;

	if (from.len == 0 || !keyring || !keyring_knows(keyring, from))
		return;
	domain = pw_str_sub(from, pw_str_rfind(from, '@') + 1, from.len);
	sealing_leads(own->sealing, domain);
}

/* Last, so that nothing changes what is sealed. */
static sfsistat seal(struct kit_session *s, const struct keyring *keyring, bool is_signed)
{
	struct session *own = s->own;
	const struct settings *set = settings_of(own);
	const struct sealing_rules rules = {
		.authserv_id = set->authserv_id[0] != '\0' ? pw_str_from(set->authserv_id)
		                                           : own->host,
		.domain = pw_str_from(set->seal_domain),
		.is_signed = is_signed,
	};

	if (!own->sealing)
		return SMFIS_ACCEPT;
	if (own->message.is_local)
		learn_redirect(own, keyring);
	if (sealing_end(own->sealing, s, keyring, &rules) == PW_OK)
		return SMFIS_ACCEPT;
	return kit_say(s, 451, "4.7.5",
	               PW_STR("message cannot be sealed now, try again later"));
}

static sfsistat carry_out(struct kit_session *s, const struct sign_plan *plan)
{
	switch (plan->action) {
	case SIGN_REJECT:
		return kit_say(s, 550, "5.7.1", pw_str_from(plan->text));
	case SIGN_DEFER:
		return kit_say(s, 451, "4.7.5", pw_str_from(plan->text));
	case SIGN_ADD:
	case SIGN_NONE:
		break;
	}
	return SMFIS_ACCEPT;
}

static struct sign_rules rules_of(const struct kit_session *s)
{
	static const enum sign_action actions[] = {
		[ON_PASS] = SIGN_NONE,
		[ON_DEFER] = SIGN_DEFER,
		[ON_REJECT] = SIGN_REJECT,
	};
	const struct settings *set = settings_of(s->own);

	return (struct sign_rules){
		.on = { [SIGN_NO_KEY] = actions[set->on_no_key],
		        [SIGN_BAD_KEY] = actions[set->on_bad_key],
		        [SIGN_NO_DATABASE] = actions[set->on_no_database],
		        [SIGN_INTERNAL] = actions[set->on_failure] },
		.foreign_passes = set->foreign_from == FOREIGN_FROM_UNSIGNED,
		.signs_local = set->sign_local,
		.is_stale = !pw_snapshot_is_fresh(daemon_of(s)->snapshot),
	};
}

static sfsistat on_eom(struct kit_session *s)
{
	struct session *own = s->own;
	PW_AUTO(pw_snapshot_put)
	const struct pw_snapshot_view *view = pw_snapshot_get(daemon_of(s)->snapshot);
	struct sign_rules rules = rules_of(s);
	const struct keyring *keyring = view ? view->compiled : NULL;
	struct sign_plan plan;
	enum pw_status r = own->failure;
	sfsistat verdict;

	if (r == PW_OK)
		r = sign_decide(&plan, own->arena, &own->message, keyring, &rules);
	if (r != PW_OK) {
		plan = (struct sign_plan){ .from = PW_STR("") };
		sign_fail(&plan, SIGN_INTERNAL, pw_status_text(r), &rules);
	} else if (plan.action == SIGN_ADD) {
		sign(s, &plan, &rules);
	} else if (!own->signer) {
		return seal(s, keyring, false); /* neither a login's nor a program's */
	}
	report(s, &plan);
	verdict = carry_out(s, &plan);
	return verdict == SMFIS_ACCEPT ? seal(s, keyring, plan.action == SIGN_ADD)
	                               : verdict;
}

void session_describe(struct kit_daemon *kit, struct daemon *shared)
{
	kit->calls = (struct kit_calls){
		.open = on_open,
		.connect = on_connect,
		.mail = on_mail,
		.rcpt = on_rcpt,
		.data = on_data,
		.header = on_header,
		.body = on_body,
		.eom = on_eom,
		.reset = on_reset,
		.close = on_close,
	};
	kit->verdicts = KIT_BIT(KIT_DATA);
	kit->actions = SMFIF_ADDHDRS;
	kit->macros[KIT_CONNECT] = "j";
	kit->macros[KIT_MAIL] = "i {auth_authen}";
	kit->macros[KIT_EOM] = "i";
	kit->user = shared;
	kit->reload = daemon_reload;
	kit->report = daemon_report;
}
