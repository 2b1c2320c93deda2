/* Domains as DNS carries them: samples of RFC 3492 7.1 and of the registries. */
#include "../table.h"

#include "core/punycode.h"

struct row {
	const char *label, *domain, *want; /* want NULL: refused */
	enum pw_status status;
};

#define U10                                                                              \
	"\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3"   \
	"\xbc"
#define TEN "0123456789"

static struct row rows[] = {
	/* clang-format off */
	{ "ASCII", "mail.example.org", "mail.example.org", PW_OK },
	{ "one label of several", "www.b\xc3\xbc" "cher.example", "www.xn--bcher-kva.example", PW_OK },
	{ "all labels", "\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0.\xd1\x80\xd1\x84", "xn--80a1acny.xn--p1ai", PW_OK },
	{ "sharp s stays one", "gr\xc3\xbc\xc3\x9f" "e.example", "xn--gre-6ka8l.example", PW_OK },
	{ "7.1 (A) Arabic", "\xd9\x84\xd9\x8a\xd9\x87\xd9\x85\xd8\xa7\xd8\xa8\xd8\xaa\xd9\x83\xd9\x84\xd9\x85\xd9\x88\xd8\xb4\xd8\xb9\xd8\xb1\xd8\xa8\xd9\x8a\xd8\x9f",
	  "xn--egbpdaj6bu4bxfgehfvwxn", PW_OK },
	{ "7.1 (B) Chinese", "\xe4\xbb\x96\xe4\xbb\xac\xe4\xb8\xba\xe4\xbb\x80\xe4\xb9\x88\xe4\xb8\x8d\xe8\xaf\xb4\xe4\xb8\xad\xe6\x96\x87",
	  "xn--ihqwcrb4cv8a8dqg056pqjye", PW_OK },
	{ "7.1 (L) digits and Japanese", "3\xe5\xb9\xb4" "b\xe7\xb5\x84\xe9\x87\x91\xe5\x85\xab\xe5\x85\x88\xe7\x94\x9f", "xn--3b-ww4c5e180e575a65lsy2b", PW_OK },
	{ "beyond the first plane", "\xf0\x9f\x92\xa9.example", "xn--ls8h.example", PW_OK },
	{ "not UTF-8", "b\xfc" "cher.example", NULL, PW_ERR_SYNTAX },
	{ "overlong", "\xc0\xaf.example", NULL, PW_ERR_SYNTAX },
	{ "a label too long", TEN TEN TEN TEN TEN TEN "abcd.example", NULL, PW_ERR_LIMIT },
	{ "a label too long by what it becomes", TEN TEN TEN TEN TEN "\xf0\x9f\x92\xa9" TEN ".example", NULL, PW_ERR_LIMIT },
	{ "too many letters", U10 U10 U10 U10 U10 U10 U10 ".example", NULL, PW_ERR_LIMIT },
	/* clang-format on */
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	pw_buf_puts(&out, PW_STR("@"));
	assert_int_equal(pw_domain_to_ascii(&out, pw_str_from(row->domain)), row->status);
	if (row->want)
		assert_true(pw_str_eq(pw_str_sub(pw_buf_str(&out), 1, out.len),
		                      pw_str_from(row->want)));
	else
		assert_int_equal(out.len, 1);
}

/* Back again, and what is no label. */
static struct row back_rows[] = {
	/* clang-format off */
	{ "back: ASCII", "mail.example.org", "mail.example.org", PW_OK },
	{ "back: one label", "www.xn--bcher-kva.example", "www.b\xc3\xbc" "cher.example", PW_OK },
	{ "back: capitals", "XN--Bcher-KVA", "b\xc3\xbc" "cher", PW_OK },
	{ "back: 7.1 (A) Arabic", "xn--egbpdaj6bu4bxfgehfvwxn",
	  "\xd9\x84\xd9\x8a\xd9\x87\xd9\x85\xd8\xa7\xd8\xa8\xd8\xaa\xd9\x83\xd9\x84\xd9\x85\xd9\x88\xd8\xb4\xd8\xb9\xd8\xb1\xd8\xa8\xd9\x8a\xd8\x9f", PW_OK },
	{ "back: beyond the first plane", "xn--ls8h.example", "\xf0\x9f\x92\xa9.example", PW_OK },
	{ "back: a number that ends early", "xn--bcher-k", "xn--bcher-k", PW_OK },
	{ "back: no digit", "xn--bcher-k_a", "xn--bcher-k_a", PW_OK },
	{ "back: beyond Unicode", "xn--99999999", "xn--99999999", PW_OK },
	{ "back: nothing", "xn--", "", PW_OK },
	{ "back: letters already", "b\xc3\xbc" "cher", "b\xc3\xbc" "cher", PW_OK },
	/* clang-format on */
};

static void check_back(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	pw_domain_put_unicode(&out, pw_str_from(row->domain));
	assert_string_equal(pw_buf_text(&out), row->want);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + PW_LEN(back_rows)];

	PW_TABLE_TESTS(tests, 0, rows, check);
	PW_TABLE_TESTS(tests, PW_LEN(rows), back_rows, check_back);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
