/* Links in text and taken apart; the samples of hosts are those of the WHATWG's URL
 * standard where it has any. Inputs 7, 8 and 27 of the list of bad ones: bytes that are
 * no UTF-8, NUL, mixes of A- and U-labels. */
#include "../table.h"

#include <string.h>

#include "core/url.h"
#include "core/url_known.h"

struct host_row {
	const char *label, *url, *want;
	unsigned tricks;
	bool is_address;
};

/* clang-format off */
static struct host_row host_rows[] = {
	{ "plain",                  "http://Example.ORG/a",            "example.org", 0, false },
	{ "trailing dot",           "http://example.org./",            "example.org", 0, false },
	{ "escaped letters",        "http://ex%61mple%2Eorg/",         "example.org", PW_URL_ESCAPED, false },
	{ "escaped slash stays",    "http://ex%2fample.org/",          "ex%2fample.org", PW_URL_ESCAPED, false },
	{ "no escape",              "http://ex%zzample.org/",          "ex%25zzample.org", 0, false },
	{ "dotted quad",            "http://192.0.2.1/",               "192.0.2.1", 0, true },
	{ "decimal",                "http://3221225985/",              "192.0.2.1", PW_URL_NUMBER, true },
	{ "hexadecimal",            "http://0xC0000201/",              "192.0.2.1", PW_URL_NUMBER, true },
	{ "octal",                  "http://0300.0.02.01/",            "192.0.2.1", PW_URL_NUMBER, true },
	{ "mixed",                  "http://0xc0.0.513/",              "192.0.2.1", PW_URL_NUMBER, true },
	{ "two parts",              "http://192.513/",                 "192.0.2.1", PW_URL_NUMBER, true },
	{ "0x alone is zero",       "http://192.0.2.0x/",              "192.0.2.0", PW_URL_NUMBER, true },
	{ "too large a number",     "http://4294967296/",              "4294967296", 0, false },
	{ "too large a part",       "http://256.0.2.1/",               "256.0.2.1", 0, false },
	{ "five parts",             "http://1.2.3.4.5/",               "1.2.3.4.5", 0, false },
	{ "a name that begins so",  "http://0xyz.example/",            "0xyz.example", 0, false },
	{ "IPv6",                   "http://[2001:DB8::1]:81/",        "2001:db8::1", 0, true },
	{ "bracket never closed",   "http://[2001/",                   "%5b2001", 0, false },
	{ "U-label",                "http://B\xc3\xbc" "cher.example/", "xn--bcher-kva.example", 0, false },
	{ "capital U-label",        "http://B\xc3\x9c" "CHER.example/", "xn--bcher-kva.example", 0, false },
	{ "escaped U-label",        "http://b%C3%BCcher.example/",     "xn--bcher-kva.example", PW_URL_ESCAPED, false },
	{ "Cyrillic a in Latin",    "http://p\xd0\xb0ypal.com/",       "xn--pypal-4ve.com", PW_URL_LOOKALIKE, false },
	{ "the same as A-label",    "http://xn--pypal-4ve.com/",       "xn--pypal-4ve.com", PW_URL_LOOKALIKE, false },
	{ "all look-alikes",        "http://xn--80ak6aa92e.com/",      "xn--80ak6aa92e.com", PW_URL_LOOKALIKE, false },
	{ "honest Russian",         "http://xn--80a1acny.xn--p1ai/",   "xn--80a1acny.xn--p1ai", 0, false },
	{ "honest Japanese",        "http://xn--3b-ww4c5e180e575a65lsy2b.example/", "xn--3b-ww4c5e180e575a65lsy2b.example", 0, false },
	{ "scripts in two labels",  "http://xn--80a1acny.com/",        "xn--80a1acny.com", 0, false },
	{ "zero width space",       "http://exa\xe2\x80\x8bmple.org/", "example.org", PW_URL_INVISIBLE, false },
	{ "escaped soft hyphen",    "http://exa%C2%ADmple.org/",       "example.org", PW_URL_ESCAPED | PW_URL_INVISIBLE, false },
	{ "ideographic stop",       "http://example\xe3\x80\x82org/",  "example.org", PW_URL_WIDE, false },
	{ "full width",             "http://\xef\xbd\x85x.org/",       "ex.org", PW_URL_WIDE, false },
	{ "not UTF-8 (7)",          "http://ex\xff.org/",              "ex%ff.org", 0, false },
	{ "defanged",               "hxxp://example[.]org/x",          "example.org", PW_URL_DEFANGED, false },
	{ "backslashes",            "http:\\\\example.org\\x",         "example.org", PW_URL_BACKSLASH, false },
	{ "user part",              "http://bank.example@evil.example/", "evil.example", 0, false },
	{ "two @",                  "http://a@b@evil.example/",        "evil.example", 0, false },
	{ "@ behind the path",      "http://evil.example/@bank",       "evil.example", 0, false },
	{ "one slash",              "http:/example.org",               "example.org", 0, false },
	{ "no scheme",              "//example.org/x",                 "example.org", 0, false },
};
/* clang-format on */

