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
 *       -l FILE   mail from elsewhere instead, in turns, each on a connection of its
 *                 own: a line each, of client address (IPv4), client name, HELO,
 *                 sender, recipient and file, with tabs between
 *       -o FILE   each mail of -l once, however long it takes; a line each: its number
 *                 in the list, the filter's last letter, microseconds, X-Spam-Status
 *                 and X-Spamd-Result as one line each, with tabs between
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
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX (1u << 20)
#define CHUNK 65535u
#define SAMPLES 200000
#define PENDING_MAX (256u << 10) /* bytes that wait for the next answer */
#define VALUE_MAX 60000u
#define TOLD 2

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
	const char *list, *verdicts;
};

struct field {
	char *name, *value; /* value with the leading blank; folds as LF */
};

/* One of -l. */
struct mail {
	const char *ip, *client, *helo, *sender, *recipient;
	struct field *fields;
	size_t field_count;
	char *body;
	size_t body_len;
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
	const struct mail *mail;  /* NULL: the message of our own */
	char letter, *told[TOLD]; /* the verdict, and what was said beside it */
};

static char *body;
static struct mail *mails;
static size_t mail_count;
static atomic_size_t next_mail;
static FILE *verdicts;
static pthread_mutex_t verdicts_lock = PTHREAD_MUTEX_INITIALIZER;
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
	char text[2048];

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
		return c->out_len < PENDING_MAX || flush(c);
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

/* "%s\0%s\0" for each pair, behind what is there. */
static size_t add_pairs(char *out, size_t len, const char *const *pairs)
{
	for (; *pairs != NULL; pairs++)
		len += (size_t)sprintf(out + len, "%s", *pairs) + 1;
	return len;
}

static bool say_hello(struct client *c)
{
	static const struct mail own = { .ip = "192.0.2.10",
		                         .client = "client.example.org",
		                         .helo = "client.example.org" };
	const struct mail *m = c->mail != NULL ? c->mail : &own;
	char macros[2048], client[1024], both[600];
	size_t len, macros_len;

	(void)snprintf(both, sizeof(both), "%s [%s]", m->client, m->ip);
	macros_len = add_pairs(macros, 0,
	                       (const char *[]){ "j", "mx.example.net", "{daemon_name}",
	                                         "mx.example.net", "_", both,
	                                         "{client_addr}", m->ip, "{client_name}",
	                                         m->client, "{client_ptr}", m->client,
	                                         "{client_resolve}", "OK", NULL });
	len = (size_t)sprintf(client, "%s", m->client) + 1;
	memcpy(client + len, "4\x04\x00", 3);
	len += 3 + (size_t)sprintf(client + len + 3, "%s", m->ip) + 1;
	put_macros(c, 'C', macros, macros_len);
	return step(c, 'C', client, len, NO_CONNECT, NR_CONNECT) &&
	       step(c, 'H', m->helo, strlen(m->helo) + 1, NO_HELO, NR_HELO);
}

static bool header(struct client *c, const char *name, const char *value)
{
	char text[1024];
	int n = snprintf(text, sizeof(text), "%s%c%s%s", name, 0,
	                 c->steps & LEADING_SPACE ? " " : "", value);

	return step(c, 'L', text, (size_t)n + 1, NO_HEADERS, NR_HEADER);
}

/* Those of a mail of -l, as they came. */
static bool mail_headers(struct client *c)
{
	char text[VALUE_MAX + 1024];

	for (size_t i = 0; i < c->mail->field_count; i++) {
		const struct field *f = &c->mail->fields[i];
		const char *value = f->value;
		int n;

		if (!(c->steps & LEADING_SPACE))
			value += strspn(value, " \t");
		n = snprintf(text, sizeof(text), "%s%c%s", f->name, 0, value);
		if (!step(c, 'L', text, (size_t)n + 1, NO_HEADERS, NR_HEADER))
			return false;
	}
	return true;
}

static bool headers(struct client *c)
{
	char from[300];

	if (c->mail != NULL)
		return mail_headers(c);
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
	const char *text = c->mail != NULL ? c->mail->body : body;
	size_t size = c->mail != NULL ? c->mail->body_len : c->o->size;

	for (size_t at = 0; at < size; at += CHUNK) {
		size_t n = size - at < CHUNK ? size - at : CHUNK;

		if (!step(c, 'B', text + at, n, NO_BODY, NR_BODY))
			return false;
	}
	return true;
}

