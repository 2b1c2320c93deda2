/* What the kit asks for in the negotiation. */
#include "../table.h"

#include "kit/session.h"

static sfsistat no_verdict(struct kit_session *s)
{
	(void)s;
	return SMFIS_CONTINUE;
}

static sfsistat no_body(struct kit_session *s, struct pw_str chunk)
{
	(void)s, (void)chunk;
	return SMFIS_CONTINUE;
}

static sfsistat no_rcpt(struct kit_session *s, char **argv)
{
	(void)s, (void)argv;
	return SMFIS_CONTINUE;
}

struct row {
	const char *label;
	struct kit_daemon daemon;
	bool is_tcp;
	unsigned long offered, steps;
	unsigned no_reply;
};

#define NOT_WANTED                                                                        \
	(SMFIP_NOHELO | SMFIP_NORCPT | SMFIP_NODATA | SMFIP_NOHDRS | SMFIP_NOEOH |        \
	 SMFIP_NOBODY | SMFIP_NOUNKNOWN | SMFIP_HDR_LEADSPC)

static struct row rows[] = {
	{ "end of message only", { .calls = { .eom = no_verdict } }, false, ~0ul,
	  NOT_WANTED | SMFIP_NR_CONN | SMFIP_NR_MAIL, KIT_BIT(KIT_CONNECT) | KIT_BIT(KIT_MAIL) },
	{ "an MTA that knows nothing", { .calls = { .eom = no_verdict } }, false, 0, 0, 0 },
	{ "body without verdict", { .calls = { .eom = no_verdict, .body = no_body } }, false, ~0ul,
	  (NOT_WANTED & ~SMFIP_NOBODY) | SMFIP_NR_CONN | SMFIP_NR_MAIL | SMFIP_NR_BODY,
	  KIT_BIT(KIT_CONNECT) | KIT_BIT(KIT_MAIL) | KIT_BIT(KIT_BODY) },
	{ "recipients judged",
	  { .calls = { .eom = no_verdict, .rcpt = no_rcpt }, .verdicts = KIT_BIT(KIT_RCPT) }, false, ~0ul,
	  (NOT_WANTED & ~SMFIP_NORCPT) | SMFIP_NR_CONN | SMFIP_NR_MAIL,
	  KIT_BIT(KIT_CONNECT) | KIT_BIT(KIT_MAIL) },
	{ "over TCP only the stream", { .calls = { .eom = no_verdict, .body = no_body } }, true, ~0ul,
	  (NOT_WANTED & ~SMFIP_NOBODY) | SMFIP_NR_BODY, KIT_BIT(KIT_BODY) },
	{ "no-reply not offered", { .calls = { .eom = no_verdict } }, false,
	  ~(unsigned long)(SMFIP_NR_CONN | SMFIP_NR_MAIL), NOT_WANTED, 0 },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	unsigned no_reply = 77;

	assert_int_equal(kit_session_steps(&row->daemon, row->is_tcp, row->offered, &no_reply), row->steps);
	assert_int_equal(no_reply, row->no_reply);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
