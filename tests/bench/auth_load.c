/* Load for a Dovecot auth service: PLAIN logins (auth client protocol), or USER and PASS
 * lookups (auth master protocol), with a fixed number of requests outstanding on each
 * connection, or at a fixed rate. It knows nothing of the driver behind the socket.
 *
 *     auth_load auth|user|pass SOCKET [options]
 *       -c N    connections                            (default 1)
 *       -n N    outstanding requests a connection      (default 1)
 *       -t N    milliseconds                           (default 2000)
 *       -u N    users, drawn at random from 1..N       (default 10000)
 *       -U FMT  their names, before and after the number, with a %  (user%@example.org)
 *       -P FMT  their passwords; without a % it is everybody's      (pass%)
 *       -r N    requests a second and connection instead of "as fast as answered"
 *       -w      ask for each user once before, uncounted (fills a cache)
 *
 * Prints one JSON object: done, ok, failed, seconds, rate, p50_us, p99_us, max_us.
 * Exit 1 when the service cannot be reached or hangs up.
 *
 * Derived from dovecot-auth-load.c of the same author, written for the first
 * measurements. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BUF_MAX 65536
#define LINE_MAX_LEN 2048
#define RING 65536 /* ids whose start is remembered */
#define HANDSHAKE_US 10000000
#define LAST_ANSWERS_US 15000000

struct conn {
	int fd;
	unsigned int next_id, in_flight;
	uint64_t due_us; /* of the next request, at a fixed rate */
	bool is_ready;
	size_t in_len, out_len;
	char in[BUF_MAX], out[BUF_MAX];
	uint64_t start[RING];
};

static struct {
	char mode; /* first letter */
	const char *path, *user, *password;
	unsigned int connections, outstanding, users, rate;
	uint64_t span_us;
	bool warms;
} set = { .user = "user%@example.org",
	  .password = "pass%",
	  .connections = 1,
	  .outstanding = 1,
	  .users = 10000,
	  .span_us = 2000000 };

static struct {
	uint64_t ok, failed, seed;
	unsigned int warm; /* users asked for so far */
	bool is_counting;
	uint32_t *took;
	size_t count, max;
} run = { .seed = 2654435761u };

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "auth_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned int draw(void)
{
	run.seed ^= run.seed << 13;
	run.seed ^= run.seed >> 7;
	run.seed ^= run.seed << 17;
	return 1 + (unsigned int)(run.seed >> 11) % set.users;
}

static void base64(const unsigned char *s, size_t n, char *out)
{
	static const char t[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		unsigned int a = s[i], b = i + 1 < n ? s[i + 1] : 0,
			     c = i + 2 < n ? s[i + 2] : 0;

		*out++ = t[a >> 2];
		*out++ = t[(a & 3) << 4 | b >> 4];
		*out++ = i + 1 < n ? t[(b & 15) << 2 | c >> 6] : '=';
		*out++ = i + 2 < n ? t[c & 63] : '=';
	}
	*out = '\0';
}

/* Copy a format with the number in place of its %. */
static void name(char out[256], const char *format, unsigned int number)
{
	const char *at = strchr(format, '%');

	if (at)
		(void)snprintf(out, 256, "%.*s%u%s", (int)(at - format), format, number,
		               at + 1);
	else
		(void)snprintf(out, 256, "%s", format);
}

/* ---- asking ---- */

static size_t put_login(char *out, unsigned int id, unsigned int number)
{
	unsigned char raw[600];
	char user[256], password[256], encoded[900];
	size_t user_len, password_len;

	name(user, set.user, number);
	name(password, set.password, number);
	user_len = strlen(user);
	password_len = strlen(password);
	raw[0] = '\0';
	memcpy(raw + 1, user, user_len + 1);
	memcpy(raw + 2 + user_len, password, password_len);
	base64(raw, 2 + user_len + password_len, encoded);
	/* no-penalty: without a client's address all share one penalty */
	return (size_t)snprintf(out, LINE_MAX_LEN,
	                        "AUTH\t%u\tPLAIN\tservice=imap\tsecured\tno-penalty\t"
	                        "resp=%s\n",
	                        id, encoded);
}

