#include "guard.h"

#include "auth-common.h"

#include "ioloop.h"
#include "istream.h"
#include "llist.h"
#include "net.h"
#include "ostream.h"

#include "core/auth_line.h"

#include "changes.h"
#include "database.h"

#define ANSWER_MS 200
/* policyd that owes answers this long is hung up on; before, it is only not asked. */
#define SICK_MS 5000
#define RETRY_MS 1000
/* What policyd has not read yet; a report more is lost. */
#define UNREAD_MAX (256 * 1024)

enum guard_state {
	GUARD_OFF,      /* no socket is set */
	GUARD_AWAY,     /* nobody there; tried again every second */
	GUARD_GREETING, /* connected; not heard of yet: may hang */
	GUARD_UP,
};

/* clang-format off */
static const bool moves[4][4] = {
	/* from               OFF    AWAY   GREETING UP */
	[GUARD_OFF]      = { false, true,  false,   false },
	[GUARD_AWAY]     = { true,  false, true,    false },
	[GUARD_GREETING] = { true,  true,  false,   true },
	[GUARD_UP]       = { true,  true,  false,   false },
};
/* clang-format on */

/* Answers come in the order of the questions. */
struct ask {
	struct ask *prev, *next;
	int64_t id, deadline_ms;
	guard_done_fn *done;
	void *arg;
};

static struct {
	enum guard_state state;
	char *path;
	int fd;
	struct istream *input;
	struct ostream *output;
	struct io *io;
	struct timeout *to_retry, *to_answer, *to_send;
	struct ask *first, *last;
	bool is_old; /* it speaks version 1 */
	uint8_t nonce[PW_AUTH_NONCE_LEN];
	int64_t last_id;   /* asked */
	int64_t next_id;   /* whose answer comes next */
	int64_t silent_ms; /* since then */
	unsigned int lost; /* reports */
	bool has_warned;
} guard;

static void enter(enum guard_state to)
{
	i_assert(moves[guard.state][to]);
	guard.state = to;
}

static void connect_guard(void *context);

/* ---- asks ---- */

static void answer_first(bool is_refused)
{
	struct ask *ask = guard.first;
	guard_done_fn *done = ask->done;
	void *arg = ask->arg;

	DLLIST2_REMOVE(&guard.first, &guard.last, ask);
	i_free(ask);
	done(arg, is_refused);
}

/* ---- the connection's life ---- */

static void disconnect(void)
{
	io_remove(&guard.io);
	i_stream_destroy(&guard.input);
	o_stream_destroy(&guard.output);
	net_disconnect(guard.fd);
	timeout_remove(&guard.to_answer);
	timeout_remove(&guard.to_send);
	enter(GUARD_AWAY); /* nothing is asked any more */
	guard.next_id = guard.last_id + 1;
	while (guard.first != NULL)
		answer_first(false);
}

static void lose(const char *why)
{
	if (!guard.has_warned)
		e_warning(auth_event, "postward: auth socket %s: away: %s", guard.path,
		          why);
	guard.has_warned = true;
	if (guard.state != GUARD_AWAY)
		disconnect();
	guard.is_old = FALSE;
	if (guard.to_retry == NULL)
		guard.to_retry = timeout_add(RETRY_MS, connect_guard, NULL);
}

static void greeted(void)
{
	enter(GUARD_UP);
	guard.next_id = guard.last_id + 1;
	timeout_remove(&guard.to_retry);
	if (guard.has_warned)
		e_info(auth_event, "postward: auth socket %s: back, %u reports lost",
		       guard.path, guard.lost);
	guard.has_warned = false;
	guard.lost = 0;
	changes_forget("*"); /* a flush may have been missed */
}

/* A policyd of before hangs up on our greeting, but greets itself: it is greeted in its
 * version. */
static void take_greeting(const char *text)
{
	bool is_version_1 = strcmp(text, PW_AUTH_GREETING_1) == 0;

	if (is_version_1 && !guard.is_old) {
		disconnect();
		guard.is_old = TRUE;
		connect_guard(NULL);
	} else if (is_version_1 ||
	           (!guard.is_old &&
	            pw_auth_greeting_parse(guard.nonce, pw_str_from(text)) == PW_OK)) {
		greeted();
	} else {
		lose("a greeting that is not of the protocol");
	}
}

/* ---- lines ---- */

/* An answer that comes too late is nobody's. */
static bool take_answer(const struct pw_auth_line *line)
{
	if (line->id != guard.next_id || line->id > guard.last_id)
		return false;
	guard.next_id++;
	guard.silent_ms = database_now_ms();
	if (guard.first != NULL && guard.first->id == line->id)
		answer_first(line->kind == PW_AUTH_REFUSE);
	return true;
}

static bool take_line(const char *text)
{
	PW_AUTO(pw_buf_done) struct pw_buf scratch = { 0 };
	struct pw_auth_line line;

	if (pw_auth_line_parse(&line, pw_str_from(text), &scratch) != PW_OK)
		return false;
	if (line.kind == PW_AUTH_OK || line.kind == PW_AUTH_REFUSE)
		return take_answer(&line);
	if (line.kind != PW_AUTH_FLUSH)
		return false;
	changes_forget(t_strndup(line.login.at, line.login.len));
	return true;
}

