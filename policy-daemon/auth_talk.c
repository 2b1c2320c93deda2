#include <stdlib.h>

#include "core/address.h"
#include "core/auth_line.h"
#include "io/clock.h"
#include "io/log.h"
#include "policyd/daemon.h"
#include "policyd/resolve.h"

/* Blocks whose end is told in one tick; an auth driver must be able to read as fast. */
#define ENDED_MAX 200

struct session {
	struct pw_buf texts; /* of the line at hand */
	bool has_greeted;
};

static void *talk_open(void *arg, struct pw_buf *out)
{
	(void)arg;
	(void)out; /* the driver greets first: it is answered in its version */
	return calloc(1, sizeof(struct session));
}

static void talk_close(void *arg, void *session)
{
	struct session *s = session;

	(void)arg;
	pw_buf_done(&s->texts);
	free(s);
}

/* ---- telling the drivers */

static void say_line(void *arg, void *session, struct pw_buf *out)
{
	const struct session *s = session;

	if (s->has_greeted)
		pw_buf_puts(out, *(const struct pw_str *)arg);
}

static void tell_flush(struct daemon *daemon, struct pw_str login)
{
	const struct pw_auth_line line = { .kind = PW_AUTH_FLUSH, .login = login };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_str said;

	if (pw_auth_line_put(&text, &line) != PW_OK)
		return; /* a cached answer then lives on for its time */
	said = pw_buf_str(&text);
	server_tell(daemon->server, &daemon->auth_protocol, say_line, &said);
}

/* A driver cannot find its answers by network: all of them go, once a tick at most. */
static void flush_cached(struct daemon *daemon, const struct guard_block *block)
{
	if (block->is_dry_run)
		return;
	if (block->login.len > 0)
		tell_flush(daemon, block->login);
	else
		daemon->must_flush_auth = true;
}

/* ---- blocks */

void auth_put_who(struct pw_buf *out, const struct guard_block *block)
{
	if (block->login.len > 0) {
		pw_buf_puts(out, block->login);
		return;
	}
	pw_ip_put(out, block->network.ip);
	if (block->network.ip.family == PW_IP_V6)
		pw_buf_printf(out, "/%d", block->network.bits);
}

void auth_tell_block(struct daemon *daemon, const struct guard_block *block,
                     enum auth_deed deed)
{
	static const char *const deeds[] = { "block", "block", "unblock", "unblock" };
	bool is_shared = deed == AUTH_TAKEN || deed == AUTH_LIFTED;
	PW_AUTO(pw_buf_done) struct pw_buf who = { 0 };

	auth_put_who(&who, block);
	pw_log(PW_LOG_INFO, "", PW_KV("action", deeds[deed]), PW_KV("cause", "auth"),
	       PW_KV("kind", catalog_auth_kind_name(block->kind)),
	       PW_KV(block->login.len > 0 ? "login" : "client", pw_buf_str(&who)),
	       block->is_dry_run ? PW_KV("dry_run", "yes") : PW_KV_NONE,
	       is_shared ? PW_KV("shared", "yes")
	                 : PW_KV_INT("failures", block->failures),
	       deed != AUTH_LIFTED ? PW_KV_INT("block_s", block->block_ms / 1000)
	                           : PW_KV_NONE,
	       PW_KV_END);
	flush_cached(daemon, block);
}

void auth_begin_block(struct daemon *daemon, const struct guard_block *block)
{
	pw_count(&numbers, NUMBER_network_blocks + (size_t)block->kind, 1);
	auth_tell_block(daemon, block, AUTH_BEGUN);
}

static void end_blocks(struct daemon *daemon)
{
	struct guard_block block;

	for (int i = 0; i < ENDED_MAX; i++) {
		if (!guard_next_ended(daemon->guard, &block, pw_clock_mono_ms()))
			break;
		if (!block.is_dry_run)
			auth_tell_block(daemon, &block, AUTH_ENDED);
	}
}

void auth_tick(struct daemon *daemon)
{
	end_blocks(daemon);
	guard_sweep(daemon->guard, pw_clock_mono_ms());
	if (daemon->must_flush_auth)
		tell_flush(daemon, PW_STR(PW_AUTH_EVERYBODY));
	daemon->must_flush_auth = false;
	pw_count_set(&numbers, NUMBER_auth_blocked,
	             (int64_t)guard_block_count(daemon->guard));
	pw_count_set(&numbers, NUMBER_auth_windows,
	             (int64_t)guard_window_count(daemon->guard));
}

