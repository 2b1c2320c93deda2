#include "score/session.h"

#include <stdlib.h>
#include <string.h>

#include "core/score_text.h"
#include "core/stamp.h"
#include "io/clock.h"
#include "io/log.h"
#include "kit/client.h"
#include "kit/edit.h"
#include "kit/reply.h"
#include "score/answer.h"
#include "score/autolearn.h"
#include "score/counters.h"
#include "score/lesson.h"
#include "score/record.h"
#include "score/reputation.h"

#define SESSION_BYTES ((size_t)64 * 1024) /* names of one client */
#define RECIPIENTS_MAX 10000              /* looked at; Postfix's own limit is 1000 */

/* One client. What is about the message is in the second half: on_reset clears it. */
struct session {
	const struct kit_held *held;
	struct pw_arena *client_arena;
	struct pw_origin origin;
	struct pw_str host;    /* Postfix's myhostname */
	struct pw_str address; /* its address, as text */
	bool is_edge;          /* one of our own: the header says who the client is */

	struct pw_arena *arena;
	const struct pw_snapshot_view *view; /* NULL: built-in rules */
	struct pw_envelope envelope;
	struct pw_str client; /* address of the message's client, as text */
	bool has_client_field;
	struct pw_mailbox *recipients;
	size_t recipient_room;
	struct recall recall;
	struct virus_scan scan;
	struct pw_judge_tools tools;
	struct pw_judge *judge;
	struct forged forged;
	int64_t started_ms;     /* monotonic */
	enum pw_status failure; /* first one of this message */
};

static struct daemon *shared_of(const struct kit_session *s)
{
	return s->daemon->user;
}

static const struct settings *settings_of(const struct session *own)
{
	return own->held->set;
}

static const struct derived *derived_of(const struct session *own)
{
	return own->held->derived;
}

static struct pw_str authserv_id(const struct session *own)
{
	const char *id = settings_of(own)->authserv_id;

	return id[0] != '\0' ? pw_str_from(id) : own->host;
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

	if (own == NULL)
		return PW_ERR_NOMEM;
	s->own = own;
	own->held = kit_live_get(shared_of(s)->live);
	if ((r = pw_arena_new(&own->client_arena, SESSION_BYTES)) != PW_OK)
		return r;
	return pw_arena_new(&own->arena, PW_MESSAGE_ARENA_MAX);
}

static void on_reset(struct kit_session *s)
{
	struct session *own = s->own;

	pw_judge_free(&own->judge);
	virus_done(&own->scan);
	pw_snapshot_put(&own->view);
	pw_arena_reset(own->arena);
	own->envelope = (struct pw_envelope){ 0 };
	own->has_client_field = false;
	own->recipients = NULL;
	own->recipient_room = 0;
	own->forged = (struct forged){ 0 };
	own->failure = PW_OK;
}

static void on_close(struct kit_session *s)
{
	struct session *own = s->own;

	if (own == NULL)
		return;
	pw_judge_free(&own->judge);
	virus_done(&own->scan);
	pw_snapshot_put(&own->view);
	pw_arena_free(&own->arena);
	pw_arena_free(&own->client_arena);
	kit_live_put(shared_of(s)->live, &own->held);
	free(own);
	s->own = NULL;
}

static sfsistat on_connect(struct kit_session *s, const char *name)
{
	struct session *own = s->own;
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };
	enum pw_status r = kit_client(s, own->client_arena, &own->origin);

	(void)name; /* {client_name} says the same, and whether it is true */
	own->is_edge = pw_nets_contain(&derived_of(own)->edges, s->client);
	if (r == PW_OK)
		r = pw_arena_copy(own->client_arena, pw_str_from(kit_macro(s, "j")),
		                  &own->host);
	pw_ip_put(&address, s->client);
	if (r == PW_OK)
		r = pw_arena_copy(own->client_arena, pw_buf_str(&address), &own->address);
	return r == PW_OK ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
}

/* Said again after STARTTLS; a client that says it for ever fills no memory. */
static sfsistat on_helo(struct kit_session *s, const char *name)
{
	struct session *own = s->own;
	struct pw_str helo = pw_str_sub(pw_str_from(name), 0, 1024);

	if (!pw_str_eq(helo, own->origin.helo) &&
	    pw_arena_copy(own->client_arena, helo, &own->origin.helo) != PW_OK)
		own->origin.helo = (struct pw_str){ "", 0 };
	return SMFIS_CONTINUE;
}

static enum pw_status learn_envelope(struct kit_session *s, const char *sender)
{
	struct session *own = s->own;
	struct pw_envelope *e = &own->envelope;
	enum pw_status r;

