#include "policyd/usage_line.h"

#include <stdlib.h>
#include <string.h>

#include "core/address.h"
#include "policyd/usage_limit.h"

/* What a watched user was told last, and is told. */
struct said {
	enum { SAID_NOTHING, SAID_UNKNOWN, SAID_LIMITS } what;
	struct usage_limits limits;
};

struct usage_watch {
	struct usage_watch *next;
	struct said said;
	struct pw_str user; /* as the peer writes it */
	char text[];
};

void usage_watches_done(struct usage_watches *watches)
{
	struct usage_watch *watch, *next;

	for (watch = watches->first; watch != NULL; watch = next) {
		next = watch->next;
		free(watch);
	}
	*watches = (struct usage_watches){ .first = NULL };
}

/* The mailbox of that name, NULL = there is none. What is no address is nobody's mailbox:
 * it stays as it is. */
static const struct catalog_entry *find_mailbox(struct pw_str user,
                                                const struct usage_world *world)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	const struct catalog_entry *entry;

	if (world->catalog == NULL)
		return NULL;
	if (pw_address_normalise(&name, user) != PW_OK)
		pw_buf_puts(&name, user);
	entry = catalog_find(world->catalog, pw_buf_str(&name));
	return entry != NULL && entry->is_mailbox ? entry : NULL;
}

static struct said what_holds(struct pw_str user, const struct usage_world *world)
{
	const struct catalog_entry *mailbox = find_mailbox(user, world);
	struct said now = { .what = world->is_fresh ? SAID_UNKNOWN : SAID_NOTHING };
	struct usage_room room;

	if (mailbox == NULL)
		return now;
	usage_room_of(&room, world->usage, world->catalog, mailbox);
	now.what = SAID_LIMITS;
	now.limits = usage_limits_of(&room);
	return now;
}

/* `<word>\t<user>[\t<number>]...\n` */
static void put_line(struct pw_buf *out, struct pw_str word, struct pw_str user,
                     const int64_t *numbers, size_t count)
{
	pw_buf_puts(out, word);
	pw_buf_putc(out, '\t');
	pw_buf_puts(out, user);
	for (size_t i = 0; i < count; i++) {
		pw_buf_putc(out, '\t');
		pw_buf_put_int(out, numbers[i]);
	}
	pw_buf_putc(out, '\n');
}

static void say(struct pw_buf *out, struct pw_str user, const struct said *now)
{
	const int64_t limits[] = { now->limits.bytes, now->limits.messages,
		                   now->limits.grace_bytes };

	switch (now->what) {
	case SAID_NOTHING:
		put_line(out, PW_STR("fail"), user, NULL, 0);
		break;
	case SAID_UNKNOWN:
		put_line(out, PW_STR("unknown"), user, NULL, 0);
		break;
	case SAID_LIMITS:
		put_line(out, PW_STR("limit"), user, limits, PW_LEN(limits));
		break;
	}
}

/* ---- requests */

/* Where the link to user's watch is; it points to NULL where there is none. */
static struct usage_watch **find_watch(struct usage_watches *watches, struct pw_str user)
{
	struct usage_watch **at = &watches->first;

	while (*at != NULL && !pw_str_eq((*at)->user, user))
		at = &(*at)->next;
	return at;
}

static struct usage_watch *add_watch(struct usage_watches *watches, struct pw_str user)
{
	struct usage_watch *watch = watches->count < USAGE_WATCHES_MAX
	                                    ? calloc(1, sizeof(*watch) + user.len)
	                                    : NULL;

	if (watch == NULL)
		return NULL;
	memcpy(watch->text, user.at, user.len);
	watch->user = (struct pw_str){ watch->text, user.len };
	watch->next = watches->first;
	watches->first = watch;
	watches->count++;
	return watch;
}

/* One watch too many is answered, but not told of changes. */
static enum pw_status answer_watch(struct pw_buf *out, struct pw_str user,
                                   const struct pw_str *numbers,
                                   struct usage_watches *watches,
                                   const struct usage_world *world)
{
	struct usage_watch *watch = *find_watch(watches, user);
	struct said now = what_holds(user, world);

	(void)numbers;
	if (watch == NULL)
		watch = add_watch(watches, user);
	if (watch != NULL)
		watch->said = now;
	say(out, user, &now);
	return pw_buf_status(out);
}

