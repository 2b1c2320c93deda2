/* The guard's copy of a message: signatures that hold are fine, one that does not is
 * found, with its name. */
#include "../table.h"

#include <time.h>

#include "dkim/letter.h"
#include "mail/dkim_sign.h"

static struct pw_dkim_key *keys[PW_DKIM_ALGORITHMS];
static struct pw_dkim_lib *lib;

/* What is kept instead of what was signed; NULL = the same. */
struct row {
	const char *label, *from, *subject, *body, *selector;
	enum letter_result result;
	const char *reason;
};

#define FROM " Ann <ann@example.org>"

static struct row rows[] = {
	/* clang-format off */
	{ "the same", FROM, " Hi", "Hello\r\n", NULL, LETTER_FINE, "" },
	{ "no final line end", FROM, " Hi", "Hello", NULL, LETTER_FINE, "" },
	{ "the body was changed", FROM, " Hi", "Hallo\r\n", NULL, LETTER_BROKEN, "body hash mismatch" },
	{ "a field was changed", FROM, " Ho", "Hello\r\n", NULL, LETTER_BROKEN, "signature mismatch" },
	{ "of another key", FROM, " Hi", "Hello\r\n", "r1", LETTER_BROKEN, "signature mismatch" },
	{ "a From that libopendkim cannot read", " <>", " Hi", "Hello\r\n", NULL, LETTER_UNDECIDED,
	  "From missing or unreadable" },
	/* clang-format on */
};

static void put_signature(struct letter *letter, struct pw_dkim_signer *signer,
                          enum pw_dkim_algorithm kind, const char *selector, bool swap)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	struct pw_dkim_sign_as as = { .domain = PW_STR("example.org"),
		                      .selector = pw_str_from(selector),
		                      .key = keys[kind] };
	PW_AUTO(pw_dkim_key_free) struct pw_dkim_key *other = NULL;

	assert_int_equal(pw_dkim_key_make(&other, kind), PW_OK);
	assert_int_equal(
		pw_dkim_signer_sign(signer, &as, &value, (int64_t)time(NULL) * 1000),
		PW_OK);
	assert_int_equal(letter_signature(letter, pw_buf_str(&value), as.domain,
	                                  as.selector, swap ? other : as.key),
	                 PW_OK);
}

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_dkim_signer_free) struct pw_dkim_signer *signer = NULL;
	PW_AUTO(letter_free) struct letter *letter = NULL;
	struct letter_verdict verdict;

	assert_int_equal(pw_dkim_signer_new(&signer, 998), PW_OK);
	assert_int_equal(letter_new(&letter), PW_OK);
	assert_int_equal(
		pw_dkim_signer_header(signer, PW_STR("From"), pw_str_from(row->from)),
		PW_OK);
	assert_int_equal(pw_dkim_signer_header(signer, PW_STR("Subject"), PW_STR(" Hi")),
	                 PW_OK);
	assert_int_equal(pw_dkim_signer_body(signer, PW_STR("Hello\r\n")), PW_OK);
	assert_int_equal(letter_header(letter, PW_STR("From"), pw_str_from(row->from)),
	                 PW_OK);
	assert_int_equal(
		letter_header(letter, PW_STR("Subject"), pw_str_from(row->subject)),
		PW_OK);
	assert_int_equal(letter_body(letter, pw_str_from(row->body)), PW_OK);
	put_signature(letter, signer, PW_DKIM_RSA_SHA256, "r1", row->selector != NULL);
	put_signature(letter, signer, PW_DKIM_ED25519_SHA256, "e1", false);
	assert_int_equal(letter_verify(&verdict, letter, lib, (int64_t)time(NULL) * 1000),
	                 PW_OK);
	assert_int_equal(verdict.result, row->result);
	assert_string_equal(verdict.reason, row->reason);
	if (row->result == LETTER_BROKEN)
		assert_true(pw_str_eq(verdict.selector, PW_STR("r1")));
}

/* Larger messages are not copied: an end, and no more memory. */
static void too_large_is_an_end(void **state)
{
	PW_AUTO(letter_free) struct letter *letter = NULL;
	static char line[1024];
	size_t n = 0;

	(void)state;
	assert_int_equal(letter_new(&letter), PW_OK);
	while (letter_body(letter, (struct pw_str){ line, sizeof(line) }) == PW_OK)
		n++;
	assert_in_range(n, 500, LETTER_BYTES_MAX / sizeof(line));
	letter_free(&letter);
	assert_int_equal(letter_new(&letter), PW_OK);
	for (n = 0; letter_header(letter, PW_STR("X-A"),
	                          (struct pw_str){ line, sizeof(line) }) == PW_OK;)
		n++;
	assert_in_range(n, 400, LETTER_BYTES_MAX / sizeof(line));
}

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < PW_DKIM_ALGORITHMS; i++)
		assert_int_equal(pw_dkim_key_make(&keys[i], (enum pw_dkim_algorithm)i),
		                 PW_OK);
	assert_int_equal(pw_dkim_lib_new(&lib, 0), PW_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < PW_DKIM_ALGORITHMS; i++)
		pw_dkim_key_free(&keys[i]);
	pw_dkim_lib_free(&lib);
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		cmocka_unit_test(too_large_is_an_end),
	};

	PW_TABLE_TESTS(tests, 1, rows, check);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