	e->origin = own->origin;
	e->our_name = authserv_id(own);
	e->has_sender = true;
	r = pw_arena_copy(own->arena, pw_str_from(kit_macro(s, "{auth_authen}")),
	                  &e->origin.login);
	if (r != PW_OK)
		return r;
	r = pw_address_parse(&e->sender, own->arena, pw_str_from(sender));
	return r == PW_ERR_NOMEM ? r : PW_OK; /* what is no address stays empty */
}

static const struct rules *rules_of(const struct kit_session *s)
{
	const struct session *own = s->own;

	return own->view != NULL ? own->view->compiled : shared_of(s)->built_in;
}

static void begin_scan(struct session *own, struct virus_news *news)
{
	virus_done(&own->scan); /* of a MAIL that was refused after us */
	virus_begin(&own->scan,
	            &(struct virus_config){
			    .clamd = &derived_of(own)->clamd,
			    .patience_ms = settings_of(own)->clamav_deadline_ms,
			    .size_max_bytes = settings_of(own)->clamav_size_max_bytes,
			    .news = news,
		    });
}

static void begin_judge(struct session *own)
{
	if (own->failure == PW_OK)
		remember(own, pw_judge_new(&own->judge, own->arena, &own->tools,
		                           &own->envelope, pw_clock_wall_ms()));
}

static sfsistat on_mail(struct kit_session *s, char **argv)
{
	struct session *own = s->own;
	struct daemon *shared = shared_of(s);

	own->started_ms = pw_clock_mono_ms();
	own->view = pw_snapshot_get(shared->snapshot);
	own->forged.arena = own->arena;
	own->recall =
		(struct recall){ shared->memory, settings_of(own)->bayes_deadline_ms };
	own->tools = (struct pw_judge_tools){
		.resolver = shared->resolver,
		.dkim = shared->dkim,
		.psl = shared->psl,
		.is_local_domain = rules_is_local,
		.is_trusted_sealer = rules_is_sealer,
		.dmarc_override = rules_dmarc_override,
		.user = rules_of(s),
		.own_maps = rules_maps(rules_of(s)),
		.composites = rules_composites(rules_of(s)),
		.dns_lists = rules_dns_lists(rules_of(s)),
		.dns_lists_wait_ms = settings_of(own)->dns_lists_wait_ms,
		.recall = memory_recall,
		.memory = &own->recall,
		.standing = settings_of(own)->reputation == REPUTATION_ON
		                    ? memory_standing
		                    : NULL,
		.read = reader_read,
		.reader = shared->reader,
		.find_virus = virus_find,
		.scan = &own->scan,
	};
	begin_scan(own, &shared->virus);
	own->client = own->address;
	remember(own, learn_envelope(s, argv[0]));
	if (!own->is_edge)
		begin_judge(own); /* the DNS is asked while the message comes */
	return SMFIS_CONTINUE;
}

static enum pw_status grow_recipients(struct session *own)
{
	size_t room = own->recipient_room == 0 ? 8 : own->recipient_room * 2;
	struct pw_mailbox *more = pw_arena_array(own->arena, room, sizeof(*more));

	if (more == NULL)
		return PW_ERR_NOMEM;
	if (own->envelope.recipient_count > 0)
		memcpy(more, own->recipients,
		       own->envelope.recipient_count * sizeof(*more));
	own->recipients = more;
	own->recipient_room = room;
	own->envelope.recipients = more;
	return PW_OK;
}

static sfsistat on_rcpt(struct kit_session *s, char **argv)
{
	struct session *own = s->own;
	struct pw_envelope *e = &own->envelope;
	enum pw_status r;

	if (e->recipient_count == RECIPIENTS_MAX)
		return SMFIS_CONTINUE;
	if (e->recipient_count == own->recipient_room &&
	    (r = grow_recipients(own)) != PW_OK) {
		remember(own, r);
		return SMFIS_CONTINUE;
	}
	r = pw_address_parse(&own->recipients[e->recipient_count], own->arena,
	                     pw_str_from(argv[0]));
	if (r == PW_OK)
		e->recipient_count++;
	else if (r == PW_ERR_NOMEM)
		remember(own, r);
	return SMFIS_CONTINUE;
}

/* Postward-Client, which postward-origin puts above all others once it has believed the
 * edge's stamp, and takes out of every other message. */
