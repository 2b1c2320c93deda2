/* The server with a small protocol of its own: "tell TEXT" says TEXT to every connection,
 * the teller included, and answers with how many are open; "stop" ends the loop. */
#include "../table.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "policyd/numbers.h"
#include "policyd/server.h"

#define LINE_MAX_BYTES 20000

struct place {
	char folder[64], path[96], other_path[96], list_path[96];
	struct server *server;
	struct server_protocol protocol, other, list;
	pthread_t thread;
	int open_count;
	atomic_bool is_closed_to_all;
};

static void *talk_open(void *arg, struct pw_buf *out)
{
	struct place *place = arg;

	(void)out;
	place->open_count++;
	return malloc(1);
}

static void talk_close(void *arg, void *session)
{
	struct place *place = arg;

	place->open_count--;
	free(session);
}

static void say(void *arg, void *session, struct pw_buf *out)
{
	const struct pw_str *text = arg;

	(void)session;
	pw_buf_puts(out, *text);
	pw_buf_putc(out, '\n');
}

static ssize_t talk_eat(void *arg, void *session, struct pw_str bytes, struct pw_buf *out)
{
	struct place *place = arg;
	size_t length = pw_str_find(bytes, '\n');
	struct pw_str rest = pw_str_sub(bytes, 0, length), word;

	(void)session;
	if (length == bytes.len)
		return SERVER_MORE;
	word = pw_str_cut(&rest, ' ');
	if (pw_str_eq(word, PW_STR("stop")))
		server_stop(place->server);
	else if (pw_str_eq(word, PW_STR("tell")))
		server_tell(place->server, &place->protocol, say, &rest);
	else if (pw_str_eq(word, PW_STR("think")))
		nanosleep(&(struct timespec){ 1, 500000000 }, NULL);
	else
		return SERVER_CLOSE;
	pw_buf_printf(out, "open=%d\n", place->open_count);
	return (ssize_t)length + 1;
}

/* More than a socket holds at once. */
#define LIST_LINES 300000

static void *list_open(void *arg, struct pw_buf *out)
{
	for (int i = 0; i < LIST_LINES; i++)
		pw_buf_printf(out, "line %d\n", i);
	return talk_open(arg, out);
}

static bool list_admits(void *arg, int fd)
{
	struct place *place = arg;

	(void)fd;
	return !place->is_closed_to_all;
}

static void nothing(void *arg)
{
	(void)arg;
}

static void no_signal(void *arg, int signo)
{
	(void)arg;
	(void)signo;
}

static void *serve(void *arg)
{
	struct place *place = arg;

	assert_int_equal(server_run(place->server), PW_OK);
	return NULL;
}

static void listen_at(struct place *place, const char *path,
                      const struct server_protocol *protocol)
{
	PW_AUTO(pw_buf_done) struct pw_buf spec = { 0 }, why = { 0 };

	pw_buf_printf(&spec, "unix:%s", path);
	assert_int_equal(server_listen(place->server, pw_buf_str(&spec), protocol, &why),
	                 PW_OK);
}

static int begin_with(void **state, struct server_limits limits)
{
	static const int signals[] = { SIGUSR2, 0 };
	const struct server_events events = { nothing, nothing, no_signal, NULL, NULL };
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->folder, "/tmp/test_server.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/told", place->folder);
	snprintf(place->other_path, sizeof(place->other_path), "%s/other", place->folder);
	snprintf(place->list_path, sizeof(place->list_path), "%s/list", place->folder);
	place->protocol = (struct server_protocol){ .input_max = LINE_MAX_BYTES,
		                                    .open = talk_open,
		                                    .eat = talk_eat,
		                                    .close = talk_close,
		                                    .arg = place,
		                                    .name = "told",
		                                    .is_told = true };
	place->other = place->protocol;
	place->other.is_told = false;
	place->list = place->other;
	place->list.open = list_open;
	place->list.admits = list_admits;
	place->list.is_greeting_alone = true;
	assert_int_equal(server_new(&place->server, &events, signals), PW_OK);
	server_set_limits(place->server, &limits);
	listen_at(place, place->path, &place->protocol);
	listen_at(place, place->other_path, &place->other);
	listen_at(place, place->list_path, &place->list);
	assert_int_equal(pthread_create(&place->thread, NULL, serve, place), 0);
	*state = place;
	return 0;
}

static int begin(void **state)
{
	return begin_with(state, (struct server_limits){ 100, 1, 1000000 });
}

static int begin_quick(void **state)
{
	return begin_with(state, (struct server_limits){ 100, 1000000, 1000 });
}

static int begin_small(void **state)
{
	return begin_with(state, (struct server_limits){ 3, 1000000, 1000000 });
}

/* Lines are read buffered, written at once. */
struct peer {
	FILE *in;
	char *line;
	size_t room;
	int fd;
};

static void dial(struct peer *peer, const char *path)
{
	const struct timeval patience = { 60, 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, path);
	*peer = (struct peer){ .fd = socket(AF_UNIX, SOCK_STREAM, 0) };
	assert_true(peer->fd >= 0);
	setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(peer->fd, (struct sockaddr *)&address, sizeof(address)),
	                 0);
	assert_non_null(peer->in = fdopen(peer->fd, "r"));
}

static void hang_up(struct peer *peer)
{
	fclose(peer->in);
	free(peer->line);
}

static void send_line(struct peer *peer, const char *line)
{
	assert_true(dprintf(peer->fd, "%s\n", line) > 0);
}

static const char *next_line(struct peer *peer)
{
	ssize_t length = getline(&peer->line, &peer->room, peer->in);

	assert_true(length > 0);
	peer->line[length - 1] = '\0';
	return peer->line;
}

