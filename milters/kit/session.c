#include "kit/session.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kit/foreign.h"
#include "kit/wire/wire.h"

static const struct kit_daemon
	*the_daemon; /* callbacks get no pointer of ours before they make one */
static bool tcp;
static atomic_llong open_sessions;

/* clang-format off */
static const struct {
	unsigned long not_wanted, no_reply;
	int macros; /* smfi_setsymlist's place */
} stages[KIT_STAGES] = {
	[KIT_CONNECT] = { SMFIP_NOCONNECT, SMFIP_NR_CONN, SMFIM_CONNECT },
	[KIT_HELO]    = { SMFIP_NOHELO,    SMFIP_NR_HELO, SMFIM_HELO },
	[KIT_MAIL]    = { SMFIP_NOMAIL,    SMFIP_NR_MAIL, SMFIM_ENVFROM },
	[KIT_RCPT]    = { SMFIP_NORCPT,    SMFIP_NR_RCPT, SMFIM_ENVRCPT },
	[KIT_DATA]    = { SMFIP_NODATA,    SMFIP_NR_DATA, SMFIM_DATA },
	[KIT_HEADER]  = { SMFIP_NOHDRS,    SMFIP_NR_HDR,  SMFIM_NOMACROS },
	[KIT_EOH]     = { SMFIP_NOEOH,     SMFIP_NR_EOH,  SMFIM_EOH },
	[KIT_BODY]    = { SMFIP_NOBODY,    SMFIP_NR_BODY, SMFIM_NOMACROS },
	[KIT_EOM]     = { 0,               0,             SMFIM_EOM },
};
/* clang-format on */

/* The kit itself needs connect (the client's address) and mail (reset after a refused
 * one). */
static unsigned wanted_stages(const struct kit_calls *calls)
{
	return KIT_BIT(KIT_CONNECT) | KIT_BIT(KIT_MAIL) | KIT_BIT(KIT_EOM) |
	       (calls->helo ? KIT_BIT(KIT_HELO) : 0) |
	       (calls->rcpt ? KIT_BIT(KIT_RCPT) : 0) |
	       (calls->data ? KIT_BIT(KIT_DATA) : 0) |
	       (calls->header ? KIT_BIT(KIT_HEADER) : 0) |
	       (calls->eoh ? KIT_BIT(KIT_EOH) : 0) |
	       (calls->body ? KIT_BIT(KIT_BODY) : 0);
}

unsigned long kit_session_steps(const struct kit_daemon *daemon, bool is_tcp,
                                unsigned long offered, unsigned *no_reply_out)
{
	unsigned long steps = SMFIP_NOUNKNOWN | SMFIP_HDR_LEADSPC;
	unsigned wanted = wanted_stages(&daemon->calls);
	unsigned answered = daemon->verdicts;

	if (is_tcp)
		answered |= KIT_BIT(KIT_CONNECT) | KIT_BIT(KIT_HELO) | KIT_BIT(KIT_MAIL) |
		            KIT_BIT(KIT_RCPT) | KIT_BIT(KIT_DATA);
	*no_reply_out = 0;
	for (unsigned i = 0; i < KIT_EOM; i++) {
		if (!(wanted & KIT_BIT(i))) {
			steps |= stages[i].not_wanted;
		} else if (!(answered & KIT_BIT(i))) {
			steps |= stages[i].no_reply;
			if (offered & stages[i].no_reply)
				*no_reply_out |= KIT_BIT(i);
		}
	}
	return steps & offered;
}

static void ask_macros(SMFICTX *ctx, const struct kit_daemon *daemon)
{
	for (size_t i = 0; i < KIT_STAGES; i++)
		if (daemon->macros[i] && stages[i].macros != SMFIM_NOMACROS)
			(void)smfi_setsymlist(ctx, stages[i].macros,
			                      kit_foreign(daemon->macros[i]));
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long unused2, unsigned long unused3,
                             unsigned long *actions_out, unsigned long *steps_out,
                             unsigned long *unused2_out, unsigned long *unused3_out)
{
	const struct kit_daemon *daemon = the_daemon;
	struct kit_session *s = calloc(1, sizeof(*s));

	(void)unused2, (void)unused3;
	if (!s)
		return SMFIS_REJECT;
	s->ctx = ctx;
	s->daemon = daemon;
	(void)smfi_setpriv(ctx, s);
	atomic_fetch_add(&open_sessions, 1);
	if ((actions & daemon->actions) != daemon->actions)
		return SMFIS_REJECT; /* an MTA that cannot do what we need */
	if (daemon->calls.open && daemon->calls.open(s) != PW_OK)
		return SMFIS_REJECT;
	*actions_out = daemon->actions | (actions & SMFIF_SETSYMLIST);
	*steps_out = kit_session_steps(daemon, tcp, steps, &s->no_reply);
	*unused2_out = *unused3_out = 0;
	s->leading_space = *steps_out & SMFIP_HDR_LEADSPC;
	ask_macros(ctx, daemon);
	return SMFIS_CONTINUE;
}

/* SMFIS_NOREPLY exactly where it was negotiated. */
static sfsistat answer(const struct kit_session *s, enum kit_stage stage,
                       sfsistat verdict)
{
	if (s->no_reply & KIT_BIT(stage))
		return SMFIS_NOREPLY;
	return s->daemon->verdicts & KIT_BIT(stage) ? verdict : SMFIS_CONTINUE;
}