static void check_host(void **state)
{
	const struct host_row *row = *state;
	struct pw_url_host host;
	struct pw_url url;

	assert_true(pw_url_parse(&url, pw_str_from(row->url)));
	pw_url_host_read(&host, &url);
	assert_int_equal(host.len, strlen(row->want));
	assert_memory_equal(host.at, row->want, host.len);
	assert_int_equal(host.tricks, row->tricks);
	assert_int_equal(host.ip.family != PW_IP_NONE, row->is_address);
}

struct part_row {
	const char *label, *url;
	const char *scheme, *user, *host, *port, *path, *query;
};

/* clang-format off */
static struct part_row part_rows[] = {
	{ "all parts",     " https://u:p@h.example:81/a?b=c#d\r\n", "https", "u:p", "h.example", "81", "/a?b=c#d", "b=c" },
	{ "query alone",   "http://h?x", "http", "", "h", "", "?x", "x" },
	{ "? in fragment", "http://h/#a?b", "http", "", "h", "", "/#a?b", "" },
	{ "www",           "www.h.example", "", "", "www.h.example", "", "", "" },
	{ "mailto",        "mailto:a@b?subject=x", "mailto", "", "", "", "a@b?subject=x", "subject=x" },
	{ "relative",      "x/y", "", "", "", "", "", "" },
	{ "nothing",       "", "", "", "", "", "", "" },
	{ "no host",       "http:///", "http", "", "", "", "", "" },
};
/* clang-format on */

static void same(struct pw_str got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	if (got.len > 0)
		assert_memory_equal(got.at, want, got.len);
}

static void check_parts(void **state)
{
	const struct part_row *row = *state;
	struct pw_url url;

	assert_int_equal(pw_url_parse(&url, pw_str_from(row->url)), row->host[0] != '\0');
	same(url.scheme, row->scheme);
	same(url.user, row->user);
	same(url.host, row->host);
	same(url.port, row->port);
	same(url.path, row->path);
	same(url.query, row->query);
}

/* What is found in text: links with a blank between them, bare ones behind "~". */
struct text_row {
	const char *label, *text, *want;
};

/* clang-format off */
static struct text_row text_rows[] = {
	{ "two",                  "see http://a.example/x and https://b.example.", "http://a.example/x https://b.example" },
	{ "end of sentence",      "Is it http://a.example/x?", "http://a.example/x" },
	{ "in brackets",          "(see http://a.example/x)", "http://a.example/x" },
	{ "brackets of its own",  "http://a.example/x_(y)", "http://a.example/x_(y)" },
	{ "in angle brackets",    "<http://a.example/x>", "http://a.example/x" },
	{ "in quotes",            "\xe2\x80\x9chttp://a.example/x\xe2\x80\x9d", "http://a.example/x" },
	{ "no-break space",       "http://a.example/x\xc2\xa0next", "http://a.example/x" },
	{ "Japanese stop",        "http://a.example/x\xe3\x80\x82" "abc", "http://a.example/x" },
	{ "Japanese dot in host", "http://a\xe3\x80\x82" "example/x", "http://a\xe3\x80\x82" "example/x" },
	{ "www",                  "go to www.a.example now", "www.a.example" },
	{ "inside of a word",     "xhttp://a.example awww.b.example", "" },
	{ "hxxp",                 "hxxps://a[.]example/x", "hxxps://a[.]example/x" },
	{ "only a scheme",        "http:// is not a link", "" },
	{ "bare with a path",     "go to Shop.top/sale now", "~Shop.top/sale" },
	{ "bare at the end",      "buy at example.com.", "~example.com" },
	{ "bare in brackets",     "(www1.example.net)", "~www1.example.net" },
	{ "a file",               "run main.py and x.sh, node.js", "" },
	{ "a member",             "s.dev = list.top;", "" },
	{ "an address",           "ann@example.com", "" },
	{ "a local part",         "ann.example.com@b", "" },
	{ "unknown domain",       "example.invalid", "" },
	{ "behind bytes (7)",     "\xff http://a.example/\xff", "http://a.example/\xff" },
};
/* clang-format on */