static void on_input(void *context ATTR_UNUSED)
{
	const char *text;

	while ((text = i_stream_read_next_line(guard.input)) != NULL) {
		bool is_good;

		if (guard.state == GUARD_GREETING) {
			take_greeting(text);
			if (guard.state != GUARD_UP)
				return; /* another connection, or none */
			continue;
		}

		T_BEGIN
		{
			is_good = take_line(text);
		}
		T_END;
		if (!is_good) {
			lose("a line that is not of the protocol");
			return;
		}
	}
	if (guard.input->stream_errno != 0)
		lose(i_stream_get_error(guard.input));
	else if (guard.input->eof)
		lose("closed");
}

/* Every second, until policyd has greeted. */
static void connect_guard(void *context ATTR_UNUSED)
{
	if (guard.state == GUARD_GREETING)
		lose("no greeting");
	guard.fd = net_connect_unix(guard.path);
	if (guard.fd == -1) {
		lose(t_strdup_printf("%m"));
		return;
	}
	if (guard.to_retry == NULL)
		guard.to_retry = timeout_add(RETRY_MS, connect_guard, NULL);
	enter(GUARD_GREETING);
	net_set_nonblock(guard.fd, TRUE);
	guard.input = i_stream_create_fd(guard.fd, PW_AUTH_LINE_MAX);
	guard.output = o_stream_create_fd(guard.fd, UNREAD_MAX);
	o_stream_set_no_error_handling(guard.output, TRUE);
	guard.io = io_add(guard.fd, IO_READ, on_input, NULL);
	o_stream_nsend_str(guard.output, guard.is_old ? PW_AUTH_GREETING_1 "\n"
	                                              : PW_AUTH_GREETING "\n");
}

void guard_init(const char *path)
{
	if (guard.state != GUARD_OFF || *path == '\0')
		return;
	guard.path = i_strdup(path);
	enter(GUARD_AWAY);
	connect_guard(NULL);
}

void guard_deinit(void)
{
	if (guard.state == GUARD_OFF)
		return;
	if (guard.state != GUARD_AWAY)
		disconnect();
	enter(GUARD_OFF);
	timeout_remove(&guard.to_retry);
	i_free(guard.path);
}

/* ---- asking and telling ---- */

static void send_lines(void *context ATTR_UNUSED)
{
	timeout_remove(&guard.to_send);
	o_stream_uncork(guard.output);
}

/* Lines of one turn of the loop go together: each write wakes policyd. */
static bool send_line(const struct pw_auth_line *line)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	if (guard.state != GUARD_UP ||
	    o_stream_get_buffer_used_size(guard.output) + PW_AUTH_LINE_MAX > UNREAD_MAX ||
	    pw_auth_line_put(&text, line) != PW_OK)
		return false;
	if (guard.to_send == NULL) {
		o_stream_cork(guard.output);
		guard.to_send = timeout_add_short(0, send_lines, NULL);
	}
	o_stream_nsend(guard.output, text.at, text.len);
	return true;
}

static bool owes_answers(void)
{
	return guard.next_id <= guard.last_id;
}

/* An answer may have come while this process was busy with something else. */
static void on_answer_due(void *context ATTR_UNUSED)
{
	timeout_remove(&guard.to_answer);
	on_input(NULL);
	if (guard.state != GUARD_UP || !owes_answers())
		return;
	while (guard.first != NULL && guard.first->deadline_ms <= database_now_ms())
		answer_first(false);
	if (database_now_ms() > guard.silent_ms + SICK_MS)
		lose("no answer");
	else if (guard.to_answer == NULL)
		guard.to_answer = timeout_add_short(ANSWER_MS, on_answer_due, NULL);
}

void guard_ask(struct pw_auth_line *line, guard_done_fn *done, void *arg)
{
	struct ask *ask;

	line->kind = PW_AUTH_ASK;
	line->id = guard.last_id + 1;
	/* nobody waits for answers that are owed: policyd is slow, no more questions */
	if ((guard.first == NULL && owes_answers()) || !send_line(line)) {
		done(arg, false);
		return;
	}
	if (!owes_answers())
		guard.silent_ms = database_now_ms();
	ask = i_new(struct ask, 1);
	*ask = (struct ask){ .id = ++guard.last_id,
		             .deadline_ms = database_now_ms() + ANSWER_MS,
		             .done = done,
		             .arg = arg };
	DLLIST2_APPEND(&guard.first, &guard.last, ask);
	if (guard.to_answer == NULL)
		guard.to_answer = timeout_add_short(ANSWER_MS, on_answer_due, NULL);
}

int64_t guard_password(const char *login, const char *password)
{
	int64_t hash;

	return guard.state == GUARD_UP && !guard.is_old &&
	                       pw_auth_password(&hash, guard.nonce, pw_str_from(login),
	                                        pw_str_from(password)) == PW_OK
	               ? hash
	               : 0;
}

void guard_report(struct pw_auth_line *line)
{
	line->kind = PW_AUTH_REPORT;
	if (guard.state != GUARD_OFF && !send_line(line))
		guard.lost++;
}
