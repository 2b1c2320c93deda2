#include "../table.h"

#include <string.h>

#include "core/header.h"
#include "core/score_text.h"
#include "io/file.h"
#include "mail/judge.h"

#define FOLDER PW_SOURCE_DIR "/tests/vectors/score/"
#define NOW_S 1795249800 /* 2026-11-21 08:30 UTC */

static struct pw_psl *psl;

static bool is_ours(const void *user, struct pw_str domain)
{
	(void)user;
	return pw_str_eq_nocase(domain, PW_STR("ours.example"));
}

/* What the checks say about a message, without any verification. */
static void run(struct pw_hits *hits, struct pw_arena *arena, struct pw_str text,
                const struct pw_envelope *envelope, const struct pw_auth *auth)
{
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;
	struct pw_header field;
	struct pw_check check;

	assert_int_equal(pw_message_new(&m, arena), PW_OK);
	while (pw_header_next(&text, &field))
		assert_int_equal(pw_message_field(m, field.name, field.value), PW_OK);
	assert_int_equal(pw_message_eoh(m), PW_OK);
	assert_int_equal(pw_message_body(m, text), PW_OK);
	assert_int_equal(pw_message_end(m), PW_OK);
	memset(hits, 0, sizeof(*hits));
	check = (struct pw_check){
		.message = m,
		.envelope = envelope,
		.auth = auth,
		.psl = psl,
		.is_local_domain = is_ours,
		.arena = arena,
		.hits = hits,
		.now_s = NOW_S,
	};
	pw_checks_content(&check);
	pw_checks_session(&check);
}

static bool fires(const char *path, const struct pw_envelope *envelope,
                  const struct pw_auth *auth, enum pw_symbol symbol)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	static struct pw_hits hits;

	assert_int_equal(pw_arena_new(&arena, PW_MESSAGE_ARENA_MAX), PW_OK);
	assert_int_equal(pw_file_read(&text, path, 1000000), PW_OK);
	run(&hits, arena, pw_buf_str(&text), envelope, auth);
	return pw_hits_has(&hits, symbol);
}

/* Symbols of the message alone: a file that fires and one that does not. */
struct pair_row {
	const char *label;
	enum pw_symbol symbol;
};

#define PAIR(name)                                                                       \
	{                                                                                \
#name, PW_SYM_##name                                                     \
	}