static void check_text(void **state)
{
	const struct text_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf found = { 0 };
	struct pw_str url;
	bool is_bare;

	for (size_t pos = 0; pw_url_next(pw_str_from(row->text), &pos, &url, &is_bare);) {
		if (found.len > 0)
			pw_buf_putc(&found, ' ');
		if (is_bare)
			pw_buf_putc(&found, '~');
		pw_buf_puts(&found, url);
	}
	assert_string_equal(pw_buf_text(&found), row->want);
}

struct known_row {
	const char *label, *url;
	const char *target; /* NULL: no redirector */
	bool has_address;   /* ann@example.org */
};

/* clang-format off */
static struct known_row known_rows[] = {
	{ "redirector",            "https://www.google.com/url?sa=t&q=https%3A%2F%2Fevil.example", "https%3A%2F%2Fevil.example", false },
	{ "target not in clear",   "https://www.bing.com/ck/a?u=a1aHR0", "", false },
	{ "the same for a search", "https://www.google.com/search?q=http", NULL, false },
	{ "q that leads nowhere",  "https://www.youtube.com/redirect?q=cats", NULL, false },
	{ "its name as a suffix",  "https://notgoogle.com/url?q=http://x", NULL, false },
	{ "address",               "http://h/?e=Ann@Example.ORG&x", NULL, true },
	{ "address escaped",       "http://h/ann%40example.org", NULL, true },
	{ "address in base64",     "http://h/x?YW5uQGV4YW1wbGUub3Jn", NULL, true },
	{ "behind a slash",        "http://h/abcd/YW5uQGV4YW1wbGUub3Jn=", NULL, true },
	{ "behind a fragment",     "http://h/#YW5uQGV4YW1wbGUub3Jn", NULL, true },
	{ "another's address",     "http://h/?e=joann@example.com", NULL, false },
	{ "another's in base64",   "http://h/x?am9lQGV4YW1wbGUub3Jn", NULL, false },
};
/* clang-format on */

static void check_known(void **state)
{
	const struct known_row *row = *state;
	const struct pw_mailbox ann = { PW_STR("ann"), PW_STR("example.org") };
	struct pw_str target;
	struct pw_url url;

	assert_true(pw_url_parse(&url, pw_str_from(row->url)));
	assert_int_equal(pw_url_is_redirect(&url, url.host, &target),
	                 row->target != NULL);
	same(target, row->target != NULL ? row->target : "");
	assert_int_equal(pw_url_has_address(&url, &ann), row->has_address);
}

static void printed_and_parsed_again(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_url url;

	(void)state;
	assert_true(pw_url_parse(&url, PW_STR("HTTP:\\\\u@EX%61mple.org:81/A?b")));
	pw_url_put(&out, &url);
	assert_string_equal(pw_buf_text(&out), "http://u@example.org:81/A?b");
}

static void a_link_has_an_end(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_str url;
	size_t pos = 0, links = 0;
	bool is_bare;

	(void)state;
	pw_buf_puts(&text, PW_STR("http://a.example/"));
	for (int i = 0; i < 100000; i++)
		pw_buf_putc(&text, 'a');
	while (pw_url_next(pw_buf_str(&text), &pos, &url, &is_bare)) {
		assert_true(url.len <= PW_URL_MAX);
		links++;
	}
	assert_int_equal(links, 1);
}

/* Input 8: NUL ends nothing but the link. */
static void nul_is_a_blank(void **state)
{
	struct pw_str url;
	size_t pos = 0;
	bool is_bare;

	(void)state;
	assert_true(pw_url_next(PW_STR("a\0http://a.example/\0x"), &pos, &url, &is_bare));
	same(url, "http://a.example/");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(host_rows) + PW_LEN(part_rows) +
	                        PW_LEN(text_rows) + PW_LEN(known_rows) + 3] = {
		cmocka_unit_test(printed_and_parsed_again),
		cmocka_unit_test(a_link_has_an_end),
		cmocka_unit_test(nul_is_a_blank),
	};
	size_t at = 3;

	PW_TABLE_TESTS(tests, at, host_rows, check_host);
	at += PW_LEN(host_rows);
	PW_TABLE_TESTS(tests, at, part_rows, check_parts);
	at += PW_LEN(part_rows);
	PW_TABLE_TESTS(tests, at, text_rows, check_text);
	at += PW_LEN(text_rows);
	PW_TABLE_TESTS(tests, at, known_rows, check_known);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
