#include "../table.h"

#include "core/buf.h"
#include "core/passwd_file.h"

struct row {
	const char *label, *line;
	enum pw_status status;
	const char *want; /* user|password|gecos and each extra field */
};

static struct row rows[] = {
	{ "user alone", "ann@d.test", PW_OK, "ann@d.test||" },
	{ "user and password", "ann:{PLAIN}x", PW_OK, "ann|{PLAIN}x|" },
	{ "all", "ann:$6$s$h:5000:5000:Ann A:/srv/ann:/bin/false:nologin=y", PW_OK,
	  "ann|$6$s$h|Ann A <nologin=y>" },
	{ "colons in extra fields", "ann:x::::::userdb_quota_rule=*:bytes=1G  proxy",
	  PW_OK, "ann|x| <userdb_quota_rule=*:bytes=1G> <proxy=>" },
	{ "line end", "ann:x\r\n", PW_OK, "ann|x|" },
	{ "comment", "# ann:x", PW_ERR_NOTFOUND, "" },
	{ "blank", " \t", PW_ERR_NOTFOUND, "" },
	{ "no user", ":x:1:1", PW_ERR_SYNTAX, "" },
};

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	struct pw_passwd_entry e;
	struct pw_str name, value;

	assert_int_equal(pw_passwd_parse(&e, pw_str_from(row->line)), row->status);
	if (row->status != PW_OK)
		return;
	pw_buf_printf(&got, "%.*s|%.*s|%.*s", PW_FMT(e.user), PW_FMT(e.password),
	              PW_FMT(e.gecos));
	while (pw_passwd_next_extra(&e.extra, &name, &value))
		pw_buf_printf(&got, " <%.*s=%.*s>", PW_FMT(name), PW_FMT(value));
	assert_string_equal(pw_buf_text(&got), row->want);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
