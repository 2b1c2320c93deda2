#include "../table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/buf.h"
#include "io/clock.h"
#include "io/dial.h"

#define SOON_MS 50

struct parse_row {
	const char *label, *spec;
	enum pw_status status;
	int family;
};

/* clang-format off */
static struct parse_row parse_rows[] = {
	{ "a path",            "unix:/run/clamav/clamd.ctl", PW_OK,         AF_UNIX },
	{ "an address",        "inet:127.0.0.1:3310",        PW_OK,         AF_INET },
	{ "IPv6",              "inet:[::1]:3310",            PW_OK,         AF_INET6 },
	{ "nothing",           "",                           PW_ERR_SYNTAX, 0 },
	{ "no kind",           "/run/clamav/clamd.ctl",      PW_ERR_SYNTAX, 0 },
	{ "another kind",      "local:/run/x",               PW_ERR_SYNTAX, 0 },
	{ "a relative path",   "unix:run/x",                 PW_ERR_SYNTAX, 0 },
	{ "no path",           "unix:",                      PW_ERR_SYNTAX, 0 },
	{ "a name",            "inet:localhost:3310",        PW_ERR_SYNTAX, 0 },
	{ "no port",           "inet:127.0.0.1",             PW_ERR_SYNTAX, 0 },
	{ "port 0",            "inet:127.0.0.1:0",           PW_ERR_SYNTAX, 0 },
	{ "a port too large",  "inet:127.0.0.1:65536",       PW_ERR_SYNTAX, 0 },
	{ "a path too long",   "unix:/"
	  "1234567890123456789012345678901234567890123456789012345678901234567890"
	  "1234567890123456789012345678901234567890",        PW_ERR_SYNTAX, 0 },
};
/* clang-format on */

static void check_parse(void **state)
{
	const struct parse_row *row = *state;
	struct pw_dial dial;

	assert_int_equal(pw_dial_parse(&dial, pw_str_from(row->spec)), row->status);
	assert_int_equal(dial.address.ss_family, row->family);
	assert_int_equal(dial.len > 0, row->status == PW_OK);
}

/* A server in a folder of its own. */
struct server {
	char folder[32], path[48];
	struct pw_dial dial;
	int fd;
};

static void server_start(struct server *s, int backlog)
{
	PW_AUTO(pw_buf_done) struct pw_buf spec = { 0 };

	*s = (struct server){ .folder = "/tmp/pw-dial-XXXXXX" };
	assert_non_null(mkdtemp(s->folder));
	pw_buf_printf(&spec, "unix:%s/s", s->folder);
	memcpy(s->path, pw_buf_text(&spec) + 5, spec.len - 4);
	assert_int_equal(pw_dial_parse(&s->dial, pw_buf_str(&spec)), PW_OK);
	s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&s->dial.address, s->dial.len),
	                 0);
	if (backlog >= 0)
		assert_int_equal(listen(s->fd, backlog), 0);
}

static void server_stop(struct server *s)
{
	(void)close(s->fd);
	(void)unlink(s->path);
	(void)rmdir(s->folder);
}

static void words_go_both_ways(void **state)
{
	PW_AUTO(pw_dial_close) int fd = -1;
	PW_AUTO(pw_dial_close) int other = -1;
	PW_AUTO(server_stop) struct server s;
	int64_t soon_ms = pw_clock_mono_ms() + 5000;
	char text[8];
	size_t len;

	(void)state;
	server_start(&s, 1);
	assert_int_equal(pw_dial_open(&fd, &s.dial, soon_ms), PW_OK);
	other = accept(s.fd, NULL, NULL);
	assert_int_equal(pw_dial_send(fd, PW_STR("ping"), soon_ms), PW_OK);
	assert_int_equal(read(other, text, sizeof(text)), 4);
	assert_int_equal(write(other, "pong!", 5), 5);
	assert_int_equal(pw_dial_receive(fd, text, sizeof(text), &len, soon_ms), PW_OK);
	assert_int_equal(len, 5);
	pw_dial_close(&other);
	assert_int_equal(pw_dial_receive(fd, text, sizeof(text), &len, soon_ms), PW_OK);
	assert_int_equal(len, 0);
	assert_int_equal(pw_dial_send(fd, PW_STR("x"), soon_ms), PW_ERR_AWAY);
}

static void silence_ends_at_the_deadline(void **state)
{
	static char much[8 << 20];
	PW_AUTO(pw_dial_close) int fd = -1;
	PW_AUTO(server_stop) struct server s;
	int64_t start_ms = pw_clock_mono_ms();
	char text[8];
	size_t len;

	(void)state;
	server_start(&s, 1);
	assert_int_equal(pw_dial_open(&fd, &s.dial, start_ms + SOON_MS), PW_OK);
	assert_int_equal(
		pw_dial_receive(fd, text, sizeof(text), &len, start_ms + SOON_MS),
		PW_ERR_TIMEOUT);
	assert_int_equal(pw_dial_send(fd, (struct pw_str){ much, sizeof(much) },
	                              start_ms + 2 * SOON_MS),
	                 PW_ERR_TIMEOUT);
	assert_in_range(pw_clock_mono_ms() - start_ms, 2 * SOON_MS, 5000);
}

static void nobody_there_is_said(void **state)
{
	PW_AUTO(server_stop) struct server s;
	int64_t soon_ms = pw_clock_mono_ms() + 5000;
	int fd = -1;

	(void)state;
	server_start(&s, -1); /* bound, but nobody listens */
	assert_int_equal(pw_dial_open(&fd, &s.dial, soon_ms), PW_ERR_AWAY);
	(void)unlink(s.path);
	assert_int_equal(pw_dial_open(&fd, &s.dial, soon_ms), PW_ERR_AWAY);
	assert_int_equal(fd, -1);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(parse_rows) + 3] = {
		cmocka_unit_test(words_go_both_ways),
		cmocka_unit_test(silence_ends_at_the_deadline),
		cmocka_unit_test(nobody_there_is_said),
	};

	PW_TABLE_TESTS(tests, 3, parse_rows, check_parse);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