static struct pair_row pair_rows[] = {
	PAIR(MISSING_FROM),
	PAIR(FROM_INVALID),
	PAIR(MULTIPLE_FROM),
	PAIR(MULTIPLE_UNIQUE_HEADERS),
	PAIR(MISSING_TO),
	PAIR(UNDISC_RCPT),
	PAIR(MISSING_SUBJECT),
	PAIR(EMPTY_SUBJECT),
	PAIR(MISSING_DATE),
	PAIR(INVALID_DATE),
	PAIR(DATE_IN_FUTURE),
	PAIR(DATE_IN_PAST),
	PAIR(DATE_TZ_ABSURD),
	PAIR(MISSING_MID),
	PAIR(INVALID_MID),
	PAIR(MID_BARE_IP),
	PAIR(MID_RHS_MATCH_TO),
	PAIR(FROM_NEQ_DISPLAY_NAME),
	PAIR(REPLYTO_DIFF_FREEMAIL),
	PAIR(TO_EQ_FROM),
	PAIR(SUBJ_EXCESS_B64),
	PAIR(FROM_NEEDS_ENC),
	PAIR(TO_DN_RECIPIENTS),
	PAIR(MAILLIST),
	PAIR(SUBJ_ALL_CAPS),
	PAIR(SUBJ_FAKE_REPLY),
	PAIR(SUBJ_EXCLAIM),
	PAIR(SUBJ_CURRENCY),
	PAIR(SUBJ_TRAILING_ID),
	PAIR(UPSTREAM_SPAM_FLAG),
	PAIR(RATWARE_MARK),
	PAIR(MIME_HTML_ONLY),
	PAIR(MIME_ALT_NO_TEXT),
	PAIR(ALT_PARTS_DIFFER),
	PAIR(BROKEN_CTYPE),
	PAIR(MIME_LIMIT),
	PAIR(MIME_B64_BOGUS),
	PAIR(BAD_CTE_7BIT),
	PAIR(BAD_EXTENSION),
	PAIR(DOUBLE_EXTENSION),
	PAIR(BAD_UNICODE_NAME),
	PAIR(TYPE_MISMATCH),
	PAIR(ARCHIVE_ENCRYPTED),
	PAIR(ARCHIVE_BAD_EXT),
	PAIR(ARCHIVE_IN_ARCHIVE),
	PAIR(ARCHIVE_OBFUSCATED),
	PAIR(OFFICE_MACRO),
	PAIR(HTML_ATTACHMENT),
	PAIR(HTML_SHORT_LINK_IMG),
	PAIR(LOW_CONTRAST),
	PAIR(ZERO_FONT),
	PAIR(HTML_OBFUSCATED),
	PAIR(HTML_FORM),
	PAIR(HTML_PASSWORD_FIELD),
	PAIR(HIDDEN_TEXT_MUCH),
	PAIR(HTML_UNBALANCED),
	PAIR(DATA_URI_OBFU),
	PAIR(HTML_SHORT_LINK_IMG_2),
	PAIR(HTML_SHORT_LINK_IMG_3),
	PAIR(HTML_ATTACH_PHISH),
	PAIR(PHISHING_ANCHOR),
	PAIR(HTTP_TO_IP),
	PAIR(URL_OBFUSCATED),
	PAIR(URL_ODD_PORT),
	PAIR(URL_SHORTENER),
	PAIR(URL_ONLY),
	PAIR(URL_HOMOGRAPH),
	PAIR(URL_ZERO_WIDTH),
	PAIR(URL_OPEN_REDIRECT),
	PAIR(URL_ONE_LINE),
	PAIR(URL_IN_SUBJECT),
	PAIR(ANCHOR_HTTP_HTTPS),
	PAIR(ADVANCE_FEE),
	PAIR(LOTS_OF_MONEY),
	PAIR(BTC_EXTORTION),
	PAIR(PHISH_EMOTION),
	PAIR(PHARMA),
	PAIR(MARKETING),
	PAIR(EXCUSE_REMOVE),
	PAIR(DEAR_SOMETHING),
	PAIR(MIXED_SCRIPT_WORDS),
	PAIR(ZERO_WIDTH_WORDS),
	PAIR(TECH_TALK),
	PAIR(BROKEN_HEADERS),
	PAIR(MID_HOST_NOT_FQDN),
	PAIR(SPOOF_DISPLAY_NAME),
	PAIR(FREEMAIL_FROM),
	PAIR(REPLYTO_DIFF_DOMAIN),
	PAIR(FROM_EXCESS_B64),
	PAIR(SUBJ_NEEDS_ENC),
	PAIR(FROM_NO_SPACE),
	PAIR(TO_MALFORMED),
	PAIR(FROM_DIGITS),
	PAIR(FROM_RANDOM),
	PAIR(HAS_REFERENCES),
	PAIR(OLD_MUA),
	PAIR(FORGED_MUA),
	PAIR(MISSING_MIMEOLE),
	PAIR(X_MAILER_BAD),
	PAIR(PHP_ORIGIN),
	PAIR(PRIORITY_HIGH),
	PAIR(BULK_PRECEDENCE),
	PAIR(UNSUB_LINK),
	PAIR(MIME_GOOD),
	PAIR(MIME_B64_TEXT),
	PAIR(MISSING_MIME_VERSION),
	PAIR(MISSING_CHARSET),
	PAIR(RARE_CHARSET),
	PAIR(EMPTY_BODY),
	PAIR(HTML_IMAGE_ONLY),
	PAIR(HTML_META_REFRESH),
	PAIR(HTML_SCRIPT),
	PAIR(HTML_BIG_FONT),
	PAIR(HTML_COLOURFUL),
	PAIR(HTML_TITLE_ODD),
	PAIR(HTML_ENTITY_OBFU),
	PAIR(URL_BAD_TLD),
	PAIR(URL_FREE_HOSTING),
	PAIR(URL_RCPT_IN_LINK),
	PAIR(URL_LONG_PATH),
	PAIR(URL_DIGIT_HOST),
	PAIR(MAILTO_REMOVE),
	PAIR(SUBJ_HAS_LOCALPART),
	PAIR(SUBJ_SPAM_WORDS),
	PAIR(SUBJ_GAPPY),
	PAIR(SUBJ_ENCODED),
	PAIR(BITCOIN_ADDR),
	PAIR(ADULT),
	PAIR(LOAN_DEBT),
	PAIR(BUSINESS_OFFER),
	PAIR(GET_RICH),
	PAIR(STOCK_PROMO),
	PAIR(FORM_FILL),
	PAIR(MIME_ALT_NO_HTML),
	PAIR(URL_COUNT_ODD),
	PAIR(BODY_LONG_LINES),
	PAIR(BODY_CAPS),
	PAIR(BODY_EXCLAIM),
	PAIR(GIBBERISH_TAIL),
};

