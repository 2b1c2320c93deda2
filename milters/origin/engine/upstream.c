#include "origin/engine/upstream.h"

#include <assert.h>
#include <stdlib.h>

#include "io/clock.h"
#include "io/log.h"
#include "origin/engine/link.h"
#include "origin/engine/pool.h"
#include "origin/engine/upstream_state.h"

#define IDLE_MS 1000 /* for so long a session that answered is taken for alive */

/* clang-format off */
static const struct {
	const char *name;
	unsigned may_become; /* bits of enum upstream_state */
} states[UPSTREAM_STATES] = {
	[CLOSED]      = { "closed",      1u << READY | 1u << GREETED },
	[GREETED]     = { "greeted",     1u << CLOSED | 1u << READY },
	[READY]       = { "ready",       1u << CLOSED | 1u << NAMED | 1u << TRANSACTION },
	[NAMED]       = { "named",       1u << CLOSED | 1u << READY | 1u << STALE |
	                                 1u << TRANSACTION | 1u << UNWANTED },
	[TRANSACTION] = { "transaction", 1u << CLOSED | 1u << STALE | 1u << DATA },
	[UNWANTED]    = { "unwanted",    1u << CLOSED | 1u << READY },
	[STALE]       = { "stale",       1u << CLOSED | 1u << READY | 1u << NAMED },
	[DATA]        = { "data",        1u << CLOSED | 1u << READY | 1u << STALE },
};
/* clang-format on */

void upstream_enter(struct upstream *up, enum upstream_state next)
{
	assert(states[up->state].may_become & (1u << next));
	if (pw_log_wanted(PW_LOG_DEBUG))
		pw_log(PW_LOG_DEBUG, "", PW_KV("upstream", states[up->state].name),
		       PW_KV("becomes", states[next].name), PW_KV_END);
	up->state = next;
}

void upstream_settle(struct upstream *up)
{
	if (up->is_early)
		pool_settle(up->target->pool);
	up->is_early = false;
}

void upstream_hang_up(struct upstream *up)
{
	upstream_settle(up);
	smtp_client_close(&up->client);
	if (up->state != CLOSED)
		upstream_enter(up, CLOSED);
}

enum upstream_verdict upstream_fail(struct upstream *up, const char *step,
                                    enum pw_status status)
{
	up->failure = (struct upstream_failure){ .step = step, .status = status };
	upstream_hang_up(up);
	return UPSTREAM_FAILED;
}

void upstream_say_quit(struct upstream *up)
{
	if (up->state != CLOSED && up->state != DATA &&
	    smtp_client_send(&up->client, PW_STR("QUIT\r\n"), pw_clock_mono_ms()) !=
	            PW_OK)
		return; /* gone already */
}

enum pw_status upstream_new(struct upstream **out, const struct upstream_target *target)
{
	struct upstream *up = calloc(1, sizeof(*up));

	if (!up)
		return PW_ERR_NOMEM;
	up->target = target;
	smtp_client_init(&up->client);
	up->shown = &up->client.reply;
	*out = up;
	return PW_OK;
}

void upstream_free(struct upstream **out)
{
	struct upstream *up = *out;

	if (!up)
		return;
	upstream_say_quit(up);
	upstream_hang_up(up);
	smtp_client_done(&up->client);
	smtp_reply_done(&up->kept);
	pw_buf_done(&up->identity);
	pw_buf_done(&up->unsent);
	pw_buf_done(&up->envelope);
	pw_buf_done(&up->out);
	free(up);
	*out = NULL;
}

const struct smtp_reply *upstream_reply(const struct upstream *up)
{
	return up->shown;
}

const struct upstream_failure *upstream_failure(const struct upstream *up)
{
	return &up->failure;
}

struct upstream_offers upstream_offers(const struct upstream_target *target)
{
	return target->pool ? pool_offers(target->pool) : (struct upstream_offers){ 0 };
}

enum upstream_verdict upstream_judge(struct upstream *up, const char *step)
{
	int code = up->client.reply.code;

	if (code / 100 == 2)
		return UPSTREAM_OK;
	if (code / 100 != 4 && code / 100 != 5)
		return upstream_fail(up, step, PW_ERR_PROTOCOL);
	if (code == 530) /* wants TLS or a login of us, not of the client */
		return upstream_fail(up, step, PW_ERR_DENIED);
	if (code == 421) /* the inner leaves with this reply */
		upstream_hang_up(up);
	return UPSTREAM_REFUSED;
}

enum pw_status upstream_ask(struct upstream *up, struct pw_str command)
{
	enum pw_status r = link_ask(&up->client, command, up->deadline_ms);

	up->heard_ms = pw_clock_mono_ms();
	return r;
}

bool upstream_is_lost(struct upstream *up)
{
	return up->state == CLOSED || (pw_clock_mono_ms() - up->heard_ms >= IDLE_MS &&
	                               !smtp_client_is_quiet(&up->client));
}

void upstream_begin_command(struct upstream *up)
{
	up->deadline_ms = pw_clock_mono_ms() + up->target->command_ms - up->owed_ms;
	up->owed_ms = 0;
	up->shown = &up->client.reply;
}

void upstream_begin_transaction(struct upstream *up)
{
	up->failure = (struct upstream_failure){ 0 };
	pw_buf_reset(&up->unsent);
	pw_buf_reset(&up->envelope);
	pw_buf_reset(&up->out);
	up->stuff = (struct dot_stuff){ 0 };
	up->accepted = 0;
	up->may_replay = true;
	up->has_begun = false;
	up->data_verdict = UPSTREAM_OK;
}

bool upstream_has_rset(const struct upstream *up)
{
	return pw_str_starts(pw_buf_str(&up->unsent), PW_STR("RSET"));
}

void upstream_reset(struct upstream *up)
{
	switch (up->state) {
	case NAMED:
		upstream_enter(up, upstream_has_rset(up) ? STALE : READY);
		break;
	case TRANSACTION:
		upstream_enter(up, STALE);
		break;
	case UNWANTED:
		upstream_enter(up, READY);
		break;
	case DATA:
	case CLOSED:
		upstream_hang_up(up);
		break;
	case GREETED:
	case READY:
	case STALE:
	case UPSTREAM_STATES:
		break;
	}
	upstream_begin_transaction(up);
}
