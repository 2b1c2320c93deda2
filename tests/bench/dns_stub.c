/* DNS for a closed network: a neutral world in which names agree, nobody has published
 * anything, and no list lists anybody, so that scores come from the message alone.
 *
 *     dns_stub PORT [options]
 *       -z FILE   zones of lists, one a line: every name below does not exist
 *       -d N      milliseconds between question and answer; answers do not wait for
 *                 each other                                      (default 0)
 *       -c FILE   what was asked, by kind: written when it is ready, at SIGTERM and at
 *                 SIGUSR1, each time from nothing
 *
 *     PTR of an IPv4 address a.b.c.d   p-a-b-c-d.rev.test, whose A is that address
 *     A of any other name              198.51.100.25
 *     MX, NS                           mx.rev.test, ns.rev.test
 *     TXT, and names with _ or in arpa do not exist: no SPF, DKIM, DMARC
 *     any other type                   no data
 *
 * Negative answers carry an SOA: without one resolvers ask again. 127.0.0.1 only, UDP. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX 1024
#define NAME_MAX_BYTES 256
#define ZONES_MAX 200
#define WAITING_MAX 65536 /* answers */
#define KINDS_MAX 400

enum {
	TYPE_A = 1,
	TYPE_NS = 2,
	TYPE_SOA = 6,
	TYPE_PTR = 12,
	TYPE_MX = 15,
	TYPE_TXT = 16
};

struct answer {
	int64_t due_ms;
	struct sockaddr_in to;
	size_t len;
	uint8_t data[PACKET_MAX];
};

struct kind {
	char name[NAME_MAX_BYTES + 16];
	unsigned long count;
};

static char *zones[ZONES_MAX];
static size_t zone_count, kind_count;
static struct kind kinds[KINDS_MAX];
static struct answer *waiting; /* a ring, in the order they are due */
static size_t first_waiting, waiting_count;
static volatile sig_atomic_t told;

static void on_signal(int number)
{
	told = number;
}

static int64_t now_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *zone_of(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < zone_count; i++) {
		size_t n = strlen(zones[i]);

		if (len >= n && strcmp(name + len - n, zones[i]) == 0 &&
		    (len == n || name[len - n - 1] == '.'))
			return zones[i];
	}
	return NULL;
}

static const char *type_text(unsigned type)
{
	static const struct {
		unsigned type;
		const char *text;
	} names[] = { { TYPE_A, "A" },     { TYPE_NS, "NS" }, { TYPE_SOA, "SOA" },
		      { TYPE_PTR, "PTR" }, { TYPE_MX, "MX" }, { TYPE_TXT, "TXT" },
		      { 28, "AAAA" },      { 99, "SPF" },     { 33, "SRV" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].type == type)
			return names[i].text;
	return "other";
}

/* A question counts for its list, for what its name is about, or for its type alone. */
static void count(const char *name, unsigned type)
{
	char text[sizeof(kinds[0].name)];
	const char *zone = zone_of(name);
	const char *about = zone != NULL                       ? zone
	                    : strncmp(name, "_dmarc.", 7) == 0 ? "_dmarc"
	                    : strstr(name, "._domainkey.")     ? "_domainkey"
	                    : strstr(name, ".arpa")            ? "arpa"
	                                                       : "-";
	size_t i = 0;

	(void)snprintf(text, sizeof(text), "%s %s", about, type_text(type));
	while (i < kind_count && strcmp(kinds[i].name, text) != 0)
		i++;
	if (i == KINDS_MAX)
		return;
	if (i == kind_count)
		(void)snprintf(kinds[kind_count++].name, sizeof(text), "%s", text);
	kinds[i].count++;
}