static void check_pair(void **state)
{
	const struct pair_row *row = *state;
	struct pw_mailbox bob = { PW_STR("bob"), PW_STR("example.net") };
	struct pw_envelope to_bob = { .recipients = &bob, .recipient_count = 1 };
	char path[512];

	snprintf(path, sizeof(path), FOLDER "%s.fires.eml", row->label);
	assert_true(fires(path, &to_bob, NULL, row->symbol));
	snprintf(path, sizeof(path), FOLDER "%s.silent.eml", row->label);
	assert_false(fires(path, &to_bob, NULL, row->symbol));
}

/* Symbols of the client: one ordinary message, two envelopes. */
struct client {
	const char *ip, *helo, *name, *ptr;
	enum pw_name_state state;
	const char *sender_domain;
};

struct client_row {
	const char *label;
	enum pw_symbol symbol;
	struct client fires, silent;
};

#define NAMED                                                                            \
	"192.0.2.7", "mail.example.org", "mail.example.org", "mail.example.org",         \
		PW_NAME_KNOWN
static struct client_row client_rows[] = {
	{ "RDNS_NONE",
	  PW_SYM_RDNS_NONE,
	  { "192.0.2.7", "mail.example.org", "", "", PW_NAME_NONE, "example.org" },
	  { NAMED, "example.org" } },
	{ "RDNS_NONE is silent when DNS fails",
	  PW_SYM_RDNS_NONE,
	  { "192.0.2.7", "mail.example.org", "", "", PW_NAME_NONE, "example.org" },
	  { "192.0.2.7", "mail.example.org", "", "", PW_NAME_TEMPORARY, "example.org" } },
	{ "RDNS_UNCONFIRMED",
	  PW_SYM_RDNS_UNCONFIRMED,
	  { "192.0.2.7", "mail.example.org", "", "liar.example.org", PW_NAME_NONE, "" },
	  { NAMED, "" } },
	{ "RDNS_DYNAMIC",
	  PW_SYM_RDNS_DYNAMIC,
	  { "192.0.2.7", "a.example.org", "host-192-0-2-7.dsl.example.org", "",
	    PW_NAME_KNOWN, "" },
	  { NAMED, "" } },
	{ "HELO_NOT_FQDN",
	  PW_SYM_HELO_NOT_FQDN,
	  { "192.0.2.7", "desktop", "a.example.org", "", PW_NAME_KNOWN, "" },
	  { NAMED, "" } },
	{ "HELO_BARE_IP",
	  PW_SYM_HELO_BARE_IP,
	  { "192.0.2.7", "192.0.2.7", "a.example.org", "", PW_NAME_KNOWN, "" },
	  { "192.0.2.7", "[192.0.2.7]", "a.example.org", "", PW_NAME_KNOWN, "" } },
	{ "HELO_BAD_IP",
	  PW_SYM_HELO_BAD_IP,
	  { "192.0.2.7", "[10.0.0.1]", "a.example.org", "", PW_NAME_KNOWN, "" },
	  { "2001:db8::7", "[IPv6:2001:db8::7]", "a.example.org", "", PW_NAME_KNOWN,
	    "" } },
	{ "HELO_LOCALHOST",
	  PW_SYM_HELO_LOCALHOST,
	  { "192.0.2.7", "localhost", "a.example.org", "", PW_NAME_KNOWN, "" },
	  { NAMED, "" } },
	{ "HELO_IS_US: our host",
	  PW_SYM_HELO_IS_US,
	  { "192.0.2.7", "MX.ours.example", "a.example.org", "", PW_NAME_KNOWN, "" },
	  { NAMED, "" } },
	{ "HELO_IS_US: our domain",
	  PW_SYM_HELO_IS_US,
	  { "192.0.2.7", "ours.example", "a.example.org", "", PW_NAME_KNOWN, "" },
	  { "10.0.0.1", "ours.example", "a.example.org", "", PW_NAME_KNOWN, "" } },
	{ "FROM_HOST_NOT_FQDN",
	  PW_SYM_FROM_HOST_NOT_FQDN,
	  { NAMED, "desktop" },
	  { NAMED, "example.org" } },
	{ "FORGED_SENDER",
	  PW_SYM_FORGED_SENDER,
	  { NAMED, "evil.example" },
	  { NAMED, "bounces.example.org" } },
};

