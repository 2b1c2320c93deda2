#include "../table.h"

#include <string.h>

#include "core/authres_read.h"
#include "core/buf.h"

/* want: "id|method=result[property]|..." with the property of the row. */
struct row {
	const char *label, *value, *property, *want;
};

static struct row rows[] = {
	/* clang-format off */
	/* RFC 8601 appendix B */
	{ "B.2: none", "example.org 1; none", "smtp.mailfrom", "example.org" },
	{ "B.3: a result", "example.com;\r\n  spf=pass smtp.mailfrom=example.net", "smtp.mailfrom",
	  "example.com|spf=pass[example.net]" },
	{ "B.4: comments", "example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n spf=pass smtp.mailfrom=example.net",
	  "smtp.auth", "example.com|auth=pass[sender@example.net]|spf=pass" },
	{ "B.5: several properties", "example.com; dkim=pass (good; really) header.d=example.com header.i=@mail.example.com",
	  "header.i", "example.com|dkim=pass[@mail.example.com]" },
	/* ugly */
	{ "quoted id and value", "\"mx.example\"; dkim=fail reason=\"a; b \\\" c\" header.d=\"x y\"", "header.d",
	  "mx.example|dkim=fail[x y]" },
	{ "a name in a comment is none", "a; dmarc=fail (header.from=b)", "header.from", "a|dmarc=fail" },
	{ "a name in a reason is none", "a; dmarc=fail reason=\"header.from=b\"", "header.from", "a|dmarc=fail" },
	{ "a result in a comment is none", "a (; dmarc=pass); dmarc=fail", "x", "a|dmarc=fail" },
	{ "a result in quotes is none", "a; dkim=fail reason=\"; dmarc=pass\"", "x", "a|dkim=fail" },
	{ "blanks everywhere", " a ;\n\tspf = pass  smtp.helo = b ; ; arc=none", "smtp.helo", "a|spf=pass[b]|arc=none" },
	{ "a method with its version", "a; spf/1=pass", "x", "a|spf=pass" },
	{ "the first of a name", "a; dmarc=pass header.from=b header.from=c", "HEADER.FROM", "a|dmarc=pass[b]" },
	{ "an open comment takes the rest", "a; spf=pass (x; dmarc=pass", "x", "a|spf=pass" },
	{ "an open string takes the rest", "a; spf=pass reason=\"x; dmarc=pass", "x", "a|spf=pass" },
	{ "no result", "a; spf=; dkim; arc=pass", "x", "a|arc=pass" },
	{ "a name without value ends the properties", "a; spf=pass junk smtp.helo=b", "smtp.helo", "a|spf=pass" },
	{ "no id", "; spf=pass", "x", "" },
	{ "no results", "a", "x", "" },
	{ "nothing", "", "x", "" },
	/* clang-format on */
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	struct pw_authres_item item;
	struct pw_str id, rest, value;

	if (pw_authres_open(pw_str_from(row->value), &id, &rest)) {
		pw_buf_puts(&got, id);
		while (pw_authres_next(&rest, &item)) {
			pw_buf_printf(&got, "|%.*s=%.*s", PW_FMT(item.method),
			              PW_FMT(item.result));
			value = pw_authres_property(&item, pw_str_from(row->property));
			if (value.at != NULL)
				pw_buf_printf(&got, "[%.*s]", PW_FMT(value));
		}
	}
	assert_string_equal(pw_buf_text(&got), row->want);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
