#include <stdlib.h>

#include "io/clock.h"
#include "policyd/daemon.h"
#include "policyd/usage_limit.h"
#include "policyd/usage_line.h"

/* Ticks between two looks at what the usage of others leaves over in a domain. */
#define NEWS_TICKS 5
/* Mailboxes looked at in a tick, whether they are still there. */
#define SWEEP_STEPS 5000

struct session {
	struct usage_watches watches;
	bool has_greeted;
};

/* The server greets first, the client's greeting is the first line it sends. */
static void *talk_open(void *arg, struct pw_buf *out)
{
	(void)arg;
	pw_buf_puts(out, PW_STR(USAGE_LINE_GREETING "\n"));
	return calloc(1, sizeof(struct session));
}

static void talk_close(void *arg, void *session)
{
	struct session *s = session;

	(void)arg;
	usage_watches_done(&s->watches);
	free(s);
}

static struct usage_world world_of(const struct daemon *daemon)
{
	return (struct usage_world){ daemon->world.catalog,
		                     database_is_fresh(daemon->database), daemon->usage,
		                     daemon_now_us() };
}

static ssize_t talk_eat(void *arg, void *session, struct pw_str bytes, struct pw_buf *out)
{
	struct daemon *daemon = arg;
	struct session *s = session;
	size_t line_len = pw_str_find(bytes, '\n');
	struct pw_str line = pw_str_sub(bytes, 0, line_len);
	struct usage_world world = world_of(daemon);

	if (line_len >= USAGE_LINE_MAX)
		return SERVER_CLOSE;
	if (line_len == bytes.len)
		return SERVER_MORE;
	if (!s->has_greeted) {
		if (!pw_str_eq(line, PW_STR(USAGE_LINE_GREETING)))
			return SERVER_CLOSE;
		s->has_greeted = true;
	} else {
		pw_count(&numbers, NUMBER_usage_requests, 1);
		if (usage_line_answer(out, line, &s->watches, &world) != PW_OK)
			return SERVER_CLOSE;
	}
	return (ssize_t)line_len + 1;
}

const struct server_protocol usage_protocol = {
	.input_max = USAGE_LINE_MAX,
	.open = talk_open,
	.eat = talk_eat,
	.close = talk_close,
	.name = "usage",
	.is_told = true,
};

/* ---- what happens without being asked */

static void say_news(void *arg, void *session, struct pw_buf *out)
{
	struct session *s = session;
	const struct usage_world world = world_of(arg);

	/* without memory the buffer remembers it, and the server closes */
	if (s->has_greeted && usage_line_news(out, &s->watches, &world) != PW_OK)
		return;
}

static void tell_news(struct daemon *daemon)
{
	server_tell(daemon->server, &daemon->usage_protocol, say_news, daemon);
}

void usage_talk_catalog(struct daemon *daemon)
{
	usage_rebase(daemon->usage, daemon->world.catalog);
	tell_news(daemon);
}

static void warn(struct daemon *daemon, const struct catalog_entry *mailbox,
                 struct usage_entry *entry)
{
	const struct catalog *catalog = daemon->world.catalog;
	const struct catalog_warning *due;
	struct chores_warning warning;
	struct usage_room room;

	if (daemon->chores == NULL) /* the end: nobody delivers any more */
		return;
	usage_room_of(&room, daemon->usage, catalog, mailbox);
	due = usage_warning(catalog_quotas(catalog), usage_percent(&room),
	                    &entry->warned_percent);
	if (due == NULL)
		return;
	warning = (struct chores_warning){ .login = entry->user,
		                           .subject = due->subject,
		                           .text = due->text,
		                           .percent = usage_percent(&room),
		                           .used_bytes = room.used_bytes,
		                           .quota_bytes = room.quota_bytes };
	chores_warn(daemon->chores, &warning);
}

/* A mailbox's numbers have changed. */
static void look_at(struct daemon *daemon, struct usage_entry *entry)
{
	const struct catalog *catalog = daemon->world.catalog;
	const struct catalog_entry *mailbox =
		catalog != NULL ? catalog_find(catalog, entry->user) : NULL;

	if (mailbox == NULL)
		return;
	warn(daemon, mailbox, entry);
	if (mailbox->quota_domain != NULL && daemon->news_ticks == 0)
		daemon->news_ticks = NEWS_TICKS;
}

void usage_talk_store(struct daemon *daemon)
{
	struct usage_entry *entry;

	while ((entry = usage_next_changed(daemon->usage)) != NULL) {
		look_at(daemon, entry);
		database_put_usage(daemon->database, entry);
	}
}

void usage_talk_tick(struct daemon *daemon)
{
	usage_talk_store(daemon);
	usage_sweep(daemon->usage, SWEEP_STEPS);
	if (daemon->news_ticks > 0 && --daemon->news_ticks == 0)
		tell_news(daemon);
}