static bool client_fires(const struct client *client, enum pw_symbol symbol)
{
	struct pw_envelope e = {
		.origin = { .name_state = client->state,
		            .name = pw_str_from(client->name),
		            .ptr = pw_str_from(client->ptr),
		            .helo = pw_str_from(client->helo) },
		.has_sender = true,
		.sender = { PW_STR("ann"), pw_str_from(client->sender_domain) },
		.our_name = PW_STR("mx.ours.example"),
	};

	assert_int_equal(pw_ip_parse(&e.origin.address, pw_str_from(client->ip)), PW_OK);
	return fires(FOLDER "ORDINARY.silent.eml", &e, NULL, symbol);
}

static void check_client(void **state)
{
	const struct client_row *row = *state;

	assert_true(client_fires(&row->fires, row->symbol));
	assert_false(client_fires(&row->silent, row->symbol));
}

/* Symbols of verification: results in, symbol out. */
struct auth_row {
	const char *label;
	enum pw_symbol symbol;
	enum pw_spf_result spf;
	enum pw_dkim_result dkim;
	bool is_aligned;
	enum pw_dmarc_result dmarc;
	enum pw_dmarc_policy disposition;
	bool fires;
};

#define AUTH(name, spf, dkim, aligned, dmarc, disposition, fires)                        \
	{                                                                                \
#name " " #spf " " #dkim " " #dmarc " " #disposition, PW_SYM_##name,     \
			PW_SPF_##spf, PW_DKIM_##dkim, aligned, PW_DMARC_##dmarc,         \
			PW_DMARC_P_##disposition, fires                                  \
	}