static void expect_line(struct peer *peer, const char *want)
{
	assert_string_equal(next_line(peer), want);
}

static int end(void **state)
{
	struct place *place = *state;
	struct peer peer;

	dial(&peer, place->path);
	send_line(&peer, "stop");
	pthread_join(place->thread, NULL);
	hang_up(&peer);
	server_free(&place->server);
	assert_int_equal(rmdir(place->folder), 0);
	free(place);
	return 0;
}

static void everybody_is_told(void **state)
{
	struct place *place = *state;
	struct peer one, two;

	dial(&one, place->path);
	dial(&two, place->path);
	send_line(&one, "tell first"); /* two may not be accepted yet */
	expect_line(&one, "first");
	(void)next_line(&one);
	send_line(&two, "tell second");
	expect_line(&one, "second");
	while (strcmp(next_line(&two), "second") != 0)
		assert_string_equal(two.line, "first");
	expect_line(&two, "open=2");
	hang_up(&one);
	hang_up(&two);
}

/* What holds the loop up makes an answer late, though it is given in the round it was
 * asked in. */
static void a_slow_round_is_late(void **state)
{
	struct place *place = *state;
	int64_t before = pw_count_get(&numbers, NUMBER_late);
	struct peer peer;

	dial(&peer, place->path);
	send_line(&peer, "tell quick");
	expect_line(&peer, "quick");
	expect_line(&peer, "open=1");
	assert_int_equal(pw_count_get(&numbers, NUMBER_late), before);
	send_line(&peer, "think");
	expect_line(&peer, "open=1");
	send_line(&peer, "tell done"); /* of a later round */
	expect_line(&peer, "done");
	expect_line(&peer, "open=1");
	assert_int_equal(pw_count_get(&numbers, NUMBER_late), before + 1);
	hang_up(&peer);
}

/* Both are idle for longer than the limit of a millisecond. */
static void silence_does_not_close(void **state)
{
	struct place *place = *state;
	struct peer told, other;

	dial(&told, place->path);
	send_line(&told, "tell me");
	expect_line(&told, "me");
	expect_line(&told, "open=1");
	dial(&other, place->other_path);
	assert_int_equal(fgetc(other.in), EOF);
	send_line(&told, "tell me again");
	expect_line(&told, "me again");
	expect_line(&told, "open=1");
	hang_up(&other);
	hang_up(&told);
}

static int open_count_told(struct peer *peer)
{
	int count;

	while (sscanf(next_line(peer), "open=%d", &count) != 1)
		;
	return count;
}

static void who_does_not_read_is_closed(void **state)
{
	static char line[16000];
	struct place *place = *state;
	struct peer deaf, good;
	int left = 1000; /* far more than any socket holds */

	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "tell ", 5);
	dial(&deaf, place->path);
	send_line(&deaf, "tell wake");
	expect_line(&deaf, "wake");
	dial(&good, place->path);
	do
		send_line(&good, line);
	while (open_count_told(&good) == 2 && --left > 0);
	assert_true(left > 0);
	hang_up(&deaf);
	hang_up(&good);
}

/* The oldest is told, the next is not: that one goes. Where all are told the oldest goes.
 */
static void room_is_made_by_who_is_not_told(void **state)
{
	struct place *place = *state;
	struct peer told[4], other;

	dial(&told[0], place->path);
	send_line(&told[0], "tell a");
	expect_line(&told[0], "a");
	expect_line(&told[0], "open=1");
	dial(&other, place->other_path);
	send_line(&other, "tell b");
	expect_line(&told[0], "b");
	expect_line(&other, "open=2");
	for (int i = 1; i < 3; i++) {
		dial(&told[i], place->path);
		send_line(&told[i], "tell c");
		while (strcmp(next_line(&told[i]), "open=3") != 0)
			;
	}
	assert_int_equal(fgetc(other.in), EOF);
	dial(&told[3], place->path);
	expect_line(&told[0], "c");
	expect_line(&told[0], "c");
	assert_int_equal(fgetc(told[0].in), EOF);
	for (int i = 0; i < 4; i++)
		hang_up(&told[i]);
	hang_up(&other);
}

/* The other one is answered meanwhile; nothing the reader says is heard. */
static void a_list_is_said_whole_and_closed(void **state)
{
	struct place *place = *state;
	struct peer reader, other, stranger;
	char line[32];

	dial(&reader, place->list_path);
	send_line(&reader, "stop");
	dial(&other, place->path);
	send_line(&other, "tell me");
	expect_line(&other, "me");
	for (int i = 0; i < LIST_LINES; i++) {
		(void)snprintf(line, sizeof(line), "line %d", i);
		expect_line(&reader, line);
	}
	assert_int_equal(fgetc(reader.in), EOF);
	place->is_closed_to_all = true;
	dial(&stranger, place->list_path);
	assert_int_equal(fgetc(stranger.in), EOF);
	hang_up(&stranger);
	hang_up(&reader);
	hang_up(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_list_is_said_whole_and_closed,
		                                begin_small, end),
		cmocka_unit_test_setup_teardown(everybody_is_told, begin, end),
		cmocka_unit_test_setup_teardown(a_slow_round_is_late, begin_quick, end),
		cmocka_unit_test_setup_teardown(silence_does_not_close, begin, end),
		cmocka_unit_test_setup_teardown(who_does_not_read_is_closed, begin, end),
		cmocka_unit_test_setup_teardown(room_is_made_by_who_is_not_told,
		                                begin_small, end),
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