static enum pw_status learn_client(struct session *own, struct pw_str value)
{
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };
	struct pw_stamp_facts facts;
	enum pw_status r = pw_client_parse(&facts, own->arena, value);

	if (r == PW_ERR_SYNTAX)
		return PW_OK; /* not of our making: then the edge is all we know */
	if (r != PW_OK)
		return r;
	own->has_client_field = true;
	own->envelope.origin = facts.origin;
	own->envelope.origin.at_ms = facts.at_s * 1000;
	pw_ip_put(&address, facts.origin.address);
	return pw_arena_copy(own->arena, pw_buf_str(&address), &own->client);
}

/* The first field of an edge's message; true: it was for us alone. */
static bool look_for_client(struct session *own, struct pw_str name, struct pw_str value)
{
	if (!own->is_edge || own->judge != NULL || own->failure != PW_OK)
		return false;
	if (pw_str_eq_nocase(name, PW_STR(PW_CLIENT_FIELD)))
		remember(own, learn_client(own, value));
	begin_judge(own);
	return own->has_client_field;
}

static sfsistat on_header(struct kit_session *s, struct pw_str name, struct pw_str value)
{
	struct session *own = s->own;
	bool is_for_us = look_for_client(own, name, value);

	remember(own, forged_look(&own->forged, name, value, authserv_id(own)));
	if (own->failure == PW_OK && !is_for_us) {
		remember(own, pw_judge_header(own->judge, name, value));
		virus_header(&own->scan, name, value);
	}
	return SMFIS_CONTINUE;
}

static sfsistat on_eoh(struct kit_session *s)
{
	struct session *own = s->own;

	if (own->judge == NULL)
		begin_judge(own); /* an edge's message without a field */
	if (own->failure == PW_OK)
		remember(own, pw_judge_eoh(own->judge, false));
	virus_body(&own->scan, PW_STR("\r\n"));
	return SMFIS_CONTINUE;
}

static sfsistat on_body(struct kit_session *s, struct pw_str chunk)
{
	struct session *own = s->own;

	if (own->failure == PW_OK)
		remember(own, pw_judge_body(own->judge, chunk));
	if (own->failure == PW_OK)
		virus_body(&own->scan, chunk);
	return SMFIS_CONTINUE;
}

/* The one place where an error becomes an SMTP answer. */
static sfsistat give_up(struct kit_session *s)
{
	struct session *own = s->own;
	struct answer answer;
	bool accepts = settings_of(own)->on_failure == ON_FAILURE_ACCEPT &&
	               answer_unjudged(&answer, own->arena, &own->forged) == PW_OK &&
	               kit_apply(s, answer.edits, answer.edit_count) == PW_OK;

	pw_count(&counters, accepts ? COUNT_unjudged : COUNT_deferred, 1);
	pw_log(PW_LOG_ERROR, kit_id(s), PW_KV("action", accepts ? "unjudged" : "defer"),
	       PW_KV("cause", pw_status_text(own->failure)),
	       PW_KV_PEER("client", own->envelope.origin.name, own->client), PW_KV_END);
	if (accepts)
		return SMFIS_ACCEPT;
	return kit_say(s, 451, "4.3.0",
	               PW_STR("Message cannot be judged now, try later"));
}

static const char *action_text(const struct answer *answer,
                               const struct pw_verdict *verdict)
{
	if (answer->kind == ANSWER_DMARC_REJECT)
		return "dmarc reject";
	if (verdict->is_unread)
		return "unread";
	return pw_action_text(verdict->plan.action);
}

/* Rules that were too slow for this message: counted, and each told once a snapshot. */
static void tell_limited(const struct kit_session *s, const struct pw_verdict *v)
{
	const struct rules *rules = rules_of(s);

	pw_count(&counters, COUNT_rules_limited, (int64_t)v->limited->total);
	for (size_t i = 0; i < v->limited->count; i++) {
		unsigned symbol = v->limited->at[i];

		if (rules_tell_once(rules, symbol))
			pw_log(PW_LOG_WARNING, kit_id(s), PW_KV("event", "rule_given_up"),
			       PW_KV("rule", rules_weights(rules)->symbols[symbol].name),
			       PW_KV("why", "over its limit of steps"), PW_KV_END);
	}
}

static void count_bayes(const struct pw_verdict *v)
{
	static const size_t ids[] = {
		[PW_BAYES_SILENT] = COUNT_bayes_silent,
		[PW_BAYES_UNDECIDED] = COUNT_bayes_open,
		[PW_BAYES_SPAM] = COUNT_bayes_spam,
		[PW_BAYES_HAM] = COUNT_bayes_ham,
	};

	if (v->tokens != NULL)
		pw_count(&counters,
		         v->bayes != NULL ? ids[v->bayes->verdict] : COUNT_bayes_away, 1);
}

