/* Load for a mail server: so many SMTP sessions, each with one mail after the other,
 * every command answered before the next is sent. It knows nothing of what is behind the
 * port.
 *
 *     smtp_load HOST PORT [options]
 *       -s N    sessions at once                       (default 1)
 *       -t N    milliseconds; a mail begun is finished (default 2000)
 *       -l N    bytes of a mail                        (default 10000)
 *       -k N    mails of a connection                  (default 1)
 *       -b A,.. client addresses, used in turn         (default: the kernel's choice)
 *       -f A    sender                                 (load@sender.test)
 *       -r A    recipient                              (ann@example.test)
 *
 * Prints one JSON object: done, ok, tempfail, permfail, broken, seconds, rate, p50_ms,
 * p99_ms, max_ms. A mail's time is from connect to its final reply; with more than one a
 * connection from MAIL to its final reply. Exit 1 when a mail was not taken.
 *
 * Derived from smtpload.c of the same author, written for the first measurements. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SOURCES_MAX 64
#define SESSIONS_MAX 2000
#define LINE_BYTES 1024
#define PATIENCE_S 120
#define STACK_BYTES ((size_t)256 * 1024)
#define ID_DIGITS 12

static struct {
	const char *host, *from, *to;
	int port;
	size_t sessions, size, mails, sources;
	uint64_t span_us;
	struct in_addr source[SOURCES_MAX];
} set = { .from = "load@sender.test",
	  .to = "ann@example.test",
	  .sessions = 1,
	  .size = 10000,
	  .mails = 1,
	  .span_us = 2000000 };

/* One thread. */
struct session {
	pthread_t thread;
	size_t number;
	int fd;
	size_t at, len; /* of in */
	char in[4096];
	char *mail, *id; /* id: where the digits of its Message-ID stand */
	size_t mail_len;
	uint64_t ok, tempfail, permfail, broken, last_us;
	uint32_t *took;
	size_t count, max;
};

static uint64_t begin_us;

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* The code of the next reply; -1 when the server is gone. */
static int reply(struct session *s)
{
	char line[LINE_BYTES];
	size_t len = 0;

	for (;;) {
		char c;

		if (s->at == s->len) {
			ssize_t got = recv(s->fd, s->in, sizeof(s->in), 0);

			if (got <= 0)
				return -1;
			s->at = 0;
			s->len = (size_t)got;
		}
		c = s->in[s->at++];
		if (c != '\n') {
			if (len < sizeof(line) - 1)
				line[len++] = c;
			continue;
		}
		line[len] = '\0';
		if (len < 4 || line[3] != '-')
			return atoi(line);
		len = 0;
	}
}

static int tell(struct session *s, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(s->fd, bytes, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return -1;
		bytes += sent;
		len -= (size_t)sent;
	}
	return reply(s);
}

static int command(struct session *s, const char *format, const char *value)
{
	char line[LINE_BYTES];
	int len = snprintf(line, sizeof(line), format, value);

	return tell(s, line, (size_t)len);
}

