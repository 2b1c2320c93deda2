/* Load for a milter: each thread acts like one smtpd that takes submissions, one message
 * a connection after the other, and waits where Postfix waits.
 *
 *     milter_load SOCKET [options]
 *       -c N      connections at once                  (default 1)
 *       -t N      milliseconds                         (default 1000)
 *       -w N      milliseconds before, uncounted       (default 100)
 *       -k N      messages of one connection           (default 1)
 *       -s N      bytes of a message                   (default 10240)
 *       -f ADDR   login, envelope sender and header From
 *       -p PID    process whose CPU time is read       (default none)
 *
 * Prints one JSON object: done, seconds, rate, cpu_ms (of PID for a message), p50_us,
 * p99_us, fields (header fields the filter added), failed (messages that were not
 * accepted). Exit 1 when the milter cannot be reached or breaks the protocol.
 *
 * Derived from milterload.c of the same author, written for the first measurements. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX (1u << 20)
#define CHUNK 65535u
#define SAMPLES 200000

/* Protocol steps, as the MTA offers them and the filter picks (milter version 6). */
enum {
	NO_CONNECT = 0x1,
	NO_HELO = 0x2,
	NO_MAIL = 0x4,
	NO_RCPT = 0x8,
	NO_BODY = 0x10,
	NO_HEADERS = 0x20,
	NO_EOH = 0x40,
	NR_HEADER = 0x80,
	NO_DATA = 0x200,
	SKIP = 0x400,
	NR_CONNECT = 0x1000,
	NR_HELO = 0x2000,
	NR_MAIL = 0x4000,
	NR_RCPT = 0x8000,
	NR_DATA = 0x10000,
	NR_EOH = 0x40000,
	NR_BODY = 0x80000,
	LEADING_SPACE = 0x100000,
	OFFERED = 0x1fffff,
};

struct options {
	const char *socket, *from;
	int connections, ms, warm_ms, per_connection;
	size_t size;
	pid_t pid;
};

struct client {
	const struct options *o;
	int fd;
	uint32_t steps;
	char *out, *in;
	size_t out_len;
	size_t done, failed, fields; /* while counting */
	uint32_t *samples;
	bool is_broken;
};

static char *body;
static atomic_bool counts, stops;

