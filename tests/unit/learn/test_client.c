/* The queue of the learn socket against a listener of ours; nothing waits, so nothing is
 * timed. */
#include "../table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "learn/client.h"

struct bed {
	char folder[64], path[96];
	int listener;
	struct learn_client *client;
	struct learn_batch batch;
};

static void listen_here(struct bed *bed)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)unlink(bed->path);
	memcpy(address.sun_path, bed->path, strlen(bed->path) + 1);
	bed->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(bed->listener, (void *)&address, sizeof(address)), 0);
	assert_int_equal(listen(bed->listener, 4), 0);
}

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	assert_non_null(bed);
	strcpy(bed->folder, "/tmp/postward-unit.XXXXXX");
	assert_non_null(mkdtemp(bed->folder));
	(void)snprintf(bed->path, sizeof(bed->path), "%s/s", bed->folder);
	listen_here(bed);
	assert_int_equal(learn_client_new(&bed->client, bed->path), PW_OK);
	*state = bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	learn_client_forget(bed->client, &bed->batch);
	learn_client_free(&bed->client);
	if (bed->listener >= 0)
		(void)close(bed->listener);
	(void)unlink(bed->path);
	(void)rmdir(bed->folder);
	free(bed);
	return 0;
}

static bool hold(struct bed *bed, struct pw_str message)
{
	return learn_client_hold(bed->client, &bed->batch, PW_LEARN_SPAM, PW_STR("ann"),
	                         message);
}

static enum learn_progress teach(struct bed *bed, struct pw_str message)
{
	assert_true(hold(bed, message));
	learn_client_queue(bed->client, &bed->batch);
	return learn_client_send(bed->client);
}

static int answer(const struct bed *bed)
{
	int fd = accept(bed->listener, NULL, NULL);

	assert_true(fd >= 0);
	return fd;
}

/* Everything there is to read now. */
static size_t drain(int fd, struct pw_buf *out)
{
	static char block[65536];
	size_t before = out->len;
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), MSG_DONTWAIT)) > 0)
		pw_buf_puts(out, (struct pw_str){ block, (size_t)n });
	return out->len - before;
}

#define GREETING PW_LEARN_GREETING "\n"

static void lessons_arrive_in_order(void **state)
{
	struct bed *bed = *state;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	int fd;

	assert_true(hold(bed, PW_STR("one\r\n")));
	assert_int_equal(learn_client_queued(bed->client), 0); /* held is not queued */
	assert_int_equal(teach(bed, PW_STR("two")), LEARN_DONE);
	fd = answer(bed);
	(void)drain(fd, &got);
	assert_string_equal(pw_buf_text(&got),
	                    GREETING "spam\tann\t5\none\r\nspam\tann\t3\ntwo");
	assert_int_equal(learn_client_counts(bed->client).sent, 2);
	(void)close(fd);
}

static void a_forgotten_batch_teaches_nothing(void **state)
{
	struct bed *bed = *state;

	assert_true(hold(bed, PW_STR("one")));
	learn_client_forget(bed->client, &bed->batch);
	learn_client_queue(bed->client, &bed->batch);
	assert_int_equal(learn_client_send(bed->client), LEARN_DONE);
	assert_int_equal(learn_client_fd(bed->client), -1); /* not even connected */
}

static void what_cannot_be_said_is_not_held(void **state)
{
	struct bed *bed = *state;

	assert_false(hold(bed, PW_STR("")));
	assert_false(learn_client_hold(bed->client, &bed->batch, PW_LEARN_HAM,
	                               PW_STR("a\tb"), PW_STR("one")));
	assert_null(bed->batch.first);
	assert_int_equal(learn_client_counts(bed->client).full, 0);
}

static void nobody_listens(void **state)
{
	struct bed *bed = *state;

	(void)close(bed->listener);
	bed->listener = -1;
	assert_int_equal(teach(bed, PW_STR("one")), LEARN_AWAY);
	assert_int_equal(learn_client_queued(bed->client), 0);
	assert_int_equal(learn_client_counts(bed->client).away, 1);
	listen_here(bed); /* back: the next one arrives */
	assert_int_equal(teach(bed, PW_STR("two")), LEARN_DONE);
	assert_int_equal(learn_client_counts(bed->client).sent, 1);
}