static struct auth_row auth_rows[] = {
	AUTH(SPF_PASS, PASS, NONE, false, NONE, NONE, true),
	AUTH(SPF_PASS, FAIL, NONE, false, NONE, NONE, false),
	AUTH(SPF_FAIL, FAIL, NONE, false, NONE, NONE, true),
	AUTH(SPF_FAIL, TEMPERROR, NONE, false, NONE, NONE, false),
	AUTH(SPF_SOFTFAIL, SOFTFAIL, NONE, false, NONE, NONE, true),
	AUTH(SPF_NEUTRAL, NEUTRAL, NONE, false, NONE, NONE, true),
	AUTH(SPF_NA, NONE, NONE, false, NONE, NONE, true),
	AUTH(SPF_TEMPERR, TEMPERROR, NONE, false, NONE, NONE, true),
	AUTH(SPF_PERMERR, PERMERROR, NONE, false, NONE, NONE, true),
	AUTH(DKIM_PASS, NONE, PASS, false, NONE, NONE, true),
	AUTH(DKIM_FAIL, NONE, FAIL, false, NONE, NONE, true),
	AUTH(DKIM_FAIL, NONE, TEMPERROR, false, NONE, NONE, false),
	AUTH(DKIM_PERMERR, NONE, PERMERROR, false, NONE, NONE, true),
	AUTH(DKIM_WEAK_KEY, NONE, POLICY, false, NONE, NONE, true),
	AUTH(DKIM_WEAK_KEY, NONE, PASS, false, NONE, NONE, false),
	AUTH(DKIM_WEAK_KEY, NONE, FAIL, false, NONE, NONE, false),
	AUTH(DKIM_ALIGNED, NONE, PASS, true, NONE, NONE, true),
	AUTH(DMARC_PASS, PASS, NONE, false, PASS, NONE, true),
	AUTH(DMARC_FAIL_REJECT, FAIL, NONE, false, FAIL, REJECT, true),
	AUTH(DMARC_FAIL_REJECT, FAIL, NONE, false, TEMPERROR, REJECT, false),
	AUTH(DMARC_FAIL_QUARANTINE, FAIL, NONE, false, FAIL, QUARANTINE, true),
	AUTH(DMARC_FAIL_NONE, FAIL, NONE, false, FAIL, NONE, true),
	AUTH(DMARC_NA, FAIL, NONE, false, NONE, NONE, true),
	AUTH(SPF_SOFTFAIL, NEUTRAL, NONE, false, NONE, NONE, false),
	AUTH(SPF_NEUTRAL, NONE, NONE, false, NONE, NONE, false),
	AUTH(SPF_NA, NEUTRAL, NONE, false, NONE, NONE, false),
	AUTH(SPF_TEMPERR, PERMERROR, NONE, false, NONE, NONE, false),
	AUTH(SPF_PERMERR, TEMPERROR, NONE, false, NONE, NONE, false),
	AUTH(DKIM_PASS, PASS, FAIL, false, NONE, NONE, false),
	AUTH(DKIM_NA, NONE, NONE, false, NONE, NONE, true),
	AUTH(DKIM_NA, NONE, NEUTRAL, false, NONE, NONE, true),
	AUTH(DKIM_NA, NONE, FAIL, false, NONE, NONE, false),
	AUTH(DKIM_TEMPERR, NONE, TEMPERROR, false, NONE, NONE, true),
	AUTH(DKIM_TEMPERR, NONE, PERMERROR, false, NONE, NONE, false),
	AUTH(DKIM_PERMERR, NONE, TEMPERROR, false, NONE, NONE, false),
	AUTH(DKIM_ALIGNED, NONE, PASS, false, NONE, NONE, false),
	AUTH(DMARC_PASS, PASS, NONE, false, NONE, NONE, false),
	AUTH(DMARC_FAIL_QUARANTINE, FAIL, NONE, false, FAIL, REJECT, false),
	AUTH(DMARC_FAIL_NONE, FAIL, NONE, false, FAIL, QUARANTINE, false),
	AUTH(DMARC_NA, FAIL, NONE, false, PASS, NONE, false),
	AUTH(DMARC_TEMPERR, FAIL, NONE, false, TEMPERROR, NONE, true),
	AUTH(DMARC_TEMPERR, FAIL, NONE, false, FAIL, NONE, false),
	AUTH(AUTH_NONE, NONE, NONE, false, NONE, NONE, true),
	AUTH(AUTH_NONE, NONE, NONE, false, TEMPERROR, NONE, false),
	AUTH(AUTH_NONE, TEMPERROR, NONE, false, NONE, NONE, false),
	AUTH(AUTH_NONE, NONE, TEMPERROR, false, NONE, NONE, false),
};

