/* Drives io/dns from standard input, for tests against real DNS servers.
 *
 *     probe_dns SERVERS
 *
 *     ask TYPE NAME      file a question
 *     drop               give up the question filed last
 *     wait MS            wait for all, one deadline; a line each, then "waited MS"
 *     storm N            eight threads, N questions each for wI.example.test, every third
 *                        dropped at once; "storm OK-COUNT OTHER-COUNT"
 *
 * A line of answer: TYPE NAME RCODE TTL record|record... */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"
#include "io/dns.h"

#define TICKETS_MAX 10000
#define THREADS 8

struct asked {
	struct pw_dns_ticket *ticket;
	enum pw_dns_type type;
	char name[300];
};

static struct pw_resolver *resolver;
static struct asked asked[TICKETS_MAX];
static size_t count;

static void must(bool claim, const char *what)
{
	if (claim)
		return;
	fprintf(stderr, "probe_dns: %s\n", what);
	exit(1);
}

static void ask(const char *type, const char *name)
{
	struct asked *a = &asked[count++];
	struct pw_dns_question q = { .name = pw_str_from(name) };

	must(count <= TICKETS_MAX, "too many questions");
	must(pw_dns_type_parse(&q.type, pw_str_from(type)) == PW_OK, "unknown type");
	a->type = q.type;
	snprintf(a->name, sizeof(a->name), "%s", name);
	must(pw_dns_ask(resolver, &q, &a->ticket) == PW_OK, "cannot ask");
}

static void print_answer(const struct asked *a, const struct pw_dns_answer *answer)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 };

	for (size_t i = 0; i < answer->count; i++) {
		const struct pw_dns_record *r = &answer->records[i];

		if (i > 0)
			pw_buf_putc(&line, '|');
		if (a->type == PW_DNS_MX)
			pw_buf_printf(&line, "%d ", r->preference);
		pw_ip_put(&line, r->ip);
		pw_buf_puts(&line, r->text);
	}
	printf("%s %s %s %u %s\n", pw_dns_type_text(a->type), a->name,
	       pw_dns_rcode_text(answer->rcode), answer->ttl_s, pw_buf_text(&line));
}

static void wait_for_all(int64_t ms)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	int64_t start_ms = pw_clock_mono_ms();

	must(pw_arena_new(&arena, 0) == PW_OK, "no memory");
	for (size_t i = 0; i < count; i++) {
		struct pw_dns_answer answer;

		if (asked[i].ticket == NULL)
			continue;
		must(pw_dns_wait(&asked[i].ticket, start_ms + ms, arena, &answer) ==
		             PW_OK,
		     "cannot wait");
		print_answer(&asked[i], &answer);
	}
	count = 0;
	printf("waited %lld\n", (long long)(pw_clock_mono_ms() - start_ms));
}

struct storm {
	pthread_t thread;
	int first, questions, fine, other;
};

static void *storm_thread(void *data)
{
	struct storm *s = data;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;

	must(pw_arena_new(&arena, 0) == PW_OK, "no memory");
	for (int i = 0; i < s->questions; i++) {
		PW_AUTO(pw_dns_drop) struct pw_dns_ticket *ticket = NULL;
		PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
		struct pw_dns_question q = { .type = PW_DNS_TXT };
		struct pw_dns_answer answer;

		pw_buf_printf(&name, "w%d.example.test", (s->first + i) % 500);
		q.name = pw_buf_str(&name);
		must(pw_dns_ask(resolver, &q, &ticket) == PW_OK, "cannot ask");
		if (i % 3 == 0)
			continue;
		must(pw_dns_wait(&ticket, pw_clock_mono_ms() + 20000, arena, &answer) ==
		             PW_OK,
		     "cannot wait");
		if (answer.rcode == PW_DNS_OK && answer.count == 1 &&
		    pw_str_eq(answer.records[0].text, q.name))
			s->fine++;
		else
			s->other++;
		pw_arena_reset(arena);
	}
	return NULL;
}

static void storm(int questions)
{
	struct storm threads[THREADS] = { 0 };
	int fine = 0, other = 0;

	for (int i = 0; i < THREADS; i++) {
		threads[i].first = i * 100;
		threads[i].questions = questions;
		must(pthread_create(&threads[i].thread, NULL, storm_thread,
		                    &threads[i]) == 0,
		     "no thread");
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i].thread, NULL);
		fine += threads[i].fine;
		other += threads[i].other;
	}
	printf("storm %d %d\n", fine, other);
}

int main(int argc, char **argv)
{
	char line[1024], type[16], name[300];
	int n;

	must(argc == 2, "usage: probe_dns SERVERS");
	must(pw_dns_open(&resolver, pw_str_from(argv[1])) == PW_OK, "cannot open");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "ask %15s %299s", type, name) == 2)
			ask(type, name);
		else if (sscanf(line, "wait %d", &n) == 1)
			wait_for_all(n);
		else if (sscanf(line, "storm %d", &n) == 1)
			storm(n);
		else if (strcmp(line, "drop\n") == 0 && count > 0)
			pw_dns_drop(&asked[count - 1].ticket);
		else
			must(false, "unknown command");
		fflush(stdout);
	}
	for (size_t i = 0; i < count; i++)
		pw_dns_drop(&asked[i].ticket);
	pw_resolver_close(&resolver);
	return 0;
}
