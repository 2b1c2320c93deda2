/* The guard and its alarms: letters with a signature that does not hold, as postward-dkim
 * would hand them over.
 *
 *     probe_guard CONNINFO DOMAIN COUNT
 *
 * Ends when all COUNT letters were looked at and what there is to write was tried. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "dkim/counters.h"
#include "dkim/guard.h"
#include "mail/dkim_sign.h"

static void must(enum pw_status r)
{
	if (r != PW_OK) {
		fprintf(stderr, "probe_guard: %s\n", pw_status_text(r));
		exit(1);
	}
}

/* The guard gets another body than was signed. */
static struct letter *broken_letter(struct pw_str domain, const struct pw_dkim_key *key)
{
	PW_AUTO(pw_dkim_signer_free) struct pw_dkim_signer *signer = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	const struct pw_dkim_sign_as as = { .domain = domain,
		                            .selector = PW_STR("s1"),
		                            .key = key };
	struct letter *letter;

	must(pw_dkim_signer_new(&signer, 998));
	must(letter_new(&letter));
	must(pw_dkim_signer_header(signer, PW_STR("From"), PW_STR(" <ann@example.org>")));
	must(letter_header(letter, PW_STR("From"), PW_STR(" <ann@example.org>")));
	must(pw_dkim_signer_body(signer, PW_STR("Hello\r\n")));
	must(letter_body(letter, PW_STR("Hallo\r\n")));
	must(pw_dkim_signer_sign(signer, &as, &value, (int64_t)time(NULL) * 1000));
	must(letter_signature(letter, pw_buf_str(&value), domain, as.selector, key));
	must(letter_name(letter, "4fQ2xT1z9Yz"));
	return letter;
}

int main(int argc, char **argv)
{
	const struct pw_db_config db = { .conninfo = argc > 1 ? argv[1] : "",
		                         .program = "postward-dkim",
		                         .connect_timeout_ms = 2000,
		                         .statement_timeout_ms = 2000 };
	struct pw_dkim_key *key;
	struct guard *guard;
	long count;

	if (argc != 4 || (count = strtol(argv[3], NULL, 10)) <= 0)
		return 2;
	must(pw_dkim_key_make(&key, PW_DKIM_ED25519_SHA256));
	must(guard_start(&guard, &db));
	for (long i = 0; i < count; i++) {
		struct letter *letter = broken_letter(pw_str_from(argv[2]), key);

		guard_take(guard, &letter);
		while (pw_count_get(&counters, COUNT_guard_broken) +
		               pw_count_get(&counters, COUNT_guard_undecided) <=
		       i)
			(void)usleep(1000);
	}
	guard_stop(&guard);
	pw_dkim_key_free(&key);
	printf("%lld\n", (long long)pw_count_get(&counters, COUNT_guard_broken));
	return 0;
}