static void check_auth(void **state)
{
	const struct auth_row *row = *state;
	struct pw_envelope nobody = { 0 };
	struct pw_auth auth = {
		.has_spf = true,
		.spf = { .result = row->spf },
		.dkim_overall = row->dkim,
		.is_dkim_aligned = row->is_aligned,
		.dmarc = { .result = row->dmarc, .disposition = row->disposition },
	};

	assert_int_equal(fires(FOLDER "ORDINARY.silent.eml", &nobody, &auth, row->symbol),
	                 row->fires);
}

/* A host name that forbids its client; MAIL FROM has a word of its own. */
static void the_name_of_helo_is_looked_at(void **state)
{
	struct pw_envelope nobody = { 0 };
	struct pw_auth auth = { .has_spf = true,
		                .spf = { .result = PW_SPF_PASS },
		                .has_helo = true,
		                .helo = { .result = PW_SPF_FAIL } };

	(void)state;
	assert_true(fires(FOLDER "ORDINARY.silent.eml", &nobody, &auth,
	                  PW_SYM_SPF_HELO_FAIL));
	assert_true(fires(FOLDER "ORDINARY.silent.eml", &nobody, &auth, PW_SYM_SPF_PASS));
	auth.helo.result = PW_SPF_SOFTFAIL;
	assert_false(fires(FOLDER "ORDINARY.silent.eml", &nobody, &auth,
	                   PW_SYM_SPF_HELO_FAIL));
	auth.helo.result = PW_SPF_FAIL;
	auth.has_helo = false;
	assert_false(fires(FOLDER "ORDINARY.silent.eml", &nobody, &auth,
	                   PW_SYM_SPF_HELO_FAIL));
}

/* A chain of sealers is told; it counts where a trusted one of them saw DMARC pass. */
static void chains_are_told(void **state)
{
	static const char path[] = FOLDER "ORDINARY.silent.eml";
	struct pw_envelope nobody = { 0 };
	struct pw_auth auth = { .dmarc = { .result = PW_DMARC_FAIL } };

	(void)state;
	assert_false(fires(path, &nobody, &auth, PW_SYM_ARC_FAIL));
	auth.arc = (struct pw_arc_verdict){ .result = PW_ARC_FAIL, .reason = "x" };
	assert_true(fires(path, &nobody, &auth, PW_SYM_ARC_FAIL));
	assert_false(fires(path, &nobody, &auth, PW_SYM_ARC_PASS));
	assert_false(fires(path, &nobody, &auth, PW_SYM_ARC_TRUSTED));
	assert_true(fires(path, &nobody, &auth, PW_SYM_DMARC_FAIL_NONE));
	auth.voucher = PW_STR("lists.example.net");
	assert_true(fires(path, &nobody, &auth, PW_SYM_ARC_TRUSTED));
	assert_false(fires(path, &nobody, &auth, PW_SYM_DMARC_FAIL_NONE));
}

static void good_chains_are_told(void **state)
{
	static const char path[] = FOLDER "ORDINARY.silent.eml";
	static struct pw_arc_chain chain = { .count = 1 };
	struct pw_envelope nobody = { 0 };
	struct pw_auth auth = { .arc = { .result = PW_ARC_PASS, .chain = &chain } };

	(void)state;
	chain.sets[0].domain = PW_STR("lists.example.net");
	assert_true(fires(path, &nobody, &auth, PW_SYM_ARC_PASS));
	assert_false(fires(path, &nobody, &auth, PW_SYM_ARC_FAIL));
}

