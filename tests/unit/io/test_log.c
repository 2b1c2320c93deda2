#include "../table.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/log.h"

#define LONG_RUN 300

struct row {
	const char *label, *queue_id;
	struct pw_kv fields[5];
	const char *line;
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	pw_log_format(&out, row->queue_id, row->fields);
	assert_string_equal(pw_buf_text(&out), row->line);
}

static void a_long_value_is_cut(void **state)
{
	char value[LONG_RUN + 1];
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	memset(value, 'x', LONG_RUN);
	value[LONG_RUN] = '\0';
	pw_log_format(&out, "", (struct pw_kv[]){ PW_KV("k", value), PW_KV_END });
	assert_int_equal(out.len, 2 + PW_LOG_VALUE_MAX + 3);
	assert_string_equal(pw_buf_text(&out) + out.len - 4, "x...");
}

/* A reader that has stopped must not stop us: lines are dropped and counted. */
static void a_full_pipe_does_not_block(void **state)
{
	int ends[2], kept = dup(STDERR_FILENO);
	char text[128 * 1024];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	pw_log_open("test", PW_LOG_TO_STDERR, PW_LOG_INFO);
	for (int i = 0; i < 5000; i++)
		pw_log(PW_LOG_INFO, "", PW_KV_INT("n", i), PW_KV_END);
	n = read(ends[0], text, sizeof(text) - 1);
	assert_true(n > 1000);
	pw_log(PW_LOG_DEBUG, "", PW_KV("not", "wanted"), PW_KV_END);
	pw_log(PW_LOG_WARNING, NULL, PW_KV("last", "one"), PW_KV_END);
	n = read(ends[0], text, sizeof(text) - 1);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "]: warning: lost_lines="));
	assert_non_null(strstr(text, "]: warning: NOQUEUE: last=one\n"));
	assert_null(strstr(text, "wanted"));
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(kept);
}

/* A /dev of our own, which only this process sees. */
static bool enter_own_dev(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", "/dev", "tmpfs", 0, NULL) == 0;
}

static int bind_dev_log(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)unlink(at.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* The next line syslogd gets, without priority and time. */
static const char *receive(int fd, char text[512])
{
	ssize_t n = recv(fd, text, 511, 0);

	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strchr(text, ']'));
	return strchr(text, ']');
}

static void syslog_is_never_waited_for(void **state)
{
	char text[512];
	int64_t start;
	int fd;

	(void)state;
	if (!enter_own_dev())
		skip(); /* wants root */
	pw_log_open("test", PW_LOG_TO_SYSLOG, PW_LOG_INFO);
	pw_log(PW_LOG_INFO, NULL, PW_KV("nobody", "listens"), PW_KV_END);
	fd = bind_dev_log();
	pw_log(PW_LOG_INFO, "4fQ2xT1z9Yz", PW_KV("a", "b"), PW_KV_END);
	assert_string_equal(receive(fd, text), "]: warning: lost_lines=1");
	assert_string_equal(receive(fd, text), "]: 4fQ2xT1z9Yz: a=b");
	assert_memory_equal(text, "<22>", 4); /* mail.info */
	start = pw_clock_mono_ms();
	for (int i = 0; i < 2000; i++) /* syslogd sleeps: its socket is full */
		pw_log(PW_LOG_INFO, "", PW_KV_INT("n", i), PW_KV_END);
	assert_in_range(pw_clock_mono_ms() - start, 0, 10000);
	assert_string_equal(receive(fd, text), "]: n=0");
	(void)close(fd);
	fd = bind_dev_log(); /* and is restarted */
	pw_log(PW_LOG_ERROR, "", PW_KV("a", "c"), PW_KV_END);
	assert_non_null(strstr(receive(fd, text), "warning: lost_lines="));
	assert_string_equal(receive(fd, text), "]: error: a=c");
	assert_memory_equal(text, "<19>", 4); /* mail.err */
	(void)close(fd);
}

int main(void)
{
	/* clang-format off */
	struct row rows[] = {
		{ "plain", "4fQ2xT1z9Yz", { PW_KV("action", "sign"), PW_KV_INT("signatures", 2), PW_KV_END },
		  "4fQ2xT1z9Yz: action=sign, signatures=2" },
		{ "no queue id yet", NULL, { PW_KV("action", PW_STR("defer")), PW_KV_END }, "NOQUEUE: action=defer" },
		{ "not about a message", "", { PW_KV("event", "start"), PW_KV_END }, "event=start" },
		{ "address", "", { PW_KV_ADDR("from", "ann@example.org"), PW_KV_ADDR("to", ""), PW_KV_END },
		  "from=<ann@example.org>, to=<>" },
		{ "address with a blank", "", { PW_KV_ADDR("from", "\"a b\"@example.org"), PW_KV_END },
		  "from=\"<\\\"a b\\\"@example.org>\"" },
		{ "client", "", { PW_KV_PEER("client", "mail.example.net", PW_STR("192.0.2.7")), PW_KV_PEER("next", (const char *)NULL, "::1"), PW_KV_END },
		  "client=mail.example.net[192.0.2.7], next=unknown[::1]" },
		{ "blank and comma", "", { PW_KV("why", "a, b"), PW_KV_END }, "why=\"a, b\"" },
		{ "quote and backslash", "", { PW_KV("why", "a\"b\\c"), PW_KV_END }, "why=\"a\\\"b\\\\c\"" },
		{ "line end forges no line", "", { PW_KV("s", "x\r\npostfix/smtpd[1]: y"), PW_KV_END },
		  "s=\"x\\015\\012postfix/smtpd[1]: y\"" },
		{ "bytes beyond ASCII, NUL", "", { PW_KV("s", ((struct pw_str){ "\xc3\xa9\0\x7f\x1b", 5 })), PW_KV_END },
		  "s=\\303\\251\\000\\177\\033" },
		{ "empty", "", { PW_KV("s", ""), PW_KV("t", (const char *)NULL), PW_KV_END }, "s=\"\", t=\"\"" },
		{ "left out", "", { PW_KV_NONE, PW_KV("a", "b"), PW_KV_NONE, PW_KV_INT("n", INT64_MIN), PW_KV_END },
		  "a=b, n=-9223372036854775808" },
	};
	/* clang-format on */
	struct CMUnitTest tests[PW_LEN(rows) + 3] = {
		cmocka_unit_test(a_long_value_is_cut),
		cmocka_unit_test(a_full_pipe_does_not_block),
		cmocka_unit_test(syslog_is_never_waited_for),
	};

	PW_TABLE_TESTS(tests, 3, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