static void a_restarted_reader_is_told_at_once(void **state)
{
	struct bed *bed = *state;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	int fd;

	assert_int_equal(teach(bed, PW_STR("one")), LEARN_DONE);
	(void)close(answer(bed));
	assert_int_equal(teach(bed, PW_STR("two")), LEARN_DONE);
	fd = answer(bed);
	(void)drain(fd, &got);
	assert_string_equal(pw_buf_text(&got), GREETING "spam\tann\t3\ntwo");
	(void)close(fd);
}

/* More than any socket buffer takes. */
static struct pw_str large(struct pw_buf *out)
{
	while (out->len < PW_LEARN_SIZE_MAX)
		pw_buf_puts(out, PW_STR("0123456789abcde\n"));
	return pw_buf_str(out);
}

static void a_slow_reader_gets_all_of_it(void **state)
{
	struct bed *bed = *state;
	PW_AUTO(pw_buf_done) struct pw_buf message = { 0 }, got = { 0 }, want = { 0 };
	int fd;

	assert_int_equal(teach(bed, large(&message)), LEARN_WAIT);
	fd = answer(bed);
	while (learn_client_send(bed->client) == LEARN_WAIT)
		assert_true(drain(fd, &got) > 0);
	(void)drain(fd, &got);
	pw_buf_puts(&want, PW_STR(GREETING "spam\tann\t1048576\n"));
	pw_buf_puts(&want, pw_buf_str(&message));
	assert_true(pw_str_eq(pw_buf_str(&got), pw_buf_str(&want)));
	(void)close(fd);
}

static void a_message_cut_by_a_restart_is_sent_again(void **state)
{
	struct bed *bed = *state;
	PW_AUTO(pw_buf_done) struct pw_buf message = { 0 }, got = { 0 };
	int fd;

	assert_int_equal(teach(bed, large(&message)), LEARN_WAIT);
	(void)close(answer(bed)); /* unread: the part that was sent is lost */
	assert_int_equal(learn_client_send(bed->client), LEARN_WAIT);
	fd = answer(bed);
	while (learn_client_send(bed->client) == LEARN_WAIT)
		assert_true(drain(fd, &got) > 0);
	(void)drain(fd, &got);
	assert_int_equal(got.len,
	                 strlen(GREETING "spam\tann\t1048576\n") + PW_LEARN_SIZE_MAX);
	assert_int_equal(learn_client_counts(bed->client).sent, 1);
	(void)close(fd);
}

static void a_reader_that_reads_nothing_fills_the_queue(void **state)
{
	struct bed *bed = *state;
	PW_AUTO(pw_buf_done) struct pw_buf message = { 0 };
	int fd;

	assert_int_equal(teach(bed, large(&message)), LEARN_WAIT);
	for (int i = 0; i < 9; i++)
		(void)hold(bed, pw_buf_str(&message));
	learn_client_queue(bed->client, &bed->batch);
	assert_int_equal(learn_client_send(bed->client), LEARN_WAIT);
	assert_int_equal(learn_client_queued(bed->client), 7); /* 8 MB and their lines */
	assert_int_equal(learn_client_counts(bed->client).full, 3);
	fd = answer(bed);
	(void)close(fd);
	(void)close(bed->listener); /* and with it goes what is queued */
	bed->listener = -1;
	assert_int_equal(learn_client_send(bed->client), LEARN_AWAY);
	assert_int_equal(learn_client_counts(bed->client).away, 7);
	assert_true(hold(bed, pw_buf_str(&message))); /* there is room again */
}

static void a_path_no_socket_can_have(void **state)
{
	struct learn_client *client = NULL;
	char path[200];

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(learn_client_new(&client, path), PW_ERR_LIMIT);
	assert_null(client);
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BED(lessons_arrive_in_order),
		WITH_BED(a_forgotten_batch_teaches_nothing),
		WITH_BED(what_cannot_be_said_is_not_held),
		WITH_BED(nobody_listens),
		WITH_BED(a_restarted_reader_is_told_at_once),
		WITH_BED(a_slow_reader_gets_all_of_it),
		WITH_BED(a_message_cut_by_a_restart_is_sent_again),
		WITH_BED(a_reader_that_reads_nothing_fills_the_queue),
		cmocka_unit_test(a_path_no_socket_can_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