/* ---- what the driver says */

/* The one mailbox an alias leads to (login_by_alias), else login itself. */
static struct pw_str mailbox_behind(const struct catalog *catalog, struct pw_str login)
{
	const struct catalog_entry *entry = catalog_find(catalog, login);
	struct resolve_result found;

	if (entry == NULL || entry->is_mailbox || entry->destinations == NULL)
		return login;
	resolve(&found, catalog, login);
	return found.count == 1 && !found.is_cut ? found.mailboxes[0]->address : login;
}

/* The mailbox a login name means: Dovecot tells a login that failed as it was typed, and
 * one that succeeded by its mailbox. A name it does not know means none, whatever aliases
 * there are. What is returned lives in room, in the catalog or in line. */
static struct pw_str login_of(struct pw_buf *room, const struct catalog *catalog,
                              const struct pw_auth_line *line)
{
	struct pw_str domain, target;
	size_t at;

	if (pw_address_normalise(room, line->login) != PW_OK)
		return line->login;
	at = pw_str_rfind(pw_buf_str(room), '@');
	domain = pw_str_sub(pw_buf_str(room), at + 1, room->len);
	if (catalog != NULL && catalog_domain(catalog, domain, &target) &&
	    target.len > 0) {
		pw_buf_truncate(room, at + 1);
		pw_buf_puts(room, target);
	}
	if (pw_buf_status(room) != PW_OK)
		return line->login;
	if (catalog == NULL ||
	    (line->kind == PW_AUTH_REPORT && line->result == PW_AUTH_UNKNOWN))
		return pw_buf_str(room);
	return mailbox_behind(catalog, pw_buf_str(room));
}

static struct pw_ip remote_of(const struct pw_auth_line *line)
{
	struct pw_ip ip;

	if (pw_ip_parse(&ip, line->remote) != PW_OK)
		return (struct pw_ip){ .family = PW_IP_NONE };
	return pw_ip_unmap(ip);
}

static struct guard_attempt attempt_of(const struct daemon *daemon, struct pw_buf *room,
                                       const struct pw_auth_line *line)
{
	return (struct guard_attempt){ login_of(room, daemon->world.catalog, line),
		                       remote_of(line), line->password };
}

int64_t auth_ask(struct daemon *daemon, const struct pw_auth_line *line)
{
	PW_AUTO(pw_buf_done) struct pw_buf room = { 0 };
	const struct guard_attempt attempt = attempt_of(daemon, &room, line);
	int64_t left_ms = guard_ask(daemon->guard, daemon->world.catalog, &attempt,
	                            pw_clock_mono_ms());

	pw_count(&numbers, left_ms > 0 ? NUMBER_auth_refuse : NUMBER_auth_ok, 1);
	return left_ms;
}

bool auth_is_login(const struct daemon *daemon, const struct pw_auth_line *line)
{
	PW_AUTO(pw_buf_done) struct pw_buf room = { 0 };
	const struct catalog *catalog = daemon->world.catalog;

	return catalog == NULL ||
	       catalog_find(catalog, login_of(&room, catalog, line)) != NULL;
}

static void answer_ask(struct daemon *daemon, const struct pw_auth_line *line,
                       struct pw_buf *out)
{
	int64_t left_ms = auth_ask(daemon, line);
	const struct pw_auth_line answer = {
		.kind = left_ms > 0 ? PW_AUTH_REFUSE : PW_AUTH_OK,
		.id = line->id,
		.seconds = (left_ms + 999) / 1000,
	};

	if (pw_auth_line_put(out, &answer) != PW_OK)
		return; /* out remembers, and the server closes */
}

/* For Postfix: policyd will meet the session by login and address (standing.h). */
static void note_session(struct daemon *daemon, const struct pw_auth_line *line,
                         const struct guard_attempt *attempt, int64_t now_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };

	if (!pw_str_eq(line->service, PW_STR("smtp")) &&
	    !pw_str_eq(line->service, PW_STR("submission")))
		return;
	pw_ip_put(&address, attempt->remote);
	standing_note_login(daemon->standing, attempt->login, pw_buf_str(&address),
	                    now_ms);
}