static int64_t now_us(clockid_t clock)
{
	struct timespec t = { 0 };

	(void)clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool write_all(int fd, const char *at, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool read_all(int fd, char *at, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, at, len);

		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* As Postfix's VSTREAM: packets gather until an answer is waited for. */
static void put(struct client *c, char command, const char *data, size_t len)
{
	uint32_t n = htonl((uint32_t)len + 1);

	memcpy(c->out + c->out_len, &n, sizeof(n));
	c->out[c->out_len + 4] = command;
	memcpy(c->out + c->out_len + 5, data, len);
	c->out_len += 5 + len;
}

static bool flush(struct client *c)
{
	bool is_fine = write_all(c->fd, c->out, c->out_len);

	c->out_len = 0;
	return is_fine;
}

/* The letter of the next packet; 0 when there is none. */
static char take(struct client *c, size_t *len_out)
{
	uint32_t n;

	if (!read_all(c->fd, (char *)&n, sizeof(n)))
		return 0;
	n = ntohl(n);
	if (n == 0 || n > PACKET_MAX || !read_all(c->fd, c->in, n))
		return 0;
	*len_out = n - 1;
	return c->in[0];
}

/* Macros "name\0value\0..." of the command that follows. */
static void put_macros(struct client *c, char command, const char *pairs, size_t len)
{
	char text[1024];

	text[0] = command;
	memcpy(text + 1, pairs, len);
	put(c, 'D', text, len + 1);
}

/* Send a command unless the filter does not want it; wait unless it does not answer. */
static bool step(struct client *c, char command, const char *data, size_t len,
                 uint32_t unwanted, uint32_t unanswered)
{
	size_t ignored;
	char answer;

	if (c->steps & unwanted)
		return true;
	put(c, command, data, len);
	if (c->steps & unanswered)
		return true;
	if (!flush(c))
		return false;
	answer = take(c, &ignored);
	return answer == 'c' || answer == 's';
}

static bool negotiate(struct client *c)
{
	uint32_t numbers[3] = { htonl(6), htonl(0x1ff), htonl(OFFERED) };
	size_t len;

	put(c, 'O', (const char *)numbers, sizeof(numbers));
	if (!flush(c) || take(c, &len) != 'O' || len < sizeof(numbers))
		return false;
	memcpy(numbers, c->in + 1, sizeof(numbers));
	c->steps = ntohl(numbers[2]);
	return (c->steps & ~(uint32_t)OFFERED) == 0;
}

static bool say_hello(struct client *c)
{
	static const char client[] = "client.example.org\0004\x04\x00"
				     "192.0.2.10";
	static const char macros[] = "j\0mx.example.net\0{daemon_name}\0mx.example.net";

	put_macros(c, 'C', macros, sizeof(macros));
	return step(c, 'C', client, sizeof(client), NO_CONNECT, NR_CONNECT) &&
	       step(c, 'H', "client.example.org", 19, NO_HELO, NR_HELO);
}

static bool header(struct client *c, const char *name, const char *value)
{
	char text[1024];
	int n = snprintf(text, sizeof(text), "%s%c%s%s", name, 0,
	                 c->steps & LEADING_SPACE ? " " : "", value);

	return step(c, 'L', text, (size_t)n + 1, NO_HEADERS, NR_HEADER);
}

static bool headers(struct client *c)
{
	char from[300];

	(void)snprintf(from, sizeof(from), "Ann Example <%s>", c->o->from);
	return header(c, "Received",
	              "from client.example.org (client.example.org [192.0.2.10])\n"
	              "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 "
	              "bits))\n"
	              "\tby mx.example.net (Postfix) with ESMTPSA id 4gLxyz0Qj7z9\n"
	              "\tfor <dave@example.com>; Tue, 01 Dec 2026 01:02:03 +0000 "
	              "(UTC)") &&
	       header(c, "From", from) &&
	       header(c, "To",
	              "Dave <dave@example.com>, \"Eve, of Sales\" <eve@example.com>") &&
	       header(c, "Cc", "frank@example.com") &&
	       header(c, "Subject",
	              "Minutes of the meeting of Thursday, and what follows") &&
	       header(c, "Date", "Tue, 01 Dec 2026 02:02:03 +0100") &&
	       header(c, "Message-ID",
	              "<9f0c8a52-61d2-4b5e-8d3f-0c1de5a4b1f7@example.org>") &&
	       header(c, "In-Reply-To", "<CAF6rxg=abcdef0123456789@mail.example.com>") &&
	       header(c, "MIME-Version", "1.0") &&
	       header(c, "Content-Type", "text/plain; charset=utf-8; format=flowed") &&
	       header(c, "Content-Transfer-Encoding", "8bit") &&
	       header(c, "User-Agent", "Mozilla Thunderbird");
}

static bool send_body(struct client *c)
{
	for (size_t at = 0; at < c->o->size; at += CHUNK) {
		size_t n = c->o->size - at < CHUNK ? c->o->size - at : CHUNK;

		if (!step(c, 'B', body + at, n, NO_BODY, NR_BODY))
			return false;
	}
	return true;
}

/* The verdict, behind what the filter changes. */
static bool verdict(struct client *c, size_t *fields)
{
	size_t len;
	char answer;

	put_macros(c, 'E', "i\0004gLxyz0Qj7z9", 15);
	put(c, 'E', "", 0);
	if (!flush(c))
		return false;
	while ((answer = take(c, &len)) == 'h' || answer == 'i' || answer == 'm' ||
	       answer == 'p')
		*fields += answer == 'h' || answer == 'i' ? 1 : 0;
	return answer == 'a' || answer == 'c';
}

static bool message(struct client *c, size_t *fields)
{
	char text[600];
	int n = snprintf(text, sizeof(text), "{auth_type}%cPLAIN%c{auth_authen}%c%s", 0,
	                 0, 0, c->o->from);

	put_macros(c, 'M', text, (size_t)n + 1);
	n = snprintf(text, sizeof(text), "<%s>", c->o->from);
	if (!step(c, 'M', text, (size_t)n + 1, NO_MAIL, NR_MAIL) ||
	    !step(c, 'R', "<dave@example.com>", 19, NO_RCPT, NR_RCPT))
		return false;
	put_macros(c, 'T', "i\0004gLxyz0Qj7z9", 15);
	return step(c, 'T', "", 0, NO_DATA, NR_DATA) && headers(c) &&
	       step(c, 'N', "", 0, NO_EOH, NR_EOH) && send_body(c) && verdict(c, fields);
}

static bool open_connection(struct client *c)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", c->o->socket);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->out_len = 0;
	return c->fd >= 0 && connect(c->fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	       negotiate(c) && say_hello(c);
}

static void close_connection(struct client *c)
{
	put(c, 'Q', "", 0);
	(void)flush(c);
	(void)close(c->fd);
}

static void count(struct client *c, bool is_fine, size_t fields, int64_t took_us)
{
	if (!atomic_load(&counts))
		return;
	if (c->done < SAMPLES)
		c->samples[c->done] = (uint32_t)took_us;
	c->done++;
	c->failed += is_fine ? 0 : 1;
	c->fields += fields;
}

static void *run(void *arg)
{
	struct client *c = arg;

	while (!atomic_load(&stops)) {
		int64_t from_us = now_us(CLOCK_MONOTONIC);
		bool is_fine = open_connection(c);

		for (int i = 0;
		     is_fine && i < c->o->per_connection && !atomic_load(&stops); i++) {
			size_t fields = 0;

			is_fine = message(c, &fields);
			count(c, is_fine, fields, now_us(CLOCK_MONOTONIC) - from_us);
			from_us = now_us(CLOCK_MONOTONIC);
		}
		c->is_broken = c->is_broken || !is_fine;
		if (!is_fine && c->fd >= 0)
			(void)close(c->fd);
		if (!is_fine)
			return NULL;
		close_connection(c);
	}
	return NULL;
}

/* The CPU time of another process (clock_getcpuclockid(3)). */
static int64_t cpu_us(pid_t pid)
{
	clockid_t clock;

	if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0)
		return 0;
	return now_us(clock);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void tell(const struct client *clients, const struct options *o, int64_t took_us,
                 int64_t used_us)
{
	uint32_t *all = calloc((size_t)o->connections * SAMPLES, sizeof(*all));
	size_t done = 0, failed = 0, fields = 0, samples = 0;
	double seconds = (double)took_us / 1e6;

	for (int i = 0; i < o->connections; i++) {
		size_t n = clients[i].done < SAMPLES ? clients[i].done : SAMPLES;

		memcpy(all + samples, clients[i].samples, n * sizeof(*all));
		samples += n;
		done += clients[i].done;
		failed += clients[i].failed;
		fields += clients[i].fields;
	}
	qsort(all, samples, sizeof(*all), by_size);
	printf("{\"done\": %zu, \"seconds\": %.3f, \"rate\": %.1f, \"cpu_ms\": %.4f, "
	       "\"p50_us\": %u, \"p99_us\": %u, \"fields\": %zu, \"failed\": %zu}\n",
	       done, seconds, (double)done / seconds,
	       done > 0 ? (double)used_us / 1e3 / (double)done : 0, all[samples / 2],
	       all[samples * 99 / 100], fields, failed);
	free(all);
}

static void fill_body(size_t size)
{
	static const char line[] = "We met at nine; the numbers of October are  in the "
				   "second sheet, as agreed.\r\n";

	body = malloc(size + sizeof(line));
	for (size_t at = 0; at < size; at += sizeof(line) - 1)
		memcpy(body + at, line, sizeof(line) - 1);
	memcpy(body + size - 2, "\r\n", 2);
}

static bool parse(struct options *o, int argc, char **argv)
{
	int option;

	*o = (struct options){ .from = "ann@example.org",
		               .connections = 1,
		               .ms = 1000,
		               .warm_ms = 100,
		               .per_connection = 1,
		               .size = 10240 };
	while ((option = getopt(argc, argv, "c:t:w:k:s:f:p:")) != -1) {
		switch (option) {
		case 'c':
			o->connections = atoi(optarg);
			break;
		case 't':
			o->ms = atoi(optarg);
			break;
		case 'w':
			o->warm_ms = atoi(optarg);
			break;
		case 'k':
			o->per_connection = atoi(optarg);
			break;
		case 's':
			o->size = strtoul(optarg, NULL, 10);
			break;
		case 'f':
			o->from = optarg;
			break;
		case 'p':
			o->pid = atoi(optarg);
			break;
		default:
			return false;
		}
	}
	o->socket = argv[optind];
	return optind + 1 == argc && o->connections > 0 && o->size >= 2 && o->ms > 0;
}

int main(int argc, char **argv)
{
	struct options o;
	struct client *clients;
	pthread_t *threads;
	int64_t from_us, cpu_from_us, took_us, used_us;
	bool is_broken = false;

	if (!parse(&o, argc, argv)) {
		fprintf(stderr, "usage: milter_load SOCKET [options]\n");
		return 2;
	}
	fill_body(o.size);
	clients = calloc((size_t)o.connections, sizeof(*clients));
	threads = calloc((size_t)o.connections, sizeof(*threads));
	for (int i = 0; i < o.connections; i++) {
		clients[i] =
			(struct client){ .o = &o,
			                 .fd = -1,
			                 .out = malloc(o.size * 2 + PACKET_MAX),
			                 .in = malloc(PACKET_MAX),
			                 .samples = calloc(SAMPLES, sizeof(uint32_t)) };
		pthread_create(&threads[i], NULL, run, &clients[i]);
	}
	usleep((useconds_t)o.warm_ms * 1000);
	cpu_from_us = cpu_us(o.pid);
	from_us = now_us(CLOCK_MONOTONIC);
	atomic_store(&counts, true);
	usleep((useconds_t)o.ms * 1000);
	atomic_store(&counts, false);
	used_us = cpu_us(o.pid) - cpu_from_us;
	took_us = now_us(CLOCK_MONOTONIC) - from_us;
	atomic_store(&stops, true);
	for (int i = 0; i < o.connections; i++) {
		pthread_join(threads[i], NULL);
		is_broken = is_broken || clients[i].is_broken;
	}
	tell(clients, &o, took_us, used_us);
	return is_broken ? 1 : 0;
}
