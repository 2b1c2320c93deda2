/* What it costs to find out who signs for an author, with many domains and rules.
 *
 *     probe_lookup DOMAINS
 *
 * Prints one JSON object: domains, lookup_us (a whole decision but for reading From: does
 * the address belong to the login, which rules, which keys), memory_kb (of a domain with
 * one RSA-2048 key). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "dkim/sign.h"

#define LOOKUPS 1000000

static void must(enum pw_status r)
{
	if (r != PW_OK) {
		fprintf(stderr, "probe_lookup: %s\n", pw_status_text(r));
		exit(1);
	}
}

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static long resident_kb(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (!file || fscanf(file, "%*d %ld", &pages) != 1)
		exit(1);
	(void)fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void add_domain(struct keyring *keyring, long number, struct pw_str pem)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf pattern = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct rule_row rule = { .action = PW_STR("sign") };

	pw_buf_printf(&name, "d%ld.example", number);
	pw_buf_printf(&pattern, ".d%ld.example", number);
	rule.pattern = pw_buf_str(&pattern);
	rule.domain = pw_buf_str(&name);
	must(keyring_add_key(keyring, pw_buf_str(&name), PW_STR("s1"),
	                     PW_STR("rsa-sha256"), pem, &why));
	must(keyring_add_rule(keyring, &rule));
	pw_buf_truncate(&pattern, 0);
	pw_buf_printf(&pattern, "ann@d%ld.example", number);
	must(keyring_add_sender(keyring, pw_buf_str(&pattern), pw_buf_str(&pattern)));
}

/* Half of the authors have keys of their own, half are below such a domain. */
static double look_up(const struct keyring *keyring, long domains)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	const struct sign_rules rules = { .signs_local = true };
	char from[1024][64];
	double start;

	must(pw_arena_new(&arena, 0));
	for (size_t i = 0; i < PW_LEN(from); i++)
		(void)snprintf(from[i], sizeof(from[i]), " ann@%sd%ld.example",
		               i % 2 ? "a.b." : "", rand() % domains);
	start = now_us();
	for (size_t i = 0; i < LOOKUPS; i++) {
		struct sign_message message = { .is_local = true,
			                        .from_count = 1,
			                        .from = pw_str_from(
							from[i % PW_LEN(from)]) };
		struct sign_plan plan;

		must(sign_decide(&plan, arena, &message, keyring, &rules));
		if (plan.action != SIGN_ADD)
			must(PW_ERR_STATE);
		pw_arena_reset(arena);
	}
	return (now_us() - start) / LOOKUPS;
}

int main(int argc, char **argv)
{
	static const uint8_t seed[16] = { 7 };
	long domains = argc > 1 ? strtol(argv[1], NULL, 10) : 10000, before_kb;
	PW_AUTO(keyring_free) struct keyring *keyring = NULL;
	PW_AUTO(pw_dkim_key_free) struct pw_dkim_key *key = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf pem = { 0 };
	double lookup_us;

	must(keyring_new(&keyring, seed, '+'));
	must(pw_dkim_key_make(&key, PW_DKIM_RSA_SHA256));
	must(pw_dkim_key_pem(key, &pem));
	before_kb = resident_kb();
	for (long i = 0; i < domains; i++)
		add_domain(keyring, i, pw_buf_str(&pem));
	lookup_us = look_up(keyring, domains);
	printf("{\"domains\": %ld, \"lookup_us\": %.3f, \"memory_kb\": %.2f}\n", domains,
	       lookup_us, (double)(resident_kb() - before_kb) / (double)domains);
	return 0;
}
