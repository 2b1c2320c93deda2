#include "lib.h" /* first: it has a bool of its own unless there is one */

#include "ioloop.h"

#include "link.h"

static struct {
	struct usage_client *client;
	void (*changed)(void);
	struct io *input, *output;
	struct timeout *again;
	unsigned int serial;   /* of the connection that input and output belong to */
	uint64_t heard_before; /* when the log was told that policyd is away */
	bool is_away_logged;
} usage_link;

/* Once a process that it is away, and once that it is back. */
static void log_state(enum pw_status r)
{
	if (r != PW_OK && !usage_link.is_away_logged) {
		i_warning("usage socket: %s; last known limits stay, usage is reported "
		          "later",
		          pw_status_text(r));
		usage_link.heard_before = usage_client_heard(usage_link.client);
		usage_link.is_away_logged = TRUE;
	} else if (r == PW_OK && usage_link.is_away_logged &&
	           usage_client_heard(usage_link.client) != usage_link.heard_before) {
		i_info("usage socket: back");
		usage_link.is_away_logged = FALSE;
	}
}

static void on_ready(void *context ATTR_UNUSED)
{
	link_turn();
}

static void on_again(void *context ATTR_UNUSED)
{
	usage_book_retry(usage_client_book(usage_link.client));
	link_turn();
}

/* A descriptor that was closed is no longer the loop's. */
static void drop_ios(void)
{
	if (usage_link.input != NULL)
		io_remove_closed(&usage_link.input);
	if (usage_link.output != NULL)
		io_remove_closed(&usage_link.output);
}

/* The root loop: a nested one may end any time. */
static void look_at_descriptor(void)
{
	struct ioloop *loop = io_loop_get_root();
	unsigned int serial;
	int fd = usage_client_fd(usage_link.client, &serial);
	bool is_full = fd >= 0 && usage_client_is_full(usage_link.client);

	if (fd < 0 || serial != usage_link.serial)
		drop_ios();
	usage_link.serial = serial;
	if (fd >= 0 && usage_link.input == NULL)
		usage_link.input = io_add_to(loop, fd, IO_READ, on_ready, NULL);
	if (is_full && usage_link.output == NULL)
		usage_link.output = io_add_to(loop, fd, IO_WRITE, on_ready, NULL);
	else if (!is_full && usage_link.output != NULL)
		io_remove(&usage_link.output);
}

static void look_at_clock(void)
{
	const struct usage_book *book = usage_client_book(usage_link.client);
	bool is_needed = usage_link.input != NULL ? usage_book_is_put_off(book)
	                                          : usage_book_is_busy(book);

	if (!is_needed)
		timeout_remove(&usage_link.again);
	else if (usage_link.again == NULL)
		usage_link.again = timeout_add_to(io_loop_get_root(), USAGE_AGAIN_MS,
		                                  on_again, NULL);
}

static void after_turn(enum pw_status r, uint64_t heard_before)
{
	log_state(r);
	look_at_descriptor();
	look_at_clock();
	if (usage_client_heard(usage_link.client) != heard_before)
		usage_link.changed();
}

void link_turn(void)
{
	uint64_t heard = usage_client_heard(usage_link.client);

	after_turn(usage_client_turn(usage_link.client), heard);
}

struct usage_entry *link_join(const char *user)
{
	uint64_t heard = usage_client_heard(usage_link.client);
	struct usage_entry *entry;

	if (usage_book_join(usage_client_book(usage_link.client), &entry,
	                    pw_str_from(user)) != PW_OK)
		return NULL;
	after_turn(usage_client_wait(usage_link.client, entry), heard);
	return entry;
}

void link_leave(struct usage_entry *entry)
{
	usage_book_leave(usage_client_book(usage_link.client), entry);
	link_turn();
}

enum pw_status link_open(const char *path, void (*changed)(void))
{
	if (usage_link.client != NULL)
		return PW_OK;
	usage_link.changed = changed;
	return usage_client_new(&usage_link.client, path);
}

void link_close(void)
{
	timeout_remove(&usage_link.again);
	io_remove(&usage_link.input);
	io_remove(&usage_link.output);
	usage_client_free(&usage_link.client);
	i_zero(&usage_link);
}