static enum pw_status answer_leave(struct pw_buf *out, struct pw_str user,
                                   const struct pw_str *numbers,
                                   struct usage_watches *watches,
                                   const struct usage_world *world)
{
	struct usage_watch **at = find_watch(watches, user), *watch = *at;

	(void)numbers;
	(void)world;
	if (watch != NULL) {
		*at = watch->next;
		watches->count--;
		free(watch);
	}
	return pw_buf_status(out);
}

/* Numbers beyond int64 are as clamped as those beyond USAGE_NUMBER_MAX. */
static enum pw_status number_of(struct pw_str text, int64_t *out)
{
	enum pw_status r = pw_str_to_int64(text, INT64_MIN, INT64_MAX, out);

	if (r == PW_ERR_RANGE) {
		*out = text.at[0] == '-' ? 0 : USAGE_NUMBER_MAX;
		r = PW_OK;
	}
	return r;
}

/* Counting cannot have begun in the future: such a count would outlive all true ones. */
static int64_t not_after(int64_t began_us, int64_t now_us)
{
	return began_us < now_us ? began_us : now_us;
}

static enum pw_status answer_usage(struct pw_buf *out, struct pw_str user,
                                   const struct pw_str *numbers,
                                   struct usage_watches *watches,
                                   const struct usage_world *world)
{
	const struct catalog_entry *mailbox = find_mailbox(user, world);
	int64_t numbers_of[3];
	struct usage_count count;
	enum pw_status r = PW_OK;

	(void)watches;
	for (size_t i = 0; i < PW_LEN(numbers_of); i++)
		if ((r = number_of(numbers[i], &numbers_of[i])) != PW_OK)
			return r;
	count = (struct usage_count){ numbers_of[0], numbers_of[1],
		                      not_after(numbers_of[2], world->now_us) };
	if (mailbox != NULL && usage_set(world->usage, mailbox, &count) == PW_OK)
		put_line(out, PW_STR("told"), user, &numbers_of[2], 1);
	else if (mailbox == NULL && world->is_fresh)
		put_line(out, PW_STR("unknown"), user, NULL, 0);
	else
		put_line(out, PW_STR("fail"), user, NULL, 0);
	return pw_buf_status(out);
}

static const struct request {
	struct pw_str word;
	size_t numbers;
	enum pw_status (*answer)(struct pw_buf *out, struct pw_str user,
	                         const struct pw_str *numbers,
	                         struct usage_watches *watches,
	                         const struct usage_world *world);
} requests[] = {
	{ { "watch", 5 }, 0, answer_watch },
	{ { "leave", 5 }, 0, answer_leave },
	{ { "usage", 5 }, 3, answer_usage },
};

/* Cut rest at its tabs into exactly count fields. */
static bool cut_fields(struct pw_str rest, struct pw_str *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (rest.at == NULL)
			return false;
		fields[i] = pw_str_cut(&rest, '\t');
	}
	return rest.at == NULL;
}

enum pw_status usage_line_answer(struct pw_buf *out, struct pw_str line,
                                 struct usage_watches *watches,
                                 const struct usage_world *world)
{
	struct pw_str word = pw_str_cut(&line, '\t'), fields[4];

	for (size_t i = 0; i < PW_LEN(requests); i++) {
		if (!pw_str_eq(requests[i].word, word))
			continue;
		if (!cut_fields(line, fields, 1 + requests[i].numbers) ||
		    fields[0].len == 0)
			return PW_ERR_SYNTAX;
		return requests[i].answer(out, fields[0], &fields[1], watches, world);
	}
	return PW_ERR_SYNTAX;
}

/* ---- news */

static bool is_news(const struct said *now, const struct said *before)
{
	const struct usage_limits *a = &now->limits, *b = &before->limits;

	if (now->what == SAID_NOTHING)
		return false;
	return now->what != before->what || a->bytes != b->bytes ||
	       a->messages != b->messages || a->grace_bytes != b->grace_bytes;
}

enum pw_status usage_line_news(struct pw_buf *out, struct usage_watches *watches,
                               const struct usage_world *world)
{
	for (struct usage_watch *watch = watches->first; watch != NULL;
	     watch = watch->next) {
		struct said now = what_holds(watch->user, world);

		if (!is_news(&now, &watch->said))
			continue;
		watch->said = now;
		say(out, watch->user, &now);
	}
	return pw_buf_status(out);
}