static void count(const struct answer *answer, const struct pw_verdict *v, size_t forged)
{
	static const size_t ids[PW_ACTIONS] = {
		[PW_ACTION_NONE] = COUNT_none,
		[PW_ACTION_GREYLIST] = COUNT_none,
		[PW_ACTION_ADD_HEADER] = COUNT_add_header,
		[PW_ACTION_REJECT] = COUNT_rejected,
	};

	pw_count(&counters,
	         answer->kind == ANSWER_DMARC_REJECT ? COUNT_dmarc_reject
	                                             : ids[v->plan.action],
	         1);
	count_bayes(v);
	pw_count(&counters, COUNT_forged, (int64_t)forged);
	pw_count(&counters, COUNT_unread, v->is_unread);
	pw_count(&counters, COUNT_arc_passed, v->auth.arc.result == PW_ARC_PASS);
	pw_count(&counters, COUNT_arc_failed, v->auth.arc.result == PW_ARC_FAIL);
	pw_count(&counters, COUNT_arc_vouched, v->auth.voucher.len > 0);
	if (v->auth.spf.result == PW_SPF_TEMPERROR ||
	    v->auth.dkim_overall == PW_DKIM_TEMPERROR ||
	    v->auth.dmarc.result == PW_DMARC_TEMPERROR)
		pw_count(&counters, COUNT_dns_errors, 1);
}

/* "SPF_PASS=-0.200 ..." for the log. */
static void put_symbols(struct pw_buf *out, const struct pw_score_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->lines[i].score_milli == 0)
			continue;
		if (out->len > 0)
			pw_buf_putc(out, ' ');
		if (plan->lines[i].is_parts)
			pw_buf_puts(out, PW_STR("parts:"));
		pw_buf_puts(out, plan->lines[i].name);
		pw_buf_putc(out, '=');
		pw_milli_put(out, plan->lines[i].score_milli);
	}
}

static void put_sender(struct pw_buf *out, const struct pw_envelope *e)
{
	if (e->sender.domain.len > 0)
		pw_address_put(out, &e->sender);
}

static void report(const struct kit_session *s, const struct answer *answer,
                   const struct pw_verdict *v)
{
	const struct session *own = s->own;
	const struct pw_score_plan *plan = &v->plan;
	PW_AUTO(pw_buf_done) struct pw_buf symbols = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf sender = { 0 };
	bool is_submission = own->envelope.origin.login.len > 0;
	size_t forged = own->forged.count - own->has_client_field;

	count(answer, v, forged);
	put_symbols(&symbols, plan);
	put_sender(&sender, &own->envelope);
	pw_log(PW_LOG_INFO, kit_id(s), PW_KV("action", action_text(answer, v)),
	       plan->dry_action != plan->action
	               ? PW_KV("dry_run", pw_action_text(plan->dry_action))
	       : answer->dmarc_dry_run ? PW_KV("dry_run", "dmarc reject")
	                               : PW_KV_NONE,
	       PW_KV_INT("score_milli", plan->score_milli),
	       PW_KV_PEER("client", own->envelope.origin.name, own->client),
	       own->has_client_field ? PW_KV("edge", own->address) : PW_KV_NONE,
	       PW_KV_ADDR("from", pw_buf_str(&sender)),
	       PW_KV_INT("recipients", own->envelope.recipient_count),
	       is_submission ? PW_KV("login", own->envelope.origin.login) : PW_KV_NONE,
	       v->auth.has_spf ? PW_KV("spf", pw_spf_result_text(v->auth.spf.result))
	                       : PW_KV_NONE,
	       v->has_auth ? PW_KV("dkim", pw_dkim_result_text(v->auth.dkim_overall))
	                   : PW_KV_NONE,
	       v->has_auth ? PW_KV("dmarc", pw_dmarc_result_text(v->auth.dmarc.result))
	                   : PW_KV_NONE,
	       v->has_auth ? PW_KV("arc", pw_arc_result_text(v->auth.arc.result))
	                   : PW_KV_NONE,
	       v->auth.voucher.len > 0 ? PW_KV("arc_sealer", v->auth.voucher)
	                               : PW_KV_NONE,
	       forged > 0 ? PW_KV_INT("forged", forged) : PW_KV_NONE,
	       PW_KV("symbols", pw_buf_str(&symbols)),
	       PW_KV_INT("ms", pw_clock_mono_ms() - own->started_ms), PW_KV_END);
}