/* Keep what the filter says of the score: X-Spam-Status of ours, X-Spamd-Result. */
static void keep(struct client *c, const char *field, size_t len)
{
	static const char *const names[TOLD] = { "X-Spam-Status", "X-Spamd-Result" };
	size_t name_len = strnlen(field, len);

	for (int i = 0; i < TOLD; i++) {
		if (name_len == len || strcasecmp(field, names[i]) != 0)
			continue;
		free(c->told[i]);
		c->told[i] = strndup(field + name_len + 1, len - name_len - 1);
		for (char *at = c->told[i]; *at != '\0'; at++)
			*at = (unsigned char)*at < ' ' ? ' ' : *at;
	}
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
	       answer == 'p' || answer == 'q') {
		size_t skip = answer == 'h' ? 1 : 5; /* behind the index */

		*fields += answer == 'h' || answer == 'i' ? 1 : 0;
		if ((answer == 'h' || answer == 'i') && c->mail != NULL && len + 1 > skip)
			keep(c, c->in + skip, len + 1 - skip);
	}
	c->letter = answer;
	if (c->mail != NULL) /* what is refused was judged, too */
		return answer != 0 && strchr("acrydt", answer) != NULL;
	return answer == 'a' || answer == 'c';
}

static bool envelope(struct client *c)
{
	char text[1200], sender[320], recipient[320];
	size_t len;

	(void)snprintf(sender, sizeof(sender), "<%.300s>",
	               c->mail != NULL ? c->mail->sender : c->o->from);
	(void)snprintf(recipient, sizeof(recipient), "<%.300s>",
	               c->mail != NULL ? c->mail->recipient : "dave@example.com");
	len = add_pairs(text, 0,
	                c->mail != NULL
	                        ? (const char *[]){ "i", "4gLxyz0Qj7z9", "{mail_addr}",
	                                            c->mail->sender, NULL }
	                        : (const char *[]){ "{auth_type}", "PLAIN",
	                                            "{auth_authen}", c->o->from, NULL });
	put_macros(c, 'M', text, len);
	return step(c, 'M', sender, strlen(sender) + 1, NO_MAIL, NR_MAIL) &&
	       step(c, 'R', recipient, strlen(recipient) + 1, NO_RCPT, NR_RCPT);
}

