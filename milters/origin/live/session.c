#include "origin/live/session.h"

#include <stdlib.h>

#include "io/clock.h"
#include "kit/client.h"
#include "origin/daemon.h"

#define SESSION_BYTES ((size_t)64 * 1024) /* what is learnt once: names, TLS, login */

static struct daemon *daemon_of(const struct kit_session *s)
{
	return s->daemon->user;
}

enum pw_status session_open(struct kit_session *s)
{
	struct session *own = calloc(1, sizeof(*own));
	enum pw_status r;

	if (!own)
		return PW_ERR_NOMEM;
	s->own = own;
	own->fallback = daemon_of(s)->fallback;
	own->held = kit_live_get(daemon_of(s)->live);
	own->set = own->held->set;
	own->derived = own->held->derived;
	if ((r = pw_arena_new(&own->arena, SESSION_BYTES)) != PW_OK ||
	    (r = upstream_new(&own->up, &own->derived->target)) != PW_OK)
		return r;
	if ((r = outgoing_new(&own->outgoing, own->up, own->fallback->doubt,
	                      own->fallback->folder)) != PW_OK ||
	    own->derived->keys.count == 0)
		return r;
	return maker_new(&own->maker, &own->derived->keys,
	                 pw_str_from(own->derived->name));
}

void session_close(struct kit_session *s)
{
	struct session *own = s->own;

	if (!own)
		return;
	if (s->is_unheard && own->outgoing)
		outgoing_unheard(own->outgoing);
	outgoing_free(&own->outgoing);
	maker_free(&own->maker);
	strip_done(&own->strip);
	upstream_free(&own->up);
	pw_arena_free(&own->arena);
	pw_buf_done(&own->field);
	pw_buf_done(&own->helo);
	pw_buf_done(&own->sender);
	kit_live_put(daemon_of(s)->live, &own->held);
	free(own);
	s->own = NULL;
}

static void remember(struct session *own, enum pw_status r)
{
	if (own->failure == PW_OK)
		own->failure = r;
}

/* A macro's value for the life of the session; empty if Postfix does not say. */
static struct pw_str keep(struct kit_session *s, const char *macro)
{
	struct session *own = s->own;
	struct pw_str value = pw_str_from(kit_macro(s, macro)), copy = { NULL, 0 };

	if (value.len > 0) /* what is not there yet is asked for again and again */
		remember(own, pw_arena_copy(own->arena, value, &copy));
	return copy;
}

/* Into a buffer that is used again and again: a client may say HELO and MAIL as often as
 * it likes. */
static struct pw_str keep_latest(struct pw_buf *buf, struct pw_str value)
{
	pw_buf_reset(buf);
	pw_buf_puts(buf, value);
	return pw_buf_str(buf);
}

void session_learn_client(struct kit_session *s)
{
	struct session *own = s->own;

	remember(own, kit_client(s, own->arena, &own->origin));
	/* milters are not told; it is what clients speak */
	own->origin.protocol = PW_STR("ESMTP");
	own->origin.at_ms = pw_clock_wall_ms();
	pw_buf_reset(&own->field);
	pw_ip_put(&own->field, s->client);
	remember(own, pw_buf_status(&own->field));
	remember(own, pw_arena_copy(own->arena, pw_buf_str(&own->field), &own->address));
}

void session_learn_helo(struct kit_session *s, const char *name)
{
	struct session *own = s->own;

	own->origin.helo = keep_latest(&own->helo, pw_str_from(name));
}

/* STARTTLS and AUTH come after connect, and not before the first MAIL. */
static void learn_security(struct kit_session *s)
{
	struct session *own = s->own;
	struct pw_origin *origin = &own->origin;

	if (origin->tls_version.len == 0) {
		origin->tls_version = keep(s, "{tls_version}");
		origin->tls_cipher = keep(s, "{cipher}");
	}
	if (own->set->send_login && origin->login.len == 0)
		origin->login = keep(s, "{auth_authen}");
	own->message.has_login = pw_str_from(kit_macro(s, "{auth_authen}")).len > 0;
}

void session_learn_sender(struct kit_session *s, const char *address)
{
	struct session *own = s->own;

	(void)keep_latest(&own->sender, record_bare(address));
	learn_security(s);
}

const char *session_objection(const struct session *own)
{
	if (own->failure != PW_OK)
		return pw_status_text(own->failure);
	return gate_objects(&own->derived->gate, &own->origin);
}

struct record session_record(const struct kit_session *s)
{
	const struct session *own = s->own;

	return (struct record){ .queue_id = kit_id(s),
		                .client = &own->origin,
		                .address = own->address,
		                .sender = pw_buf_str(&own->sender) };
}
