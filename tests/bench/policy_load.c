/* Load for a Postfix policy server: each connection acts like one smtpd, which works
 * through messages of one recipient and waits for each answer before it asks again.
 *
 *     policy_load SOCKET [options]
 *       -c N    connections                                (default 1)
 *       -t N    milliseconds                               (default 2000)
 *       -w N    milliseconds before, uncounted             (default 0)
 *       -n N    so many requests instead
 *       -u N    logins, user1@d1.example and so on; 0: none (default 1000)
 *       -d N    domains they are spread over               (default 100)
 *       -a N    client addresses, 10.0.0.0 and up in turn  (default 1000)
 *       -r N    requests a second of all connections together instead of "as fast as
 *               answered"
 *       -s rcpt|both   ask at RCPT, or at END-OF-MESSAGE too (default both)
 *
 * Prints one JSON object: done, lost, reconnects, seconds, rate, p50_us, p99_us, max_us,
 * actions (first word: how often). A request without an answer within 15 s counts as
 * lost. Exit 1 when the server cannot be reached.
 *
 * Derived from policyload.c of the same author, written for the first measurements. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 2048
#define ANSWER_MAX 2048
#define ACTIONS_MAX 16
#define EVENTS_MAX 512
#define CONNECT_TRIES 50
#define CONNECT_PAUSE_US 20000
#define LAST_ANSWERS_US 15000000

enum stage { RCPT, END };

struct conn {
	int fd;
	unsigned int number;
	bool is_waiting; /* for an answer */
	uint64_t asked_us;
	size_t in_len;
	char in[ANSWER_MAX];
	/* the message it is busy with */
	enum stage next;
	unsigned int user, address, port;
	unsigned long message, size;
	struct timespec begun;
};

static struct {
	const char *path;
	unsigned int connections, users, domains, addresses, rate;
	uint64_t span_us, warm_us, requests;
	bool asks_at_end;
} set = { .connections = 1,
	  .users = 1000,
	  .domains = 100,
	  .addresses = 1000,
	  .span_us = 2000000,
	  .asks_at_end = true };

