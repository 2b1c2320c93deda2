/* Workers and their jail, for tests.
 *
 *     probe_workers COUNT JOB_MS < LINES
 *
 * Each line of standard input is a job; `load TEXT` teaches TEXT instead. Lines are done
 * in order; `race N TEXT` has N threads ask TEXT at once. Answered, a line each: what the
 * worker said, or the error's name. Jobs:
 *
 *     say          what was taught last
 *     pid          the worker's process
 *     crash        abort
 *     spin         for ever
 *     tear         ends without an answer
 *     try          each thing that a jailed process must not do; "name=errno" or
 *                  "name=ok"
 *     charset      converts from ISO-2022-JP, whose table is a file
 *     charsets     how many of the table of charsets have a converter; those without */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/charset.h"
#include "io/clock.h"
#include "mail/charsets.h"
#include "score/workers.h"

static char taught[100] = "nothing";
static struct workers *workers;

static enum pw_status load(void *arg, struct pw_str bytes)
{
	(void)arg;
	if (pw_str_eq(bytes, PW_STR("nonsense")))
		return PW_ERR_SYNTAX;
	snprintf(taught, sizeof(taught), "%.*s", PW_FMT(bytes));
	return PW_OK;
}

static void tell(struct pw_buf *out, const char *name, long r)
{
	pw_buf_printf(out, "%s=%s ", name, r >= 0 ? "ok" : strerrorname_np(errno));
}

static void try_all(struct pw_buf *out)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(25) };
	char program[] = "/bin/true", *argv[] = { program, NULL };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	tell(out, "open", open("/etc/passwd", O_RDONLY));
	tell(out, "create", open("/tmp/postward-probe", O_WRONLY | O_CREAT, 0600));
	tell(out, "socket", socket(AF_INET, SOCK_STREAM, 0));
	tell(out, "unix", socket(AF_UNIX, SOCK_STREAM, 0));
	tell(out, "connect", connect(0, (struct sockaddr *)&address, sizeof(address)));
	tell(out, "fork", fork());
	tell(out, "exec", execv(argv[0], argv));
	tell(out, "kill", kill(getppid(), 0));
	tell(out, "ptrace", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
	tell(out, "unlink", unlink("/tmp/postward-probe"));
	tell(out, "code",
	     mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	          0) == MAP_FAILED
	             ? -1
	             : 0);
	tell(out, "memory", malloc((size_t)50 * 1024 * 1024) != NULL ? 0 : -1);
}

static void convert(struct pw_buf *out)
{
	char japanese[] = "\033$B4A\033(B", utf8[32] = "";
	char *from = japanese, *to = utf8;
	size_t from_left = strlen(japanese), to_left = sizeof(utf8) - 1;
	iconv_t cd = iconv_open("UTF-8", "ISO-2022-JP");

	if (cd != NULL && iconv(cd, &from, &from_left, &to, &to_left) == 0)
		pw_buf_puts(out, pw_str_from(utf8));
	else
		pw_buf_puts(out, PW_STR("no converter"));
}

static void open_all(struct pw_buf *out)
{
	const char *name;
	unsigned there = 0;
	iconv_t cd;

	for (size_t i = 0; pw_charset_label(i, &name) != NULL; i++) {
		if ((cd = iconv_open("UTF-8", name)) == (iconv_t)-1) {
			pw_buf_printf(out, "%s ", name);
			continue;
		}
		there++;
		iconv_close(cd);
	}
	pw_buf_printf(out, "%u", there);
}

static enum pw_status work(void *arg, struct pw_str job, struct pw_buf *answer_out)
{
	(void)arg;
	if (pw_str_eq(job, PW_STR("crash")))
		abort();
	if (pw_str_eq(job, PW_STR("tear")))
		_exit(0);
	while (pw_str_eq(job, PW_STR("spin")))
		;
	if (pw_str_eq(job, PW_STR("pid")))
		pw_buf_put_int(answer_out, getpid());
	else if (pw_str_eq(job, PW_STR("try")))
		try_all(answer_out);
	else if (pw_str_eq(job, PW_STR("charset")))
		convert(answer_out);
	else if (pw_str_eq(job, PW_STR("charsets")))
		open_all(answer_out);
	else if (pw_str_eq(job, PW_STR("say")))
		pw_buf_puts(answer_out, pw_str_from(taught));
	else
		return PW_ERR_SYNTAX;
	return PW_OK;
}

static void *ask(void *arg)
{
	PW_AUTO(pw_buf_done) struct pw_buf answer = { 0 };
	enum pw_status r = workers_ask(workers, pw_str_from(arg), &answer,
	                               pw_clock_mono_ms() + 30000);

	printf("%s\n", r == PW_OK ? pw_buf_text(&answer) : pw_status_text(r));
	fflush(stdout);
	return NULL;
}

static void race(char *line)
{
	pthread_t threads[100];
	char *text;
	size_t n = strtoul(line, &text, 10);

	for (size_t i = 0; i < n && i < PW_LEN(threads); i++)
		if (pthread_create(&threads[i], NULL, ask, text + 1) != 0)
			abort();
	for (size_t i = 0; i < n && i < PW_LEN(threads); i++)
		pthread_join(threads[i], NULL);
}

static void do_line(char *line)
{
	enum pw_status r;

	if (strncmp(line, "load ", 5) == 0) {
		r = workers_load(workers, pw_str_from(line + 5));
		printf("%s\n", r == PW_OK ? "loaded" : pw_status_text(r));
	} else if (strncmp(line, "race ", 5) == 0) {
		race(line + 5);
	} else {
		ask(line);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct workers_config config = { .load = load, .work = work, .is_jailed = true };
	char line[200];

	if (argc != 3)
		return 2;
	config.count = strtoul(argv[1], NULL, 10);
	config.job_ms = strtol(argv[2], NULL, 10);
	pw_charsets_keep();
	if (workers_open(&workers, &config, &why) != PW_OK) {
		fprintf(stderr, "%s\n", pw_buf_text(&why));
		return 1;
	}
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		do_line(line);
	}
	printf("crashed %d\n", (int)workers_numbers(workers).crashed);
	workers_close(&workers);
	return 0;
}
