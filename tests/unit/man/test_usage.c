#include "../table.h"

#include "man/usage.h"

struct row {
	const char *label, *usage, *page;
};

#define HEAD ".Ss \"\\&postwardctl x\"\n"
#define LIST ".Bl -tag -width Ds\n"

/* clang-format off */
static struct row rows[] = {
	{ "nothing", "", HEAD },
	{ "synopsis", "usage: postwardctl x [OPTION...]\n       postwardctl x --y\n",
	  HEAD ".Dl \"\\&postwardctl x [OPTION...]\"\n.Dl \"\\&postwardctl x \\-\\-y\"\n" },
	{ "synopsis that goes on", "usage: postwardctl x A\n           [B]\n", HEAD ".Dl \"\\&postwardctl x A [B]\"\n" },
	{ "text", "usage: postwardctl x\nSome words\nand more.\n       postwardctl x --y\n",
	  HEAD ".Dl \"\\&postwardctl x\"\n.Pp\nSome words and more.\n.Pp\n.Dl \"\\&postwardctl x \\-\\-y\"\n" },
	{ "two paragraphs", "One.\n\nTwo.\n", HEAD ".Pp\nOne.\n.Pp\nTwo.\n" },
	{ "option", "  --json   for programs\n", HEAD LIST ".It Fl \"\\&\\-json\"\nfor programs\n.El\n" },
	{ "option with an argument", "  --ip ADDRESS      the client\n                    of SMTP\n",
	  HEAD LIST ".It Fl \"\\&\\-ip\" Ar \"\\&ADDRESS\"\nthe client of SMTP\n.El\n" },
	{ "one blank only", "  --database CONNINFO where it is\n",
	  HEAD LIST ".It Fl \"\\&\\-database\" Ar \"\\&CONNINFO\"\nwhere it is\n.El\n" },
	{ "several options", "  --ip A --from F   the envelope\n",
	  HEAD LIST ".It Fl \"\\&\\-ip\" Ar \"\\&A\" Fl \"\\&\\-from\" Ar \"\\&F\"\nthe envelope\n.El\n" },
	{ "choice", "  --role single|edge what it is\n",
	  HEAD LIST ".It Fl \"\\&\\-role\" Cm \"\\&single|edge\"\nwhat it is\n.El\n" },
	{ "help in capitals behind a gap", "  --dns NAME   DNS it is\n",
	  HEAD LIST ".It Fl \"\\&\\-dns\" Ar \"\\&NAME\"\nDNS it is\n.El\n" },
	{ "short option", "  -n   nothing\n", HEAD LIST ".It Fl \"\\&n\"\nnothing\n.El\n" },
	{ "word", "  status    what is\n", HEAD LIST ".It Cm \"\\&status\"\nwhat is\n.El\n" },
	{ "help on the next line", "  --long\n      words\n", HEAD LIST ".It Fl \"\\&\\-long\"\nwords\n.El\n" },
	{ "no help", "  --bare\n  --json  x\n", HEAD LIST ".It Fl \"\\&\\-bare\"\n.It Fl \"\\&\\-json\"\nx\n.El\n" },
	{ "text ends a list", "  --json  x\nexit code 0\n", HEAD LIST ".It Fl \"\\&\\-json\"\nx\n.El\n.Pp\nexit code 0\n" },
	{ "no line end", "Text", HEAD ".Pp\nText\n" },
	{ "a request", "usage: .Sh\n.Sh NAME\n  .Sh  .Sh\n",
	  HEAD ".Dl \"\\&.Sh\"\n.Pp\n\\&.Sh NAME\n" LIST ".It Cm \"\\&.Sh\"\n\\&.Sh\n.El\n" },
	{ "blanks at the end", "  --json   x  \n  --y  \n", HEAD LIST ".It Fl \"\\&\\-json\"\nx\n.It Fl \"\\&\\-y\"\n.El\n" },
};
/* clang-format on */

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	pw_buf_printf(&text, "\fx\n%s", row->usage);
	usage_put_commands(&out, pw_buf_str(&text));
	assert_int_equal(pw_buf_status(&out), PW_OK);
	assert_string_equal(pw_buf_text(&out), row->page);
}

static void commands_follow_each_other(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	usage_put_commands(&out, PW_STR("\fone\nA.\n\ftwo\n  --b  c\n\fthree\n"));
	assert_string_equal(pw_buf_text(&out), ".Ss \"\\&postwardctl one\"\n.Pp\nA.\n"
	                                       ".Ss \"\\&postwardctl two\"\n" LIST
	                                       ".It Fl \"\\&\\-b\"\nc\n.El\n"
	                                       ".Ss \"\\&postwardctl three\"\n");
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	tests[PW_LEN(rows)] =
		(struct CMUnitTest)cmocka_unit_test(commands_follow_each_other);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