static bool message(struct client *c, size_t *fields)
{
	if (!envelope(c))
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

static void tell_verdict(struct client *c, size_t number, int64_t took_us)
{
	(void)pthread_mutex_lock(&verdicts_lock);
	(void)fprintf(verdicts, "%zu\t%c\t%lld", number, c->letter, (long long)took_us);
	for (int i = 0; i < TOLD; i++)
		(void)fprintf(verdicts, "\t%s", c->told[i] != NULL ? c->told[i] : "");
	(void)fputc('\n', verdicts);
	(void)pthread_mutex_unlock(&verdicts_lock);
}

/* The next of -l; false: with -o, each had its turn. */
static bool pick_mail(struct client *c, size_t *number_out)
{
	size_t number = atomic_fetch_add(&next_mail, 1);

	if (mail_count == 0)
		return true;
	if (verdicts != NULL && number >= mail_count)
		return false;
	*number_out = number;
	c->mail = &mails[number % mail_count];
	for (int i = 0; i < TOLD; i++) {
		free(c->told[i]);
		c->told[i] = NULL;
	}
	return true;
}

static void *run(void *arg)
{
	struct client *c = arg;
	size_t number = 0;

	while (!atomic_load(&stops) && pick_mail(c, &number)) {
		int64_t from_us = now_us(CLOCK_MONOTONIC);
		bool is_fine = open_connection(c);

		for (int i = 0;
		     is_fine && i < c->o->per_connection && !atomic_load(&stops); i++) {
			size_t fields = 0;

			is_fine = message(c, &fields);
			count(c, is_fine, fields, now_us(CLOCK_MONOTONIC) - from_us);
			if (verdicts != NULL && is_fine)
				tell_verdict(c, number,
				             now_us(CLOCK_MONOTONIC) - from_us);
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

/* The whole file, with NUL behind; NULL if it cannot be read. */
static char *read_file(const char *path, size_t *len_out)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	long size = -1;

	if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 &&
	    fseek(file, 0, SEEK_SET) == 0)
		text = malloc((size_t)size + 1);
	if (text != NULL) {
		*len_out = fread(text, 1, (size_t)size, file);
		text[*len_out] = '\0';
	}
	if (file != NULL)
		(void)fclose(file);
	return text;
}

/* One field of a header with LF, unless the header ends at `at`. */
static bool read_field(char **at, struct field *out)
{
	size_t name = strcspn(*at, ":\n \t"), blank = strspn(*at + name, " \t");
	char *end = strchr(*at, '\n');

	if (name == 0 || (*at)[name + blank] != ':')
		return false;
	while (end != NULL && (end[1] == ' ' || end[1] == '\t'))
		end = strchr(end + 1, '\n');
	if (end == NULL)
		end = *at + strlen(*at);
	out->name = strndup(*at, name);
	*at += name + blank + 1;
	out->value = strndup(*at, (size_t)(end - *at) < VALUE_MAX ? (size_t)(end - *at)
	                                                          : VALUE_MAX);
	*at = end + (*end == '\n');
	return true;
}

/* Postfix hands over a body with CRLF. */
static void set_body(struct mail *m, const char *text, size_t len)
{
	m->body = malloc(len * 2 + 2);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			m->body[m->body_len++] = '\r';
		m->body[m->body_len++] = text[i];
	}
	if (len > 0 && text[len - 1] != '\n') {
		memcpy(m->body + m->body_len, "\r\n", 2);
		m->body_len += 2;
	}
}

static bool load_mail(struct mail *m, const char *path)
{
	size_t len = 0, room = 0;
	char *text = read_file(path, &len), *at = text;
	struct field field;

	if (text == NULL)
		return false;
	while (read_field(&at, &field)) {
		if (m->field_count == room) {
			room = room == 0 ? 32 : room * 2;
			m->fields = realloc(m->fields, room * sizeof(field));
		}
		m->fields[m->field_count++] = field;
	}
	at += *at == '\n';
	set_body(m, at, len - (size_t)(at - text));
	free(text);
	return true;
}

static bool load_list(const char *path)
{
	size_t len = 0, room = 0;
	char *text = read_file(path, &len), *line = text, *next;

	for (; line != NULL && *line != '\0'; line = next) {
		struct mail m = { .ip = line };
		const char **parts[] = { &m.client, &m.helo, &m.sender, &m.recipient };

		for (size_t i = 0; i <= 4; i++) {
			if ((line = strchr(line, '\t')) == NULL)
				return false;
			*line++ = '\0';
			if (i < 4)
				*parts[i] = line;
		}
		next = line + strcspn(line, "\n");
		if (*next == '\n')
			*next++ = '\0';
		if (mail_count == room)
			mails = realloc(mails, (room = room * 2 + 64) * sizeof(m));
		if (!load_mail(&m, line))
			return false;
		mails[mail_count++] = m;
	}
	return mail_count > 0; /* their texts lie in `text` */
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
	while ((option = getopt(argc, argv, "c:t:w:k:s:f:p:l:o:")) != -1) {
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
		case 'l':
			o->list = optarg;
			break;
		case 'o':
			o->verdicts = optarg;
			break;
		default:
			return false;
		}
	}
	if (o->list != NULL)
		o->per_connection = 1;
	o->socket = argv[optind];
	return optind + 1 == argc && o->connections > 0 && o->size >= 2 && o->ms > 0 &&
	       (o->verdicts == NULL || o->list != NULL);
}

/* Until the time is over; with -o until each mail had its turn. */
static void wait_for(const struct options *o, const pthread_t *threads)
{
	if (o->verdicts == NULL)
		usleep((useconds_t)o->ms * 1000);
	for (int i = 0; o->verdicts != NULL && i < o->connections; i++)
		pthread_join(threads[i], NULL);
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
	if ((o.list != NULL && !load_list(o.list)) ||
	    (o.verdicts != NULL && (verdicts = fopen(o.verdicts, "w")) == NULL)) {
		fprintf(stderr, "milter_load: %s: cannot be read or written\n", o.list);
		return 2;
	}
	atomic_store(&counts, verdicts != NULL);
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
	if (verdicts == NULL)
		usleep((useconds_t)o.warm_ms * 1000);
	cpu_from_us = cpu_us(o.pid);
	from_us = now_us(CLOCK_MONOTONIC);
	atomic_store(&counts, true);
	wait_for(&o, threads);
	atomic_store(&counts, false);
	used_us = cpu_us(o.pid) - cpu_from_us;
	took_us = now_us(CLOCK_MONOTONIC) - from_us;
	atomic_store(&stops, true);
	for (int i = 0; i < o.connections; i++) {
		if (verdicts == NULL)
			pthread_join(threads[i], NULL);
		is_broken = is_broken || clients[i].is_broken;
	}
	if (verdicts != NULL && fclose(verdicts) != 0)
		is_broken = true;
	tell(clients, &o, took_us, used_us);
	return is_broken ? 1 : 0;
}