static void write_counts(const char *path)
{
	char part[4096];
	FILE *file;

	if (path == NULL)
		return;
	(void)snprintf(part, sizeof(part), "%s.new", path);
	if ((file = fopen(part, "w")) == NULL)
		return;
	for (size_t i = 0; i < kind_count; i++)
		(void)fprintf(file, "%s %lu\n", kinds[i].name, kinds[i].count);
	(void)fclose(file);
	(void)rename(part, path); /* who waits for the file finds all of it */
	kind_count = 0;
	memset(kinds, 0, sizeof(kinds));
}

static size_t put_name(uint8_t *out, const char *name)
{
	size_t len = 0;

	while (*name != '\0') {
		size_t label = strcspn(name, ".");

		out[len++] = (uint8_t)label;
		memcpy(out + len, name, label);
		len += label;
		name += label + (name[label] == '.');
	}
	out[len++] = 0;
	return len;
}

static size_t put_record(uint8_t *out, unsigned type, const uint8_t *data, size_t len)
{
	const uint8_t head[12] = {
		0xc0, 12, (uint8_t)(type >> 8), (uint8_t)type, 0, 1, 0, 0,
		1,    44, (uint8_t)(len >> 8),  (uint8_t)len
	};

	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head), data, len);
	return sizeof(head) + len;
}

static size_t put_soa(uint8_t *out)
{
	static const uint8_t times[20] = { 0, 0,   0, 1, 0,  0,   14, 16, 0, 0,
		                           3, 132, 0, 1, 81, 128, 0,  0,  1, 44 };
	uint8_t data[64];
	size_t len = put_name(data, "ns.rev.test");

	len += put_name(data + len, "h.rev.test");
	memcpy(data + len, times, sizeof(times));
	return put_record(out, TYPE_SOA, data, len + sizeof(times));
}

static bool exists(const char *name, unsigned type)
{
	if (*name == '\0' || zone_of(name) != NULL)
		return false;
	if (type == TYPE_PTR)
		return true;
	return type != TYPE_TXT && *name != '_' && strstr(name, "._") == NULL &&
	       strstr(name, ".arpa") == NULL;
}

/* The record of an answer behind the question; 0: there is none of that type. */
static size_t put_answer(uint8_t *out, const char *name, unsigned type)
{
	unsigned a, b, c, d;
	uint8_t data[80] = { 0, 10 };
	char text[64];

	switch (type) {
	case TYPE_PTR:
		if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa", &d, &c, &b, &a) != 4)
			return 0;
		(void)snprintf(text, sizeof(text), "p-%u-%u-%u-%u.rev.test", a, b, c, d);
		return put_record(out, type, data, put_name(data, text));
	case TYPE_A:
		if (sscanf(name, "p-%3u-%3u-%3u-%3u.rev.test", &a, &b, &c, &d) != 4)
			a = 198, b = 51, c = 100, d = 25;
		return put_record(out, type,
		                  (const uint8_t[]){ (uint8_t)a, (uint8_t)b, (uint8_t)c,
		                                     (uint8_t)d },
		                  4);
	case TYPE_MX:
		return put_record(out, type, data, 2 + put_name(data + 2, "mx.rev.test"));
	case TYPE_NS:
		return put_record(out, type, data, put_name(data, "ns.rev.test"));
	default:
		return 0;
	}
}

/* The name of the question in lower case; where it ends, or 0. */
static size_t read_name(const uint8_t *data, size_t len, char *name)
{
	size_t at = 12, n = 0;

	while (at < len && data[at] > 0) {
		size_t label = data[at];

		if (label > 63 || at + 1 + label >= len || n + label + 2 > NAME_MAX_BYTES)
			return 0;
		if (n > 0)
			name[n++] = '.';
		for (size_t i = 1; i <= label; i++)
			name[n++] = (char)tolower(data[at + i]);
		at += 1 + label;
	}
	name[n] = '\0';
	return at + 5 <= len ? at + 1 : 0;
}