static void learn_queue_id(struct kit_session *s)
{
	const char *id;

	if (s->queue_id[0] || !(id = kit_macro(s, "i")))
		return;
	(void)strncpy(s->queue_id, id, sizeof(s->queue_id) - 1);
}

static void end_message(struct kit_session *s)
{
	if (s->in_message && s->daemon->calls.reset)
		s->daemon->calls.reset(s);
	s->in_message = false;
	memset(s->queue_id, 0, sizeof(s->queue_id));
}

static void learn_client(struct kit_session *s, const _SOCK_ADDR *address)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { 0 };
	enum pw_status r = PW_ERR_NOTFOUND;

	if (!address)
		return;
	if (address->sa_family == AF_INET) {
		memcpy(&a.v4, address, sizeof(a.v4));
		r = pw_ip_from_bytes(&s->client, &a.v4.sin_addr, 4);
		s->client_port = ntohs(a.v4.sin_port);
	} else if (address->sa_family == AF_INET6) {
		memcpy(&a.v6, address, sizeof(a.v6));
		r = pw_ip_from_bytes(&s->client, &a.v6.sin6_addr, 16);
		s->client_port = ntohs(a.v6.sin6_port);
	}
	if (r == PW_OK)
		s->client = pw_ip_unmap(s->client);
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
	struct kit_session *s = smfi_getpriv(ctx);

	if (!s)
		return SMFIS_TEMPFAIL;
	learn_client(s, address);
	if (!s->daemon->calls.connect)
		return answer(s, KIT_CONNECT, SMFIS_CONTINUE);
	return answer(s, KIT_CONNECT, s->daemon->calls.connect(s, name));
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	struct kit_session *s = smfi_getpriv(ctx);

	return s ? answer(s, KIT_HELO, s->daemon->calls.helo(s, name)) : SMFIS_TEMPFAIL;
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
	struct kit_session *s = smfi_getpriv(ctx);

	if (!s)
		return SMFIS_TEMPFAIL;
	end_message(s); /* Postfix sends no abort after a refused MAIL */
	s->in_message = true;
	if (!s->daemon->calls.mail)
		return answer(s, KIT_MAIL, SMFIS_CONTINUE);
	return answer(s, KIT_MAIL, s->daemon->calls.mail(s, argv));
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
	struct kit_session *s = smfi_getpriv(ctx);

	if (!s)
		return SMFIS_TEMPFAIL;
	learn_queue_id(s);
	return answer(s, KIT_RCPT, s->daemon->calls.rcpt(s, argv));
}

static sfsistat on_data(SMFICTX *ctx)
{
	struct kit_session *s = smfi_getpriv(ctx);

	if (!s)
		return SMFIS_TEMPFAIL;
	learn_queue_id(s);
	return answer(s, KIT_DATA, s->daemon->calls.data(s));
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct kit_session *s = smfi_getpriv(ctx);

	if (!s)
		return SMFIS_TEMPFAIL;
	return answer(s, KIT_HEADER,
	              s->daemon->calls.header(s, pw_str_from(name), pw_str_from(value)));
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	struct kit_session *s = smfi_getpriv(ctx);

	if (!s)
		return SMFIS_TEMPFAIL;
	learn_queue_id(s);
	return answer(s, KIT_EOH, s->daemon->calls.eoh(s));
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *chunk, size_t len)
{
	struct kit_session *s = smfi_getpriv(ctx);

	if (!s)
		return SMFIS_TEMPFAIL;
	return answer(s, KIT_BODY,
	              s->daemon->calls.body(s, (struct pw_str){ (char *)chunk, len }));
}

static sfsistat on_eom(SMFICTX *ctx)
{
	struct kit_session *s = smfi_getpriv(ctx);
	sfsistat verdict;

	if (!s)
		return SMFIS_TEMPFAIL;
	learn_queue_id(s);
	verdict = s->daemon->calls.eom(s);
	end_message(s);
	return verdict;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct kit_session *s = smfi_getpriv(ctx);

	if (s)
		end_message(s);
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct kit_session *s = smfi_getpriv(ctx);

	if (!s)
		return SMFIS_CONTINUE; /* closed before the negotiation */
	end_message(s);
	s->is_unheard = kit_wire_is_unheard(ctx);
	if (s->daemon->calls.close)
		s->daemon->calls.close(s);
	(void)smfi_setpriv(ctx, NULL);
	free(s);
	atomic_fetch_sub(&open_sessions, 1);
	return SMFIS_CONTINUE;
}

const struct smfiDesc *kit_session_calls(const struct kit_daemon *daemon, bool is_tcp)
{
	static struct smfiDesc description;
	const struct kit_calls *calls = &daemon->calls;

	the_daemon = daemon;
	tcp = is_tcp;
	description = (struct smfiDesc){
		.xxfi_connect = on_connect,
		.xxfi_helo = calls->helo ? on_helo : NULL,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = calls->rcpt ? on_rcpt : NULL,
		.xxfi_header = calls->header ? on_header : NULL,
		.xxfi_eoh = calls->eoh ? on_eoh : NULL,
		.xxfi_body = calls->body ? on_body : NULL,
		.xxfi_eom = on_eom,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_data = calls->data ? on_data : NULL,
		.xxfi_negotiate = on_negotiate,
	};
	return &description;
}

int64_t kit_sessions(void)
{
	return atomic_load(&open_sessions);
}

const char *kit_macro(const struct kit_session *s, const char *name)
{
	return smfi_getsymval(s->ctx, kit_foreign(name));
}

const char *kit_id(const struct kit_session *s)
{
	return s->queue_id[0] ? s->queue_id : NULL;
}
