/* Property: what the parser takes is within the wire's bounds; whatever lines come, the
 * book sends only lines of the protocol, each user in its one field, and says nothing
 * twice. */
#include <stdlib.h>
#include <string.h>

#include "quota/book.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_number(int64_t n)
{
	return n >= 0 && n <= USAGE_NUMBER_MAX;
}

static void check_reply(struct pw_str line)
{
	struct usage_reply reply;

	if (usage_parse_reply(&reply, line) != PW_OK)
		return;
	if (reply.user.len == 0 || pw_str_find(reply.user, '\t') != reply.user.len ||
	    !is_number(reply.limits.bytes) || !is_number(reply.limits.messages) ||
	    !is_number(reply.limits.grace_bytes) || !is_number(reply.began_us))
		abort();
}

static void check_sent(struct pw_str sent, struct pw_str user)
{
	while (sent.len > 0) {
		struct pw_str line = pw_str_cut(&sent, '\n');

		(void)pw_str_cut(&line, '\t');
		if (!pw_str_eq(pw_str_cut(&line, '\t'), user))
			abort();
	}
}

static void put(struct usage_book *book, struct pw_buf *out)
{
	pw_buf_reset(out);
	if (usage_book_put(book, out) != PW_OK)
		abort();
}

/* The first line is the user, the others come from the server. */
static void check_book(struct usage_book *book, struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_str user = pw_str_cut(&text, '\n');
	struct usage_entry *entry;

	if (usage_book_join(book, &entry, user) != PW_OK)
		return;
	usage_book_count(entry, &(struct usage_count){ 1, 2, 3 });
	put(book, &out);
	check_sent(pw_buf_str(&out), user);
	while (text.at != NULL) {
		struct pw_str line = pw_str_cut(&text, '\n');

		check_reply(line);
		if (usage_book_take(book, line) != PW_OK)
			usage_book_disconnect(book);
		put(book, &out);
		check_sent(pw_buf_str(&out), user);
		put(book, &out);
		if (out.len != 0)
			abort();
	}
	usage_book_leave(book, entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(usage_book_free) struct usage_book *book = NULL;

	if (usage_book_new(&book) == PW_OK)
		check_book(book, (struct pw_str){ (const char *)data, size });
	return 0;
}