/* Turns a question into its answer; false: it is none. */
static bool reply(struct answer *a)
{
	char name[NAME_MAX_BYTES];
	size_t at = a->len >= 17 ? read_name(a->data, a->len, name) : 0;
	size_t record;
	unsigned type;
	bool is_there;

	if (at == 0 || (a->data[2] & 0x80) != 0)
		return false;
	type = (unsigned)a->data[at] << 8 | a->data[at + 1];
	count(name, type);
	is_there = exists(name, type);
	a->len = at + 4;
	record = is_there ? put_answer(a->data + a->len, name, type) : 0;
	a->data[2] = (uint8_t)(0x84 | (a->data[2] & 1));
	a->data[3] = is_there ? 0x80 : 0x83;
	memcpy(a->data + 4,
	       (const uint8_t[8]){ 0, 1, 0, record > 0, 0, record == 0, 0, 0 }, 8);
	a->len += record > 0 ? record : put_soa(a->data + a->len);
	return true;
}

static void take(int fd, int64_t delay_ms)
{
	struct answer *a;
	socklen_t len = sizeof(a->to);
	ssize_t n;

	while (waiting_count < WAITING_MAX) {
		a = &waiting[(first_waiting + waiting_count) % WAITING_MAX];
		n = recvfrom(fd, a->data, 512, MSG_DONTWAIT, (struct sockaddr *)&a->to,
		             &len);
		if (n < 0)
			return;
		a->len = (size_t)n;
		a->due_ms = now_ms() + delay_ms;
		if (reply(a))
			waiting_count++;
	}
}

static void send_due(int fd)
{
	while (waiting_count > 0 && waiting[first_waiting].due_ms <= now_ms()) {
		struct answer *a = &waiting[first_waiting];

		(void)sendto(fd, a->data, a->len, 0, (struct sockaddr *)&a->to,
		             sizeof(a->to));
		first_waiting = (first_waiting + 1) % WAITING_MAX;
		waiting_count--;
	}
}

static bool load_zones(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[NAME_MAX_BYTES];

	if (file == NULL)
		return false;
	while (zone_count < ZONES_MAX && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, " \t\r\n#")] = '\0';
		if (*line != '\0')
			zones[zone_count++] = strdup(line);
	}
	(void)fclose(file);
	return true;
}

static int listen_on(const char *port)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = 4 << 20;
	struct sockaddr_in here = { .sin_family = AF_INET,
		                    .sin_port = htons((uint16_t)atoi(port)),
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) != 0)
		return -1;
	return fd;
}

static void serve(int fd, int64_t delay_ms, const char *counts)
{
	while (told != SIGTERM) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int64_t wait_ms = 1000;

		if (waiting_count > 0)
			wait_ms = waiting[first_waiting].due_ms - now_ms();
		(void)poll(&poll_fd, 1, wait_ms < 0 ? 0 : (int)wait_ms);
		take(fd, delay_ms);
		send_due(fd);
		if (told == SIGUSR1) {
			told = 0;
			write_counts(counts);
		}
	}
	write_counts(counts);
}

int main(int argc, char **argv)
{
	const char *counts = NULL;
	struct sigaction act = { .sa_handler = on_signal };
	int option, fd, delay_ms = 0;
	bool is_fine = true;

	while ((option = getopt(argc, argv, "z:d:c:")) != -1) {
		if (option == 'z')
			is_fine = is_fine && load_zones(optarg);
		else if (option == 'd')
			delay_ms = atoi(optarg);
		else if (option == 'c')
			counts = optarg;
		else
			is_fine = false;
	}
	if (!is_fine || optind + 1 != argc) {
		fprintf(stderr, "usage: dns_stub PORT [-z FILE] [-d MS] [-c FILE]\n");
		return 2;
	}
	(void)sigaction(SIGTERM, &act, NULL);
	(void)sigaction(SIGUSR1, &act, NULL);
	waiting = calloc(WAITING_MAX, sizeof(*waiting));
	if (waiting == NULL || (fd = listen_on(argv[optind])) < 0) {
		perror("dns_stub");
		return 1;
	}
	write_counts(counts);
	serve(fd, delay_ms, counts);
	return 0;
}