static void note_success(struct daemon *daemon, const struct pw_auth_line *line,
                         const struct guard_attempt *attempt)
{
	const struct login_note note = { attempt->login, line->service, attempt->remote,
		                         line->credential };
	int64_t now_ms = pw_clock_mono_ms();

	guard_succeeded(daemon->guard, attempt, now_ms);
	note_session(daemon, line, attempt, now_ms);
	access_logged_in(daemon, attempt->login, attempt->remote);
	if (!logins_is_news(daemon->logins, &note, now_ms))
		return;
	pw_count(&numbers, NUMBER_logins_written, 1);
	database_put_login(daemon->database, &note, pw_clock_wall_ms());
}

/* The client stands before what strangers write: a log reader may trust the first one. */
static void log_failure(const struct pw_auth_line *line,
                        const struct guard_attempt *attempt)
{
	PW_AUTO(pw_buf_done) struct pw_buf client = { 0 };

	if (attempt->remote.family != PW_IP_NONE)
		pw_ip_put(&client, attempt->remote);
	else
		pw_buf_puts(&client, PW_STR("unknown"));
	pw_log(PW_LOG_INFO, "", PW_KV("event", "auth_failure"),
	       PW_KV("client", pw_buf_str(&client)), PW_KV("login", attempt->login),
	       PW_KV("service", line->service),
	       PW_KV("why", pw_auth_result_name(line->result)), PW_KV_END);
}

static void note_failure(struct daemon *daemon, const struct pw_auth_line *line,
                         const struct guard_attempt *attempt)
{
	struct guard_blocks begun;

	log_failure(line, attempt);
	guard_failed(daemon->guard, &begun, daemon->world.catalog, attempt,
	             line->result == PW_AUTH_FAILURE, pw_clock_mono_ms());
	for (size_t i = 0; i < begun.count; i++)
		auth_begin_block(daemon, &begun.blocks[i]);
}

void auth_report(struct daemon *daemon, const struct pw_auth_line *line)
{
	PW_AUTO(pw_buf_done) struct pw_buf room = { 0 };
	const struct guard_attempt attempt = attempt_of(daemon, &room, line);

	pw_count(&numbers, NUMBER_auth_success + (size_t)line->result, 1);
	switch (line->result) {
	case PW_AUTH_SUCCESS:
		note_success(daemon, line, &attempt);
		break;
	case PW_AUTH_FAILURE:
	case PW_AUTH_UNKNOWN:
		note_failure(daemon, line, &attempt);
		break;
	case PW_AUTH_REFUSED:
	case PW_AUTH_RESULTS:
		break;
	}
}

static bool hear_line(struct daemon *daemon, struct session *s, struct pw_str text,
                      struct pw_buf *out)
{
	struct pw_auth_line line;

	if (pw_auth_line_parse(&line, text, &s->texts) != PW_OK ||
	    (line.kind != PW_AUTH_ASK && line.kind != PW_AUTH_REPORT))
		return false;
	if (line.kind == PW_AUTH_ASK)
		answer_ask(daemon, &line, out);
	else
		auth_report(daemon, &line);
	return true;
}

/* Drivers of before speak version 1, which has no hashes of passwords. */
static bool hear_greeting(const struct daemon *daemon, struct session *s,
                          struct pw_str text, struct pw_buf *out)
{
	if (pw_str_eq(text, PW_STR(PW_AUTH_GREETING)))
		pw_auth_greeting_put(out, daemon->auth_nonce);
	else if (pw_str_eq(text, PW_STR(PW_AUTH_GREETING_1)))
		pw_buf_puts(out, text);
	else
		return false;
	pw_buf_putc(out, '\n');
	s->has_greeted = true;
	return true;
}

static ssize_t talk_eat(void *arg, void *session, struct pw_str bytes, struct pw_buf *out)
{
	struct session *s = session;
	size_t line_len = pw_str_find(bytes, '\n');
	struct pw_str line = pw_str_sub(bytes, 0, line_len);

	if (line_len >= PW_AUTH_LINE_MAX)
		return SERVER_CLOSE;
	if (line_len == bytes.len)
		return SERVER_MORE;
	if (s->has_greeted ? !hear_line(arg, s, line, out)
	                   : !hear_greeting(arg, s, line, out))
		return SERVER_CLOSE;
	return (ssize_t)line_len + 1;
}

const struct server_protocol auth_protocol = {
	.input_max = PW_AUTH_LINE_MAX,
	.open = talk_open,
	.eat = talk_eat,
	.close = talk_close,
	.name = "auth",
	.is_told = true,
};