/* Our own domain in From, by a stranger. */
static void strangers_are_not_us(void **state)
{
	static const char path[] = FOLDER "SPOOF_LOCAL_DOMAIN.fires.eml";
	struct pw_envelope nobody = { 0 };
	struct pw_auth auth = { .has_spf = true, .spf = { .result = PW_SPF_FAIL } };

	(void)state;
	assert_true(fires(path, &nobody, &auth, PW_SYM_SPOOF_LOCAL_DOMAIN));
	assert_false(fires(path, &nobody, &auth, PW_SYM_AUTH_USER));
	assert_false(fires(FOLDER "ORDINARY.silent.eml", &nobody, &auth,
	                   PW_SYM_SPOOF_LOCAL_DOMAIN));
	auth.is_dkim_aligned = true;
	assert_false(fires(path, &nobody, &auth, PW_SYM_SPOOF_LOCAL_DOMAIN));
}

static void ordinary_mail_fires_nothing(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_envelope nobody = { 0 };
	static struct pw_hits hits;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, PW_MESSAGE_ARENA_MAX), PW_OK);
	assert_int_equal(pw_file_read(&text, FOLDER "ORDINARY.silent.eml", 100000),
	                 PW_OK);
	run(&hits, arena, pw_buf_str(&text), &nobody, NULL);
	assert_int_equal(hits.count, 0);
}

/* Who logged in is judged by content alone. */
static void submission_is_not_asked_who_it_is(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_envelope e = { .origin = { .name_state = PW_NAME_NONE,
		                             .helo = PW_STR("localhost"),
		                             .login = PW_STR("ann@ours.example") } };
	static struct pw_hits hits;

	(void)state;
	assert_int_equal(pw_ip_parse(&e.origin.address, PW_STR("192.0.2.7")), PW_OK);
	assert_int_equal(pw_arena_new(&arena, PW_MESSAGE_ARENA_MAX), PW_OK);
	run(&hits, arena, PW_STR("Subject: HELLO EVERYBODY HERE\n\nviagra cialis\n"), &e,
	    NULL);
	assert_true(pw_hits_has(&hits, PW_SYM_AUTH_USER));
	assert_true(pw_hits_has(&hits, PW_SYM_SUBJ_ALL_CAPS));
	assert_false(pw_hits_has(&hits, PW_SYM_HELO_LOCALHOST));
	assert_false(pw_hits_has(&hits, PW_SYM_RDNS_NONE));
	assert_false(pw_hits_has(&hits, PW_SYM_MISSING_FROM));
}

static int open_list(void **state)
{
	(void)state;
	return pw_psl_new(&psl) == PW_OK ? 0 : -1;
}

static int close_list(void **state)
{
	(void)state;
	pw_psl_free(&psl);
	return 0;
}

int main(void)
{
	struct CMUnitTest
		tests[PW_LEN(pair_rows) + PW_LEN(client_rows) + PW_LEN(auth_rows) + 6] = {
			cmocka_unit_test(ordinary_mail_fires_nothing),
			cmocka_unit_test(the_name_of_helo_is_looked_at),
			cmocka_unit_test(submission_is_not_asked_who_it_is),
			cmocka_unit_test(chains_are_told),
			cmocka_unit_test(good_chains_are_told),
			cmocka_unit_test(strangers_are_not_us),
		};

	PW_TABLE_TESTS(tests, 6, pair_rows, check_pair);
	PW_TABLE_TESTS(tests, 6 + PW_LEN(pair_rows), client_rows, check_client);
	PW_TABLE_TESTS(tests, 6 + PW_LEN(pair_rows) + PW_LEN(client_rows), auth_rows,
	               check_auth);
	return cmocka_run_group_tests(tests, open_list, close_list);
}