static struct {
	int epoll_fd;
	unsigned int next_address;
	uint64_t begin_us, asked, answered, lost, reconnects, seed;
	bool is_counting;
	uint32_t *took;
	size_t count, max;
	struct {
		char word[32];
		uint64_t count;
	} actions[ACTIONS_MAX];
} run = { .seed = 2654435761u };

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
	(void)fprintf(stderr, "policy_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned int draw(unsigned int below)
{
	run.seed ^= run.seed << 13;
	run.seed ^= run.seed >> 7;
	run.seed ^= run.seed << 17;
	return below ? (unsigned int)(run.seed >> 11) % below : 0;
}

/* ---- asking ---- */

static void begin_message(struct conn *c)
{
	c->message++;
	c->next = RCPT;
	c->user = draw(set.users);
	c->address = run.next_address++ % set.addresses;
	c->port = 1024 + draw(60000);
	c->size = 1500 + draw(60000);
	(void)clock_gettime(CLOCK_REALTIME, &c->begun);
}

/* Names and order as smtpd of Postfix 3.7.11 writes them. */
static size_t put_request(struct conn *c, char out[REQUEST_MAX])
{
	bool has_login = set.users > 0, is_end = c->next == END;
	unsigned int domain = c->user % set.domains;
	char login[64] = "", queue_id[32] = "";
	int len;

	if (has_login)
		(void)snprintf(login, sizeof(login), "user%u@d%u.example", c->user,
		               domain);
	if (is_end)
		(void)snprintf(queue_id, sizeof(queue_id), "%X%05lX", 1000 + c->number,
		               c->message & 0xfffff);
	len = snprintf(
		out, REQUEST_MAX,
		"request=smtpd_access_policy\nprotocol_state=%s\nprotocol_name=ESMTP\n"
		"client_address=10.%u.%u.%u\nclient_name=host%u.pool.example\n"
		"client_port=%u\nreverse_client_name=host%u.pool.example\n"
		"server_address=192.0.2.25\nserver_port=%s\n"
		"helo_name=host%u.pool.example\nsender=user%u@d%u.example\n"
		"recipient=rcpt%lu@r%lu.example\nrecipient_count=%d\nqueue_id=%s\n"
		"instance=%x.%lx.%lx.%lx\nsize=%lu\netrn_domain=\nstress=\n"
		"sasl_method=%s\nsasl_username=%s\nsasl_sender=\nccert_subject=\n"
		"ccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"
		"encryption_protocol=%s\nencryption_cipher=%s\nencryption_keysize=%d\n"
		"policy_context=\n\n",
		is_end ? "END-OF-MESSAGE" : "RCPT", c->address >> 16 & 255,
		c->address >> 8 & 255, c->address & 255, c->address, c->port, c->address,
		has_login ? "587" : "25", c->address, c->user, domain,
		(c->message * 131 + c->number * 7919) % 100000, c->message % 100,
		is_end ? 1 : 0, queue_id, 1000 + c->number,
		(unsigned long)c->begun.tv_sec, (unsigned long)c->begun.tv_nsec / 1000,
		c->message & 0xfff, c->size, has_login ? "PLAIN" : "", login,
		has_login ? "TLSv1.3" : "", has_login ? "TLS_AES_256_GCM_SHA384" : "",
		has_login ? 256 : 0);
	return (size_t)len;
}

static void open_conn(struct conn *c)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", set.path);
	for (int i = 0; i < CONNECT_TRIES; i++) {
		c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (c->fd >= 0 &&
		    connect(c->fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
		    fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0 &&
		    epoll_ctl(run.epoll_fd, EPOLL_CTL_ADD, c->fd, &event) == 0)
			return;
		close(c->fd);
		(void)usleep(CONNECT_PAUSE_US);
	}
	die(set.path);
}

/* As smtpd does when the server hangs up: a new connection, a new try. */
static void open_again(struct conn *c)
{
	close(c->fd);
	run.lost += c->is_waiting;
	run.reconnects++;
	c->is_waiting = false;
	c->in_len = 0;
	begin_message(c);
	open_conn(c);
}

static bool may_ask(const struct conn *c)
{
	double due;

	if (c->is_waiting || (set.requests > 0 && run.asked >= set.requests))
		return false;
	due = (double)(now_us() - run.begin_us) * set.rate / 1e6;
	return set.rate == 0 || (double)run.asked < due;
}

static void ask(struct conn *c)
{
	char bytes[REQUEST_MAX];
	size_t len = put_request(c, bytes);

	c->asked_us = now_us();
	/* one request fits into any socket that waits for nothing else */
	if (send(c->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len) {
		open_again(c);
		return;
	}
	run.asked++;
	c->is_waiting = true;
}

/* ---- answers ---- */

static void note_action(const char *text)
{
	size_t len = strcspn(text, " \n"), i = 0;

	if (len >= sizeof(run.actions[0].word))
		len = sizeof(run.actions[0].word) - 1;
	while (i < ACTIONS_MAX - 1 && run.actions[i].count > 0 &&
	       (strncasecmp(run.actions[i].word, text, len) != 0 ||
	        run.actions[i].word[len] != '\0'))
		i++;
	memcpy(run.actions[i].word, text, run.actions[i].count > 0 ? 0 : len);
	run.actions[i].count++;
}

static void note(const struct conn *c, const char *answer)
{
	run.answered++;
	if (!run.is_counting)
		return;
	note_action(strncmp(answer, "action=", 7) == 0 ? answer + 7 : "malformed");
	if (run.count == run.max) {
		run.max = run.max ? run.max * 2 : 65536;
		if (!(run.took = realloc(run.took, run.max * sizeof(*run.took))))
			die("memory");
	}
	run.took[run.count++] = (uint32_t)(now_us() - c->asked_us);
}

static void receive(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, ANSWER_MAX - 1 - c->in_len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		open_again(c);
		return;
	}
	c->in_len += (size_t)n;
	c->in[c->in_len] = '\0';
	if (c->in_len < 2 || strcmp(c->in + c->in_len - 2, "\n\n") != 0)
		return;
	c->in_len = 0;
	c->is_waiting = false;
	note(c, c->in);
	if (c->next == END || !set.asks_at_end || strncmp(c->in, "action=4", 8) == 0 ||
	    strncmp(c->in, "action=5", 8) == 0)
		begin_message(c);
	else
		c->next = END;
}

/* ---- the run ---- */

static void turn(struct conn *all, bool asks)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(run.epoll_fd, events, EVENTS_MAX, set.rate > 0 ? 1 : 100);

	for (int i = 0; i < count; i++) {
		struct conn *c = events[i].data.ptr;

		receive(c);
		if (asks && set.rate == 0 && may_ask(c))
			ask(c);
	}
	if (!asks || set.rate == 0)
		return;
	for (unsigned int i = 0; i < set.connections; i++)
		if (may_ask(&all[i]))
			ask(&all[i]);
}

