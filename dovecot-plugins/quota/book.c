#include "book.h"

#include <stdlib.h>
#include <string.h>

struct usage_book {
	struct usage_entry *first; /* the newest */
};

struct named_entry {
	struct usage_entry public;
	char name[];
};

enum pw_status usage_book_new(struct usage_book **out)
{
	struct usage_book *book = calloc(1, sizeof(*book));

	if (book == NULL)
		return PW_ERR_NOMEM;
	*out = book;
	return PW_OK;
}

void usage_book_free(struct usage_book **book)
{
	struct usage_entry *entry, *next;

	if (*book == NULL)
		return;
	for (entry = (*book)->first; entry != NULL; entry = next) {
		next = entry->next;
		free(entry);
	}
	free(*book);
	*book = NULL;
}

static struct usage_entry *find(const struct usage_book *book, struct pw_str name)
{
	struct usage_entry *entry = book->first;

	while (entry != NULL && !pw_str_eq(entry->name, name))
		entry = entry->next;
	return entry;
}

static bool is_untold(const struct usage_entry *entry)
{
	return entry->told_us < entry->count.began_us;
}

/* Can the longest line about it be said? */
static enum pw_status check_name(struct pw_str name)
{
	static const struct usage_count longest = { USAGE_NUMBER_MAX, USAGE_NUMBER_MAX,
		                                    USAGE_NUMBER_MAX };
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };

	return usage_put_usage(&line, name, &longest);
}

static enum pw_status add(struct usage_book *book, struct usage_entry **out,
                          struct pw_str name)
{
	struct named_entry *entry;
	enum pw_status r;

	if ((r = check_name(name)) != PW_OK)
		return r;
	if ((entry = calloc(1, sizeof(*entry) + name.len)) == NULL)
		return PW_ERR_NOMEM;
	memcpy(entry->name, name.at, name.len);
	entry->public.name = (struct pw_str){ entry->name, name.len };
	entry->public.next = book->first;
	*out = book->first = &entry->public;
	return PW_OK;
}

enum pw_status usage_book_join(struct usage_book *book, struct usage_entry **out,
                               struct pw_str name)
{
	struct usage_entry *entry = find(book, name);
	enum pw_status r;

	if (entry == NULL && (r = add(book, &entry, name)) != PW_OK)
		return r;
	entry->holders++;
	*out = entry;
	return PW_OK;
}

/* Those that wait for nothing go, and the oldest of too many that are only left over. */
static void forget(struct usage_book *book)
{
	struct usage_entry **at = &book->first, *entry;
	size_t left = 0;

	while ((entry = *at) != NULL) {
		if (entry->holders == 0 && !entry->is_watched &&
		    (!is_untold(entry) || ++left > USAGE_BOOK_LEFT_MAX)) {
			*at = entry->next;
			free(entry);
		} else {
			at = &entry->next;
		}
	}
}

void usage_book_leave(struct usage_book *book, struct usage_entry *entry)
{
	entry->holders--;
	forget(book);
}

void usage_book_count(struct usage_entry *entry, const struct usage_count *count)
{
	if (count->began_us <= entry->count.began_us)
		return;
	entry->count = *count;
	entry->is_put_off = false;
}

static enum pw_status put_entry(struct usage_entry *entry, struct pw_buf *out)
{
	enum pw_status r;

	if (entry->holders > 0 && !entry->is_watched) {
		if ((r = usage_put_watch(out, entry->name)) != PW_OK)
			return r;
		entry->is_watched = true;
	}
	if (entry->sent_us < entry->count.began_us && !entry->is_put_off) {
		if ((r = usage_put_usage(out, entry->name, &entry->count)) != PW_OK)
			return r;
		entry->sent_us = entry->count.began_us;
	}
	if (entry->holders == 0 && entry->is_watched) {
		if ((r = usage_put_leave(out, entry->name)) != PW_OK)
			return r;
		entry->is_watched = entry->is_answered = false;
	}
	return PW_OK;
}

enum pw_status usage_book_put(struct usage_book *book, struct pw_buf *out)
{
	enum pw_status r;

	for (struct usage_entry *entry = book->first; entry != NULL; entry = entry->next)
		if ((r = put_entry(entry, out)) != PW_OK)
			return r;
	forget(book);
	return PW_OK;
}

static void learn(struct usage_entry *entry, const struct usage_reply *reply)
{
	switch (reply->word) {
	case USAGE_LIMIT:
		entry->limits = reply->limits;
		entry->has_limits = entry->is_answered = true;
		break;
	case USAGE_UNKNOWN: /* nobody wants to know its usage; limits stay */
		entry->told_us = entry->count.began_us;
		entry->is_answered = true;
		break;
	case USAGE_TOLD:
		if (reply->began_us > entry->told_us)
			entry->told_us = reply->began_us;
		break;
	case USAGE_FAIL:
		entry->is_answered = true;
		entry->is_put_off = is_untold(entry);
		break;
	}
}

enum pw_status usage_book_take(struct usage_book *book, struct pw_str line)
{
	struct usage_entry *entry;
	struct usage_reply reply;
	enum pw_status r;

	if ((r = usage_parse_reply(&reply, line)) != PW_OK)
		return r;
	if ((entry = find(book, reply.user)) == NULL)
		return PW_OK; /* it has left meanwhile */
	learn(entry, &reply);
	forget(book);
	return PW_OK;
}

void usage_book_disconnect(struct usage_book *book)
{
	for (struct usage_entry *entry = book->first; entry != NULL;
	     entry = entry->next) {
		entry->is_watched = entry->is_answered = entry->is_put_off = false;
		entry->sent_us = entry->told_us;
	}
	forget(book);
}

bool usage_book_is_put_off(const struct usage_book *book)
{
	const struct usage_entry *entry = book->first;

	while (entry != NULL && !entry->is_put_off)
		entry = entry->next;
	return entry != NULL;
}

void usage_book_retry(struct usage_book *book)
{
	for (struct usage_entry *entry = book->first; entry != NULL;
	     entry = entry->next) {
		if (!entry->is_put_off)
			continue;
		entry->is_put_off = false;
		entry->sent_us = entry->told_us;
	}
}

bool usage_book_is_busy(const struct usage_book *book)
{
	return book->first != NULL;
}
