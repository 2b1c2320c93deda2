/* Files, counters, the notification socket and inherited descriptors: what touches the
 * system, on a folder of its own. */
#include "../table.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/counters.h"
#include "io/file.h"
#include "io/notify.h"

static char folder[] = "/tmp/pw-test-file.XXXXXX";

static const char *in_folder(struct pw_buf *path, const char *name)
{
	pw_buf_reset(path);
	pw_buf_printf(path, "%s/%s", folder, name);
	return pw_buf_text(path);
}

static void replaced_file_reads_back(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct stat st;

	(void)state;
	in_folder(&path, "f");
	assert_int_equal(pw_file_replace(path.at, PW_STR("old"), 0644), PW_OK);
	assert_int_equal(pw_file_replace(path.at, PW_STR("n\0w"), 0600), PW_OK);
	assert_int_equal(pw_file_read(&text, path.at, 3), PW_OK);
	assert_int_equal(text.len, 3);
	assert_memory_equal(text.at, "n\0w", 3);
	assert_int_equal(stat(path.at, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	pw_buf_reset(&text);
	assert_int_equal(pw_file_read(&text, path.at, 2), PW_ERR_LIMIT);
	assert_int_equal(unlink(path.at), 0);
	assert_int_equal(pw_file_read(&text, path.at, 2), PW_ERR_NOTFOUND);
}

static void failed_replace_leaves_nothing(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };

	(void)state;
	assert_int_equal(pw_file_replace(in_folder(&path, "no/f"), PW_STR("x"), 0600),
	                 PW_ERR_NOTFOUND);
	assert_int_equal(mkdir(in_folder(&path, "d"), 0700), 0);
	assert_int_equal(pw_file_replace(path.at, PW_STR("x"), 0600), PW_ERR_IO);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(rmdir(path.at), 0);
	/* main's rmdir of the folder proves that no file was left beside */
}

static void counters_are_prometheus_text(void **state)
{
	static const struct pw_counter_row rows[] = {
		PW_COUNTER_ROW(COUNT, a, "messages_total", "action=\"accept\"",
		               "Messages.") PW_COUNTER_ROW(COUNT, b, "messages_total",
		                                           "action=\"reject\"",
		                                           "Messages.")
			PW_COUNTER_ROW(LEVEL, c, "sessions", NULL, "Sessions now.")
	};
	static _Atomic int64_t values[PW_LEN(rows)];
	struct pw_counters counters = { "postward-x", rows, values, PW_LEN(rows) };
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	(void)state;
	pw_count(&counters, 0, 2);
	pw_count(&counters, 0, 1);
	pw_count_set(&counters, 2, -5);
	assert_int_equal(pw_count_get(&counters, 0), 3);
	assert_int_equal(pw_counters_write(&counters, folder), PW_OK);
	assert_int_equal(pw_file_read(&text, in_folder(&path, "metrics.prom"), 4096),
	                 PW_OK);
	assert_string_equal(pw_buf_text(&text),
	                    "# HELP postward_x_messages_total Messages.\n"
	                    "# TYPE postward_x_messages_total counter\n"
	                    "postward_x_messages_total{action=\"accept\"} 3\n"
	                    "postward_x_messages_total{action=\"reject\"} 0\n"
	                    "# HELP postward_x_sessions Sessions now.\n"
	                    "# TYPE postward_x_sessions gauge\n"
	                    "postward_x_sessions -5\n");
	assert_int_equal(unlink(path.at), 0);
}

static void supervisor_hears(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[256];
	ssize_t n;

	(void)state;
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/n", folder);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	pw_notify_ready(); /* nobody named: nothing happens */
	assert_int_equal(setenv("NOTIFY_SOCKET", at.sun_path, 1), 0);
	pw_notify_status("busy\nWATCHDOG=1");
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "STATUS=busy");
	pw_notify_ready();
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_int_equal(n, 7);
	assert_int_equal(unlink(at.sun_path), 0);
	pw_notify_ready(); /* gone: no harm */
	(void)close(fd);
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static void watchdog_is_asked_twice_as_often(void **state)
{
	char pid[32];

	(void)state;
	assert_int_equal(pw_notify_watchdog_ms(), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "30000000", 1), 0);
	assert_int_equal(pw_notify_watchdog_ms(), 15000);
	assert_int_equal(setenv("WATCHDOG_PID", "1", 1),
	                 0); /* meant for another process */
	assert_int_equal(pw_notify_watchdog_ms(), 0);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
	assert_int_equal(pw_notify_watchdog_ms(), 15000);
}

struct listen_row {
	const char *label, *pid, *fds, *names, *name;
	int fd;
};
/* clang-format off */
static struct listen_row listen_rows[] = {
	{ "no systemd",              NULL,   NULL, NULL,    "score", -1 },
	{ "the only one",            "self", "1",  "score", "score",  3 },
	{ "the second",              "self", "2",  "a:score", "score", 4 },
	{ "another name",            "self", "1",  "a",     "score", -1 },
	{ "more names than fds",     "self", "1",  "a:score", "score", -1 },
	{ "of our parent",           "1",    "1",  "score", "score", -1 },
	{ "no names",                "self", "1",  NULL,    "score", -1 },
	{ "nonsense",                "self", "x",  "score", "score", -1 },
};
/* clang-format on */

static void set_env(const char *name, const char *value)
{
	assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void check_listen(void **state)
{
	const struct listen_row *row = *state;
	char pid[32];

	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	set_env("LISTEN_PID", row->pid && !strcmp(row->pid, "self") ? pid : row->pid);
	set_env("LISTEN_FDS", row->fds);
	set_env("LISTEN_FDNAMES", row->names);
	assert_int_equal(pw_notify_listen_fd(row->name), row->fd);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(listen_rows) + 5] = {
		cmocka_unit_test(replaced_file_reads_back),
		cmocka_unit_test(failed_replace_leaves_nothing),
		cmocka_unit_test(counters_are_prometheus_text),
		cmocka_unit_test(supervisor_hears),
		cmocka_unit_test(watchdog_is_asked_twice_as_often),
	};
	int failed;

	/* 3 and 4 are open, as systemd would leave them */
	while (dup(STDERR_FILENO) < 4)
		;
	if (!mkdtemp(folder))
		return 1;
	PW_TABLE_TESTS(tests, 5, listen_rows, check_listen);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(folder) == 0 ? failed : 1;
}