static void record(struct kit_session *s, const struct answer *answer,
                   const struct pw_verdict *v)
{
	const struct session *own = s->own;
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 };

	record_put(&row, &(struct record){
				 .queue_id = pw_str_from(kit_id(s)),
				 .host = own->host,
				 .action = pw_str_from(action_text(answer, v)),
				 .envelope = &own->envelope,
				 .verdict = v,
				 .is_dmarc_refused = answer->kind == ANSWER_DMARC_REJECT,
				 .at_ms = pw_clock_wall_ms(),
			 });
	if (pw_buf_status(&row) == PW_OK)
		daemon_record(shared_of(s), pw_buf_str(&row));
}

/* For the base all share: nobody has said whose mail this is like. */
static void learn_by_itself(struct kit_session *s, const struct pw_verdict *v)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 };
	enum autolearn what = AUTOLEARN_NOTHING;
	enum pw_status r;

	if (settings_of(s->own)->autolearn == SELF_TEACHING_ON)
		what = autolearn_decide(v);
	if (what == AUTOLEARN_NOTHING)
		return;
	r = lesson_put(&row, &(struct lesson){ .login = PW_STR(""),
	                                       .is_spam = what == AUTOLEARN_SPAM,
	                                       .origin = "auto",
	                                       .message = v->message,
	                                       .tokens = v->tokens });
	if (r != PW_OK)
		return; /* one lesson less */
	pw_count(&counters, COUNT_autolearned, 1);
	daemon_learn(shared_of(s), pw_buf_str(&row));
}

static void count_sources(struct kit_session *s, const struct pw_verdict *v)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 };

	if (reputation_put(&row, v) == PW_OK) /* else one message less */
		daemon_count(shared_of(s), pw_buf_str(&row));
}

static sfsistat carry_out(struct kit_session *s, const struct answer *answer)
{
	struct session *own = s->own;

	switch (answer->kind) {
	case ANSWER_REJECT:
		return kit_say(s, 550, "5.7.1", pw_buf_str(&answer->text));
	case ANSWER_DMARC_REJECT:
		return kit_say(s, 550, "5.7.26", pw_buf_str(&answer->text));
	case ANSWER_ACCEPT:
		break;
	}
	own->failure = kit_apply(s, answer->edits, answer->edit_count);
	return own->failure == PW_OK ? SMFIS_ACCEPT : give_up(s);
}

static sfsistat judge(struct kit_session *s, struct pw_verdict *verdict)
{
	struct session *own = s->own;
	sfsistat result;
	PW_AUTO(answer_done) struct answer answer = { 0 };
	struct answer_input input = {
		.verdict = verdict,
		.forged = &own->forged,
		.authserv_id = authserv_id(own),
		.login = own->envelope.origin.login,
		.dmarc_reject = settings_of(own)->dmarc_reject,
	};

	virus_sent(&own->scan);
	own->failure = pw_judge_end(
		own->judge, rules_weights(rules_of(s)),
		pw_clock_mono_ms() + settings_of(own)->dns_deadline_ms, verdict);
	if (own->failure == PW_OK)
		own->failure = answer_decide(&answer, own->arena, &input);
	if (own->failure != PW_OK)
		return give_up(s);
	result = carry_out(s, &answer);
	if (own->failure == PW_OK) {
		report(s, &answer, verdict);
		tell_limited(s, verdict);
		record(s, &answer, verdict);
		learn_by_itself(s, verdict);
		count_sources(s, verdict);
	}
	return result;
}

static sfsistat on_eom(struct kit_session *s)
{
	struct session *own = s->own;
	struct pw_verdict *verdict;

	if (own->failure != PW_OK)
		return give_up(s);
	if ((verdict = pw_arena_alloc(own->arena, sizeof(*verdict))) == NULL) {
		own->failure = PW_ERR_NOMEM;
		return give_up(s);
	}
	return judge(s, verdict);
}

void session_describe(struct kit_daemon *kit, struct daemon *shared)
{
	kit->calls = (struct kit_calls){
		.open = on_open,
		.connect = on_connect,
		.helo = on_helo,
		.mail = on_mail,
		.rcpt = on_rcpt,
		.header = on_header,
		.eoh = on_eoh,
		.body = on_body,
		.eom = on_eom,
		.reset = on_reset,
		.close = on_close,
	};
	kit->verdicts = KIT_BIT(KIT_CONNECT);
	kit->actions = SMFIF_ADDHDRS | SMFIF_CHGHDRS;
	kit->macros[KIT_CONNECT] = KIT_CLIENT_MACROS;
	kit->macros[KIT_MAIL] = "i {auth_authen}";
	kit->macros[KIT_EOM] = "i";
	kit->user = shared;
	kit->reload = daemon_reload;
	kit->report = daemon_report;
	kit->stop = daemon_stop;
}