static unsigned int waiting(const struct conn *all)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < set.connections; i++)
		n += all[i].is_waiting;
	return n;
}

static void start(struct conn *all)
{
	if ((run.epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
		die("epoll");
	for (unsigned int i = 0; i < set.connections; i++) {
		all[i] = (struct conn){ .number = i, .message = i * 100003ul };
		begin_message(&all[i]);
		open_conn(&all[i]);
	}
	run.begin_us = now_us();
	for (unsigned int i = 0; i < set.connections; i++)
		if (may_ask(&all[i]))
			ask(&all[i]);
}

static double measure(struct conn *all)
{
	uint64_t begin = run.begin_us + set.warm_us, end = begin + set.span_us, took;

	while (now_us() < begin)
		turn(all, true);
	run.is_counting = true;
	begin = now_us();
	while (set.requests > 0 ? run.answered + run.lost < set.requests : now_us() < end)
		turn(all, true);
	took = now_us() - begin;
	/* At a fixed rate the late answers are what one wants to see; else they are
	 * waited for because there are servers that die of a peer that does not. */
	run.is_counting = set.rate > 0;
	while (waiting(all) > 0 && now_us() < end + LAST_ANSWERS_US)
		turn(all, false);
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
	(void)printf(
		"{\"done\": %zu, \"lost\": %llu, \"reconnects\": %llu, "
		"\"seconds\": %.3f, \"rate\": %.1f, \"p50_us\": %u, \"p99_us\": %u, "
		"\"max_us\": %u, \"actions\": {",
		run.count, (unsigned long long)run.lost + (set.rate > 0 ? unanswered : 0),
		(unsigned long long)run.reconnects, seconds, (double)run.count / seconds,
		quantile(.5), quantile(.99), quantile(1));
	for (size_t i = 0; i < ACTIONS_MAX && run.actions[i].count > 0; i++)
		(void)printf("%s\"%s\": %llu", i > 0 ? ", " : "", run.actions[i].word,
		             (unsigned long long)run.actions[i].count);
	(void)puts("}}");
}

static bool read_option(int option, const char *value)
{
	unsigned int n = (unsigned int)strtoul(value, NULL, 10);

	switch (option) {
	case 'c':
		set.connections = n;
		return n > 0;
	case 't':
		set.span_us = (uint64_t)n * 1000;
		return true;
	case 'w':
		set.warm_us = (uint64_t)n * 1000;
		return true;
	case 'n':
		set.requests = n;
		return n > 0;
	case 'u':
		set.users = n;
		return true;
	case 'd':
		set.domains = n;
		return n > 0;
	case 'a':
		set.addresses = n;
		return n > 0;
	case 'r':
		set.rate = n;
		return n > 0;
	case 's':
		set.asks_at_end = strcmp(value, "both") == 0;
		return set.asks_at_end || strcmp(value, "rcpt") == 0;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct conn *all;
	bool is_good = argc >= 2;
	double seconds;
	int option;

	optind = 2;
	while (is_good && (option = getopt(argc, argv, "c:t:w:n:u:d:a:r:s:")) != -1)
		is_good = option != '?' && read_option(option, optarg);
	if (!is_good || optind != argc) {
		(void)fputs(
			"usage: policy_load SOCKET [-c N] [-t MS] [-w MS] [-n N] [-u N]"
			" [-d N] [-a N] [-r N] [-s rcpt|both]\n",
			stderr);
		return 2;
	}
	set.path = argv[1];
	if (!(all = calloc(set.connections, sizeof(*all))))
		die("memory");
	start(all);
	seconds = measure(all);
	report(seconds, waiting(all));
	free(all);
	return 0;
}
