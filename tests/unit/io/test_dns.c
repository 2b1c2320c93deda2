/* Without a DNS server that answers: a bound socket nobody reads is where questions end.
 * Real servers: tests/integration/test_dns.py. */
#include "../table.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/dns.h"

struct silence {
	int fd;
	struct pw_resolver *resolver;
};

static void open_silence(struct silence *s)
{
	PW_AUTO(pw_buf_done) struct pw_buf server = { 0 };
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&addr, &len), 0);
	pw_buf_printf(&server, "127.0.0.1@%d", ntohs(addr.sin_port));
	assert_int_equal(pw_dns_open(&s->resolver, pw_buf_str(&server)), PW_OK);
}

static void close_silence(struct silence *s)
{
	pw_resolver_close(&s->resolver);
	assert_null(s->resolver);
	close(s->fd);
}

static void ask(struct silence *s, const char *name, struct pw_dns_ticket **ticket)
{
	struct pw_dns_question q = { .type = PW_DNS_TXT, .name = pw_str_from(name) };

	assert_int_equal(pw_dns_ask(s->resolver, &q, ticket), PW_OK);
}

static void one_deadline_for_all_questions(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_dns_ticket *tickets[20] = { 0 };
	struct silence s;
	int64_t start_ms, took_ms;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	open_silence(&s);
	for (size_t i = 0; i < PW_LEN(tickets); i++)
		ask(&s, i % 2 ? "a.example" : "b.example", &tickets[i]);
	start_ms = pw_clock_mono_ms();
	for (size_t i = 0; i < PW_LEN(tickets); i++) {
		struct pw_dns_answer answer = { 0 };

		assert_int_equal(
			pw_dns_wait(&tickets[i], start_ms + 1000, arena, &answer), PW_OK);
		assert_int_equal(answer.rcode, PW_DNS_TIMEOUT);
		assert_true(pw_dns_is_error(&answer));
		assert_null(tickets[i]);
	}
	took_ms = pw_clock_mono_ms() - start_ms;
	assert_in_range((uintmax_t)took_ms, 1000, 10000); /* not one each */
	close_silence(&s);
}

static void past_deadline_is_a_timeout_at_once(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_dns_ticket *ticket = NULL;
	struct pw_dns_answer answer = { 0 };
	struct silence s;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	open_silence(&s);
	ask(&s, "a.example", &ticket);
	assert_int_equal(pw_dns_wait(&ticket, pw_clock_mono_ms() - 1000, arena, &answer),
	                 PW_OK);
	assert_int_equal(answer.rcode, PW_DNS_TIMEOUT);
	close_silence(&s);
}

/* The sanitizers watch: nothing leaks, nothing is used after it was freed. */
static void dropped_questions_and_close_in_flight(void **state)
{
	struct pw_dns_ticket *tickets[50] = { 0 };
	struct silence s;

	(void)state;
	open_silence(&s);
	for (size_t i = 0; i < PW_LEN(tickets); i++)
		ask(&s, i % 3 ? "a.example" : "b.example", &tickets[i]);
	for (size_t i = 0; i < PW_LEN(tickets); i += 2)
		pw_dns_drop(&tickets[i]);
	for (size_t i = 1; i < PW_LEN(tickets); i += 2)
		pw_dns_drop(&tickets[i]);
	pw_dns_drop(&tickets[0]); /* NULL is fine */
	close_silence(&s);
}

/* A ticket that outlives the resolver is freed by its holder all the same. */
static void ticket_dropped_after_close(void **state)
{
	struct pw_dns_ticket *ticket = NULL;
	struct silence s;

	(void)state;
	open_silence(&s);
	ask(&s, "a.example", &ticket);
	close_silence(&s);
	pw_dns_drop(&ticket);
}

static void too_many_questions_fail_at_once(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	static struct pw_dns_ticket *tickets[PW_DNS_IN_FLIGHT_MAX + 1];
	struct pw_dns_answer answer = { 0 };
	struct silence s;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	open_silence(&s);
	for (size_t i = 0; i < PW_LEN(tickets); i++)
		ask(&s, "a.example", &tickets[i]);
	assert_int_equal(pw_dns_wait(&tickets[PW_DNS_IN_FLIGHT_MAX],
	                             pw_clock_mono_ms() + 60000, arena, &answer),
	                 PW_OK);
	assert_int_equal(answer.rcode, PW_DNS_SERVFAIL);
	for (size_t i = 0; i < PW_DNS_IN_FLIGHT_MAX; i++)
		pw_dns_drop(&tickets[i]);
	close_silence(&s);
}

static struct name_row {
	const char *label, *name;
} name_rows[] = {
	{ "empty label", "a..example" },
	{ "empty name", "" },
	{ "label of 64",
	  "a123456789b123456789c123456789d123456789e123456789f123456789g123.example" },
};

/* Names that DNS cannot carry do not exist, and nobody is asked. */
static void check_name(void **state)
{
	const struct name_row *row = *state;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_dns_question q = { .type = PW_DNS_A, .name = pw_str_from(row->name) };
	struct pw_dns_answer answer = { 0 };
	struct silence s;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	open_silence(&s);
	assert_int_equal(
		pw_dns_lookup(s.resolver, &q, pw_clock_mono_ms() + 5000, arena, &answer),
		PW_OK);
	assert_int_equal(answer.rcode, PW_DNS_NXDOMAIN);
	close_silence(&s);
}

static struct server_row {
	const char *label, *servers;
	enum pw_status status;
} server_rows[] = {
	{ "one", "192.0.2.53", PW_OK },
	{ "port", "192.0.2.53@5353", PW_OK },
	{ "list", "192.0.2.53, 2001:db8::53@53 ,192.0.2.54", PW_OK },
	{ "name", "ns.example", PW_ERR_CONFIG },
	{ "one of two wrong", "192.0.2.53,x", PW_ERR_CONFIG },
	{ "port of letters", "192.0.2.53@dns", PW_ERR_CONFIG },
	{ "port too large", "192.0.2.53@70000", PW_ERR_CONFIG },
};

static void check_servers(void **state)
{
	const struct server_row *row = *state;
	struct pw_resolver *resolver = NULL;

	assert_int_equal(pw_dns_open(&resolver, pw_str_from(row->servers)), row->status);
	assert_int_equal(resolver != NULL, row->status == PW_OK);
	pw_resolver_close(&resolver);
}

int main(void)
{
	struct CMUnitTest tests[5 + PW_LEN(name_rows) + PW_LEN(server_rows)] = {
		cmocka_unit_test(one_deadline_for_all_questions),
		cmocka_unit_test(past_deadline_is_a_timeout_at_once),
		cmocka_unit_test(dropped_questions_and_close_in_flight),
		cmocka_unit_test(ticket_dropped_after_close),
		cmocka_unit_test(too_many_questions_fail_at_once),
	};

	PW_TABLE_TESTS(tests, 5, name_rows, check_name);
	PW_TABLE_TESTS(tests, 5 + PW_LEN(name_rows), server_rows, check_servers);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