static void hang_up(struct session *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* 250 when the session is greeted. */
static int dial(struct session *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)set.port) };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int on = 1, code;

	s->at = s->len = 0;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		die("socket");
	(void)setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (set.sources > 0) {
		struct sockaddr_in from = { .sin_family = AF_INET };

		from.sin_addr = set.source[(s->number + s->count) % set.sources];
		(void)setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
		                 sizeof(on));
		if (bind(s->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
			die("bind");
	}
	if (inet_pton(AF_INET, set.host, &to.sin_addr) != 1)
		die(set.host);
	if (connect(s->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		return -1;
	if ((code = reply(s)) != 220)
		return code;
	return command(s, "EHLO %s\r\n", "load.sender.test");
}

/* The code that decided the mail. */
static int transaction(struct session *s)
{
	char digits[ID_DIGITS + 1];
	int code;

	(void)snprintf(digits, sizeof(digits), "%04u%08u",
	               (unsigned int)s->number % 10000u,
	               (unsigned int)s->count % 100000000u);
	memcpy(s->id, digits, ID_DIGITS);
	if ((code = command(s, "MAIL FROM:<%s>\r\n", set.from)) != 250 ||
	    (code = command(s, "RCPT TO:<%s>\r\n", set.to)) != 250)
		return code;
	if ((code = command(s, "DATA%s\r\n", "")) != 354)
		return code;
	return tell(s, s->mail, s->mail_len);
}

static void note(struct session *s, int code, uint64_t took_us)
{
	if (s->count == s->max) {
		s->max = s->max ? s->max * 2 : 1024;
		s->took = realloc(s->took, s->max * sizeof(*s->took));
		if (!s->took)
			die("realloc");
	}
	s->took[s->count++] = (uint32_t)took_us;
	s->ok += code == 250;
	s->tempfail += code / 100 == 4;
	s->permfail += code / 100 == 5;
	s->broken += code != 250 && code / 100 != 4 && code / 100 != 5;
}

static void write_mail(struct session *s)
{
	int len;

	s->mail = malloc(set.size + LINE_BYTES);
	if (!s->mail)
		die("malloc");
	len = snprintf(s->mail, LINE_BYTES,
	               "From: Load <%s>\r\nTo: <%s>\r\nSubject: load\r\nDate: Sat, 21 "
	               "Nov 2026 00:00:00 "
	               "+0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
	               "charset=utf-8\r\n"
	               "Message-ID: <%0*d@sender.test>\r\n\r\n",
	               set.from, set.to, ID_DIGITS, 0);
	s->mail_len = (size_t)len;
	s->id = strstr(s->mail, "Message-ID: <") + strlen("Message-ID: <");
	while (s->mail_len < set.size) {
		static const char text[] = "The quick brown fox jumps over the lazy dog, "
		                           "and the dog sleeps on.\r\n";

		memcpy(s->mail + s->mail_len, text, sizeof(text) - 1);
		s->mail_len += sizeof(text) - 1;
	}
	memcpy(s->mail + s->mail_len, ".\r\n", 3);
	s->mail_len += 3;
}

static void *live(void *user)
{
	struct session *s = user;
	size_t done = 0;

	write_mail(s);
	s->fd = -1;
	while (now_us() - begin_us < set.span_us) {
		uint64_t start_us = now_us();
		int code = 250;

		if (s->fd < 0) {
			code = dial(s);
			done = 0;
			if (set.mails > 1)
				start_us = now_us();
		}
		if (code == 250)
			code = transaction(s);
		s->last_us = now_us();
		note(s, code, s->last_us - start_us);
		if (++done < set.mails && code == 250)
			continue;
		if (code > 0)
			(void)command(s, "QUIT%s\r\n", "");
		hang_up(s);
	}
	if (s->fd >= 0)
		(void)command(s, "QUIT%s\r\n", "");
	hang_up(s);
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int report(struct session *sessions)
{
	uint64_t ok = 0, tempfail = 0, permfail = 0, broken = 0, last_us = begin_us;
	size_t count = 0;
	uint32_t *took;
	double seconds;

	for (size_t i = 0; i < set.sessions; i++)
		count += sessions[i].count;
	took = calloc(count + 1, sizeof(*took));
	if (!took)
		die("calloc");
	count = 0;
	for (size_t i = 0; i < set.sessions; i++) {
		const struct session *s = &sessions[i];

		memcpy(took + count, s->took, s->count * sizeof(*took));
		count += s->count;
		ok += s->ok;
		tempfail += s->tempfail;
		permfail += s->permfail;
		broken += s->broken;
		last_us = s->last_us > last_us ? s->last_us : last_us;
	}
	qsort(took, count, sizeof(*took), by_size);
	seconds = (double)(last_us - begin_us) / 1e6;
	printf("{\"done\": %zu, \"ok\": %llu, \"tempfail\": %llu, \"permfail\": %llu, "
	       "\"broken\": %llu, "
	       "\"seconds\": %.3f, \"rate\": %.1f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
	       "\"max_ms\": "
	       "%.2f}\n",
	       count, (unsigned long long)ok, (unsigned long long)tempfail,
	       (unsigned long long)permfail, (unsigned long long)broken, seconds,
	       seconds > 0 ? (double)ok / seconds : 0, took[count / 2] / 1e3,
	       took[(size_t)((double)count * 0.99)] / 1e3,
	       count ? took[count - 1] / 1e3 : 0);
	return ok == count && count > 0 ? 0 : 1;
}

static void sources(char *list)
{
	for (char *a = strtok(list, ","); a && set.sources < SOURCES_MAX;
	     a = strtok(NULL, ","))
		if (inet_pton(AF_INET, a, &set.source[set.sources++]) != 1)
			die(a);
}

static void parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "s:t:l:k:b:f:r:")) != -1)
		switch (option) {
		case 's':
			set.sessions = strtoul(optarg, NULL, 10);
			break;
		case 't':
			set.span_us = strtoull(optarg, NULL, 10) * 1000;
			break;
		case 'l':
			set.size = strtoul(optarg, NULL, 10);
			break;
		case 'k':
			set.mails = strtoul(optarg, NULL, 10);
			break;
		case 'b':
			sources(optarg);
			break;
		case 'f':
			set.from = optarg;
			break;
		case 'r':
			set.to = optarg;
			break;
		default:
			exit(2);
		}
	if (argc - optind != 2 || set.sessions == 0 || set.sessions > SESSIONS_MAX) {
		(void)fprintf(stderr, "usage: smtp_load [options] HOST PORT\n");
		exit(2);
	}
	set.host = argv[optind];
	set.port = atoi(argv[optind + 1]);
}

int main(int argc, char **argv)
{
	struct session *sessions;
	pthread_attr_t small;

	parse(argc, argv);
	sessions = calloc(set.sessions, sizeof(*sessions));
	if (!sessions || pthread_attr_init(&small) != 0 ||
	    pthread_attr_setstacksize(&small, STACK_BYTES) != 0)
		die("threads");
	begin_us = now_us();
	for (size_t i = 0; i < set.sessions; i++) {
		sessions[i].number = i;
		if (pthread_create(&sessions[i].thread, &small, live, &sessions[i]) != 0)
			die("thread");
	}
	for (size_t i = 0; i < set.sessions; i++)
		(void)pthread_join(sessions[i].thread, NULL);
	return report(sessions);
}