static size_t put_lookup(char *out, unsigned int id, unsigned int number)
{
	char user[256];

	name(user, set.user, number);
	return (size_t)snprintf(out, LINE_MAX_LEN, "%s\t%u\t%s\tservice=imap\n",
	                        set.mode == 'u' ? "USER" : "PASS", id, user);
}

static void ask(struct conn *c, unsigned int number)
{
	unsigned int id = ++c->next_id;
	char *at = c->out + c->out_len;

	c->out_len +=
		set.mode == 'a' ? put_login(at, id, number) : put_lookup(at, id, number);
	c->start[id % RING] = now_us();
	c->in_flight++;
}

static bool may_ask(struct conn *c)
{
	if (!c->is_ready || c->out_len > BUF_MAX - LINE_MAX_LEN)
		return false;
	if (!run.is_counting)
		return run.warm < set.users && c->in_flight < 32;
	if (set.rate == 0)
		return c->in_flight < set.outstanding;
	if (now_us() < c->due_us)
		return false;
	c->due_us += 1000000 / set.rate;
	return true;
}

static void fill(struct conn *c)
{
	while (may_ask(c))
		ask(c, run.is_counting ? draw() : ++run.warm);
}

/* ---- answers ---- */

static void note(struct conn *c, unsigned int id, bool is_ok)
{
	c->in_flight--;
	if (!run.is_counting)
		return;
	*(is_ok ? &run.ok : &run.failed) += 1;
	if (run.count == run.max) {
		run.max = run.max ? run.max * 2 : 65536;
		if (!(run.took = realloc(run.took, run.max * sizeof(*run.took))))
			die("memory");
	}
	run.took[run.count++] = (uint32_t)(now_us() - c->start[id % RING]);
}

static void take_line(struct conn *c, const char *line)
{
	size_t verb = strcspn(line, "\t");
	const char *rest = line + verb + (line[verb] != '\0');
	bool is_ok = strncmp(line, "OK\t", 3) == 0 || strncmp(line, "USER\t", 5) == 0 ||
	             strncmp(line, "PASS\t", 5) == 0;

	if (!c->is_ready)
		c->is_ready = strcmp(line, "DONE") == 0 ||
		              (set.mode != 'a' && strncmp(line, "SPID", 4) == 0);
	else if (is_ok || strncmp(line, "FAIL\t", 5) == 0 ||
	         strncmp(line, "NOTFOUND\t", 9) == 0)
		note(c, (unsigned int)strtoul(rest, NULL, 10), is_ok);
}

static void receive(struct conn *c)
{
	ssize_t n = read(c->fd, c->in + c->in_len, BUF_MAX - c->in_len);
	char *at = c->in, *end;

	if (n <= 0)
		die("the service hung up");
	c->in_len += (size_t)n;
	while ((end = memchr(at, '\n', c->in_len - (size_t)(at - c->in)))) {
		*end = '\0';
		take_line(c, at);
		at = end + 1;
	}
	c->in_len -= (size_t)(at - c->in);
	memmove(c->in, at, c->in_len);
}

static void send_out(struct conn *c)
{
	ssize_t n = write(c->fd, c->out, c->out_len);

	if (n < 0)
		die("write");
	memmove(c->out, c->out + n, c->out_len - (size_t)n);
	c->out_len -= (size_t)n;
}

/* ---- the run ---- */

static void open_conn(struct conn *c, unsigned int number)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", set.path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(c->fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		die(set.path);
	c->out_len =
		(size_t)(set.mode == 'a'
	                         ? snprintf(c->out, BUF_MAX, "VERSION\t1\t2\nCPID\t%u\n",
	                                    (unsigned int)getpid() * 100 + number)
	                         : snprintf(c->out, BUF_MAX, "VERSION\t1\t1\n"));
}

static void turn(struct conn *all, struct pollfd *fds)
{
	for (unsigned int i = 0; i < set.connections; i++)
		fds[i] = (struct pollfd){
			.fd = all[i].fd,
			.events = (short)(POLLIN | (all[i].out_len > 0 ? POLLOUT : 0))
		};
	if (poll(fds, set.connections, set.rate > 0 ? 1 : 100) < 0)
		die("poll");
	for (unsigned int i = 0; i < set.connections; i++) {
		if (fds[i].revents & POLLOUT)
			send_out(&all[i]);
		if (fds[i].revents & (POLLIN | POLLHUP))
			receive(&all[i]);
	}
}

