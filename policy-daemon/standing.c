#include "policyd/standing.h"

#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "policyd/lru.h"

/* Remembered of one login and address at once. */
#define LOGINS_MAX 8
#define SESSIONS_MAX 8
/* A session that sent nothing for so long after its login is gone: Postfix hangs up after
 * five minutes (smtpd_timeout) of silence. */
#define CLAIM_MS (INT64_C(10) * 60 * 1000)

struct session {
	int64_t port, login_ms, seen_ms;
};

/* A login at an address. */
struct client {
	struct lru_entry entry;
	int64_t logins[LOGINS_MAX]; /* not claimed by a session yet, the earliest first */
	size_t login_count;
	struct session sessions[SESSIONS_MAX];
	size_t session_count;
	int64_t asked_ms; /* when one of unknown age was asked to log in again; 0 = never
	                   */
};

struct change {
	struct lru_entry entry;
	int64_t at_ms;
	bool is_gone;
};

struct standing {
	struct lru *clients, *changes;
};

/* ---- life */

enum pw_status standing_new(struct standing **out, const uint8_t seed[16])
{
	PW_AUTO(standing_free) struct standing *standing = calloc(1, sizeof(*standing));
	enum pw_status r;

	if (standing == NULL)
		return PW_ERR_NOMEM;
	if ((r = lru_new(&standing->clients, seed, STANDING_CLIENTS_MAX,
	                 sizeof(struct client))) != PW_OK ||
	    (r = lru_new(&standing->changes, seed, STANDING_CHANGES_MAX,
	                 sizeof(struct change))) != PW_OK)
		return r;
	*out = PW_TAKE(standing);
	return PW_OK;
}

void standing_free(struct standing **standing)
{
	if (*standing == NULL)
		return;
	lru_free(&(*standing)->clients);
	lru_free(&(*standing)->changes);
	free(*standing);
	*standing = NULL;
}

/* ---- changes */

void standing_note_change(struct standing *standing, struct pw_str login, bool is_gone,
                          int64_t now_ms)
{
	struct change *change;

	if (login.len == 0 || (change = lru_use(standing->changes, login)) == NULL)
		return;
	change->at_ms = now_ms;
	change->is_gone = is_gone;
}

/* The last change of the login or of its domain; NULL = none that still counts. */
static const struct change *last_change(const struct standing *standing,
                                        struct pw_str login, int64_t now_ms)
{
	struct pw_str domain = pw_str_sub(login, pw_str_rfind(login, '@'), login.len);
	const struct change *own = lru_find(standing->changes, login);
	const struct change *wide =
		domain.len > 0 ? lru_find(standing->changes, domain) : NULL;

	if (own == NULL || (wide != NULL && wide->at_ms > own->at_ms))
		own = wide;
	return own != NULL && now_ms - own->at_ms < STANDING_KEEP_MS ? own : NULL;
}

bool standing_is_gone(const struct standing *standing, struct pw_str login,
                      int64_t now_ms)
{
	const struct change *change = last_change(standing, login, now_ms);

	return change != NULL && change->is_gone;
}

/* ---- clients */

/* Found or made, and now the youngest; NULL = no memory. */
static struct client *client_of(struct standing *standing, struct pw_str login,
                                struct pw_str address)
{
	char room[512];
	PW_AUTO(pw_buf_done) struct pw_buf key = PW_BUF_IN(room);

	pw_buf_puts(&key, login);
	pw_buf_putc(&key, '\n');
	pw_buf_puts(&key, address);
	return pw_buf_status(&key) == PW_OK ? lru_use(standing->clients, pw_buf_str(&key))
	                                    : NULL;
}

/* Take the earliest login off; there is one. */
static int64_t claim_login(struct client *client)
{
	int64_t login_ms = client->logins[0];

	client->login_count--;
	memmove(&client->logins[0], &client->logins[1],
	        client->login_count * sizeof(client->logins[0]));
	return login_ms;
}

void standing_note_login(struct standing *standing, struct pw_str login,
                         struct pw_str address, int64_t now_ms)
{
	struct client *client = client_of(standing, login, address);

	if (client == NULL)
		return;
	if (client->login_count == LOGINS_MAX)
		claim_login(client);
	client->logins[client->login_count++] = now_ms;
}

/* ---- sessions */

static struct session *find_session(struct client *client, int64_t port)
{
	for (size_t i = 0; i < client->session_count; i++)
		if (client->sessions[i].port == port)
			return &client->sessions[i];
	return NULL;
}

static void forget_session(struct client *client, struct session *session)
{
	*session = client->sessions[--client->session_count];
}

/* A place for one more session; the one that was idle longest makes room. */
static struct session *add_session(struct client *client)
{
	struct session *idle = &client->sessions[0];

	if (client->session_count < SESSIONS_MAX)
		return &client->sessions[client->session_count++];
	for (size_t i = 1; i < SESSIONS_MAX; i++)
		if (client->sessions[i].seen_ms < idle->seen_ms)
			idle = &client->sessions[i];
	return idle;
}

/* When did a session log in that was not seen before? Nobody told: now, unless there was
 * a change since (then 0: long ago); but one that was asked to log in again after the
 * change, and was told of by nobody, must be let in some time. */
static int64_t guess_login(struct client *client, const struct change *change,
                           int64_t now_ms)
{
	while (client->login_count > 0) {
		int64_t login_ms = claim_login(client);

		if (now_ms - login_ms < CLAIM_MS)
			return login_ms;
	}
	if (change == NULL || client->asked_ms >= change->at_ms)
		return now_ms;
	client->asked_ms = now_ms;
	return 0;
}

bool standing_is_old(struct standing *standing, struct pw_str login,
                     struct pw_str address, int64_t port, int64_t now_ms)
{
	const struct change *change = last_change(standing, login, now_ms);
	struct client *client = client_of(standing, login, address);
	struct session *session;

	if (client == NULL)
		return false;
	if ((session = find_session(client, port)) == NULL) {
		int64_t login_ms = guess_login(client, change, now_ms);

		session = add_session(client);
		*session = (struct session){ .port = port, .login_ms = login_ms };
	}
	session->seen_ms = now_ms;
	if (change == NULL || session->login_ms >= change->at_ms + STANDING_SETTLE_MS)
		return false;
	forget_session(client, session);
	return true;
}