static unsigned int in_flight(const struct conn *all)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < set.connections; i++)
		n += all[i].in_flight;
	return n;
}

static bool all_ready(const struct conn *all)
{
	for (unsigned int i = 0; i < set.connections; i++)
		if (!all[i].is_ready)
			return false;
	return true;
}

static void get_ready(struct conn *all, struct pollfd *fds)
{
	uint64_t end = now_us() + HANDSHAKE_US;

	while (!all_ready(all)) {
		if (now_us() > end) {
			errno = ETIMEDOUT;
			die("handshake");
		}
		turn(all, fds);
	}
	if (!set.warms)
		return;
	do {
		for (unsigned int i = 0; i < set.connections; i++)
			fill(&all[i]);
		turn(all, fds);
	} while (run.warm < set.users || in_flight(all) > 0);
}

static double measure(struct conn *all, struct pollfd *fds)
{
	uint64_t begin = now_us(), end = begin + set.span_us, took;

	run.is_counting = true;
	for (unsigned int i = 0; i < set.connections; i++)
		all[i].due_us = begin;
	while (now_us() < end) {
		for (unsigned int i = 0; i < set.connections; i++)
			fill(&all[i]);
		turn(all, fds);
	}
	took = now_us() - begin;
	/* at a fixed rate the late answers are what one wants to see */
	while (set.rate > 0 && in_flight(all) > 0 && now_us() < end + LAST_ANSWERS_US)
		turn(all, fds);
	return (double)took / 1e6;
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static unsigned int quantile(double q)
{
	return run.count ? run.took[(size_t)((double)(run.count - 1) * q)] : 0;
}

static void report(double seconds, unsigned int unanswered)
{
	qsort(run.took, run.count, sizeof(*run.took), compare);
	(void)printf("{\"done\": %zu, \"ok\": %llu, \"failed\": %llu, \"seconds\": %.3f, "
	             "\"rate\": %.1f, \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u}\n",
	             run.count, (unsigned long long)run.ok,
	             (unsigned long long)run.failed + (set.rate > 0 ? unanswered : 0),
	             seconds, (double)run.count / seconds, quantile(.5), quantile(.99),
	             quantile(1));
}

static int usage(void)
{
	(void)fputs("usage: auth_load auth|user|pass SOCKET [-c N] [-n N] [-t MS] [-u N]"
	            " [-U FMT] [-P FMT] [-r N] [-w]\n",
	            stderr);
	return 2;
}

static bool read_options(int argc, char **argv)
{
	int option;

	if (argc < 3 || !strchr("aup", argv[1][0]))
		return false;
	set.mode = argv[1][0];
	set.path = argv[2];
	optind = 3;
	while ((option = getopt(argc, argv, "c:n:t:u:U:P:r:w")) != -1) {
		unsigned int n = optarg ? (unsigned int)strtoul(optarg, NULL, 10) : 0;

		switch (option) {
		case 'c':
			set.connections = n;
			break;
		case 'n':
			set.outstanding = n;
			break;
		case 't':
			set.span_us = (uint64_t)n * 1000;
			break;
		case 'u':
			set.users = n;
			break;
		case 'U':
			set.user = optarg;
			break;
		case 'P':
			set.password = optarg;
			break;
		case 'r':
			set.rate = n;
			break;
		case 'w':
			set.warms = true;
			break;
		default:
			return false;
		}
	}
	return set.connections > 0 && set.outstanding > 0 && set.users > 0;
}

int main(int argc, char **argv)
{
	struct conn *all;
	struct pollfd *fds;
	double seconds;

	if (!read_options(argc, argv))
		return usage();
	(void)signal(SIGPIPE, SIG_IGN);
	all = calloc(set.connections, sizeof(*all));
	fds = calloc(set.connections, sizeof(*fds));
	if (!all || !fds)
		die("memory");
	for (unsigned int i = 0; i < set.connections; i++)
		open_conn(&all[i], i);
	get_ready(all, fds);
	seconds = measure(all, fds);
	report(seconds, in_flight(all));
	return 0;
}
