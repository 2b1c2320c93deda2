#include "../table.h"

#include <string.h>

#include <openssl/sha.h>

#include "core/stamp.h"
#include "core/taglist.h"

#define NOW 1780000000
#define KEY_LINE                                                                         \
	"b2bc5b6f 2026-01-01 2027-01-01 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
#define OTHER_LINE                                                                       \
	"e98e177d 2026-01-01 2027-01-01 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
/* Made by a program in Python after the specification. */
#define HEAD "v=1;k=b2bc5b6f;t=1780000000;n=AAECAwQFBgcICQoL;e=mx.example.test;"
#define CLIENT                                                                           \
	"q=4fQ2xT1z9Yz;a=198.51.100.7;p=40000;nm=mail.sender.test;pt=mail.sender.test;"  \
	"h=he+2Blo+3B;pr=ESMTP;tl=TLSv1.3/TLS_AES_256_GCM_SHA384;cf=-;lg=-;"             \
	"da=198.51.100.25;dp=25;"
#define TAIL                                                                             \
	"f=tHt_Xz8MdpA;rc=TmqopjSPHUw,Yawb-NSUAUo;hn=7;"                                 \
	"dg=C_R0iWNjUF5epeXWrOjr-xOnYKQJsftGfUKPxxb58oQ;"
#define MAC "m=SS1c8KtvvHqNhzAgx15odXlWqQIKZf95aGGP4eVubOw"

struct bench {
	struct pw_stamp_keys keys;
	struct pw_stamp stamp;
	struct pw_arena *arena;
	struct pw_buf text;
};

static void bench_done(struct bench *b)
{
	pw_stamp_keys_done(&b->keys);
	pw_arena_free(&b->arena);
	pw_buf_done(&b->text);
}

static struct pw_ip ip(const char *text)
{
	struct pw_ip out;

	assert_int_equal(pw_ip_parse(&out, pw_str_from(text)), PW_OK);
	return out;
}

static void bench_init(struct bench *b)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	uint8_t nonce[PW_STAMP_NONCE];

	memset(b, 0, sizeof(*b));
	assert_int_equal(pw_arena_new(&b->arena, 0), PW_OK);
	assert_int_equal(pw_stamp_keys_parse(&b->keys, PW_STR(KEY_LINE OTHER_LINE), &why),
	                 PW_OK);
	for (uint8_t i = 0; i < sizeof(nonce); i++)
		nonce[i] = i;
	pw_stamp_begin(&b->stamp, &b->keys.keys[0], nonce, PW_STR("<Ann@SENDER.test>"));
	pw_stamp_add_recipient(&b->stamp, PW_STR("<bob@example.test>"));
	pw_stamp_add_recipient(&b->stamp, PW_STR("cy@Example.Test"));
	b->stamp.facts = (struct pw_stamp_facts){
		.at_s = NOW,
		.edge = PW_STR("mx.example.test"),
		.queue_id = PW_STR("4fQ2xT1z9Yz"),
		.origin = { .address = ip("::ffff:198.51.100.7"),
		            .port = 40000,
		            .name_state = PW_NAME_KNOWN,
		            .name = PW_STR("mail.sender.test"),
		            .ptr = PW_STR("mail.sender.test"),
		            .helo = PW_STR("he+lo;"),
		            .protocol = PW_STR("ESMTP"),
		            .tls_version = PW_STR("TLSv1.3"),
		            .tls_cipher = PW_STR("TLS_AES_256_GCM_SHA384"),
		            .server_address = ip("198.51.100.25"),
		            .server_port = 25 },
	};
	b->stamp.fields = 7;
	SHA256((const unsigned char *)"digest", 6, b->stamp.digest);
}

static enum pw_stamp_verdict read_at(struct bench *b, struct pw_stamp *out,
                                     struct pw_str value, int64_t now_s)
{
	enum pw_stamp_verdict verdict = PW_STAMP_GOOD;

	assert_int_equal(pw_stamp_read(&verdict, out, b->arena, &b->keys, value, now_s),
	                 PW_OK);
	return verdict;
}

static void check_text(void **state)
{
	PW_AUTO(bench_done) struct bench b;
	PW_AUTO(pw_buf_done) struct pw_buf packed = { 0 };

	(void)state;
	bench_init(&b);
	assert_int_equal(pw_stamp_build(&b.text, &b.stamp), PW_OK);
	pw_tag_put_packed(&packed, pw_buf_str(&b.text));
	assert_string_equal(pw_buf_text(&packed), HEAD CLIENT TAIL MAC);
}

/* Every line within 76 columns, however long a text is. */
static void check_folds(struct pw_str value, size_t name_len)
{
	size_t first = name_len + 2;

	while (value.at != NULL) {
		struct pw_str line = pw_str_cut(&value, '\n');

		assert_true(line.len + first <= 76 + 1);
		if (value.at != NULL) {
			assert_true(line.len > 0 && line.at[line.len - 1] == '\r');
			assert_true(value.len > 1 && value.at[0] == '\t');
		}
		first = 0;
	}
}

static void must_equal(const struct pw_stamp_facts *a, const struct pw_stamp_facts *b)
{
	assert_int_equal(a->at_s, b->at_s);
	assert_true(pw_str_eq(a->edge, b->edge));
	assert_true(pw_str_eq(a->queue_id, b->queue_id));
	assert_true(pw_str_eq(a->client_cert, b->client_cert));
	assert_true(pw_ip_eq(a->origin.address, pw_ip_unmap(b->origin.address)));
	assert_true(pw_ip_eq(a->origin.server_address, b->origin.server_address));
	assert_int_equal(a->origin.port, b->origin.port);
	assert_int_equal(a->origin.server_port, b->origin.server_port);
	assert_int_equal(a->origin.name_state, b->origin.name_state);
	assert_true(pw_str_eq(a->origin.name, b->origin.name));
	assert_true(pw_str_eq(a->origin.ptr, b->origin.ptr));
	assert_true(pw_str_eq(a->origin.helo, b->origin.helo));
	assert_true(pw_str_eq(a->origin.protocol, b->origin.protocol));
	assert_true(pw_str_eq(a->origin.tls_version, b->origin.tls_version));
	assert_true(pw_str_eq(a->origin.tls_cipher, b->origin.tls_cipher));
	assert_true(pw_str_eq(a->origin.login, b->origin.login));
}

static void must_come_back(struct bench *b)
{
	struct pw_stamp got;
	struct pw_stamp_facts facts;
	PW_AUTO(pw_buf_done) struct pw_buf client = { 0 };

	pw_buf_reset(&b->text);
	assert_int_equal(pw_stamp_build(&b->text, &b->stamp), PW_OK);
	assert_true(b->text.len <= PW_STAMP_MAX);
	check_folds(pw_buf_str(&b->text), strlen(PW_STAMP_FIELD));
	assert_int_equal(read_at(b, &got, pw_buf_str(&b->text), NOW), PW_STAMP_GOOD);
	must_equal(&got.facts, &b->stamp.facts);
	assert_int_equal(got.recipient_count, b->stamp.recipient_count);
	assert_int_equal(got.fields, b->stamp.fields);
	assert_memory_equal(got.digest, b->stamp.digest, sizeof(got.digest));
	assert_memory_equal(got.nonce, b->stamp.nonce, sizeof(got.nonce));
	assert_ptr_equal(got.key, b->stamp.key);

	assert_int_equal(pw_client_build(&client, &b->stamp.facts), PW_OK);
	check_folds(pw_buf_str(&client), strlen(PW_CLIENT_FIELD));
	assert_int_equal(pw_client_parse(&facts, b->arena, pw_buf_str(&client)), PW_OK);
	must_equal(&facts, &b->stamp.facts);
}

static void check_back(void **state)
{
	PW_AUTO(bench_done) struct bench b;
	char semicolons[255], bytes[255];

	(void)state;
	bench_init(&b);
	must_come_back(&b);
	b.stamp.facts.origin = (struct pw_origin){ .address = ip("2001:db8::7"),
		                                   .protocol = PW_STR("SMTP"),
		                                   .name_state = PW_NAME_TEMPORARY,
		                                   .helo = PW_STR("-") };
	must_come_back(&b);
	memset(semicolons, ';', sizeof(semicolons));
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i + 1);
	b.stamp.facts.origin.helo = (struct pw_str){ semicolons, sizeof(semicolons) };
	b.stamp.facts.origin.login = (struct pw_str){ bytes, sizeof(bytes) };
	b.stamp.facts.origin.ptr = PW_STR("x;-");
	b.stamp.facts.origin.name_state = PW_NAME_NONE;
	must_come_back(&b);
	/* the largest there is */
	b.stamp.facts.edge = b.stamp.facts.origin.ptr = b.stamp.facts.origin.helo;
	b.stamp.facts.client_cert = pw_str_sub(b.stamp.facts.edge, 0, 128);
	b.stamp.facts.queue_id = pw_str_sub(b.stamp.facts.edge, 0, 64);
	b.stamp.facts.origin.name = b.stamp.facts.edge;
	b.stamp.facts.origin.name_state = PW_NAME_KNOWN;
	b.stamp.facts.origin.tls_version = PW_STR("TLSv1.3");
	b.stamp.facts.origin.tls_cipher = pw_str_sub(b.stamp.facts.edge, 0, 120);
	while (b.stamp.recipient_count < PW_STAMP_RECIPIENTS_MAX)
		pw_stamp_add_recipient(&b.stamp, PW_STR("many@example.test"));
	must_come_back(&b);
}

static void check_limits(void **state)
{
	PW_AUTO(bench_done) struct bench b;
	char text[256];
	struct pw_stamp got;

	(void)state;
	bench_init(&b);
	memset(text, 'x', sizeof(text));
	b.stamp.facts.origin.helo = (struct pw_str){ text, sizeof(text) };
	assert_int_equal(pw_stamp_build(&b.text, &b.stamp), PW_OK);
	assert_int_equal(read_at(&b, &got, pw_buf_str(&b.text), NOW), PW_STAMP_GOOD);
	assert_int_equal(got.facts.origin.helo.len, 255); /* cut */
	b.stamp.facts.origin.login = (struct pw_str){ text, sizeof(text) };
	assert_int_equal(pw_stamp_build(&b.text, &b.stamp), PW_ERR_LIMIT);
}

static void check_envelope(void **state)
{
	PW_AUTO(bench_done) struct bench b;
	uint8_t nonce[PW_STAMP_NONCE] = { 9 };

	(void)state;
	bench_init(&b);
	assert_true(pw_stamp_is_sender(&b.stamp, PW_STR("ann@sender.test")));
	assert_false(pw_stamp_is_sender(&b.stamp, PW_STR("<>")));
	assert_false(pw_stamp_is_sender(&b.stamp, PW_STR("bob@example.test")));
	assert_true(pw_stamp_is_recipient(&b.stamp, PW_STR("<bob@EXAMPLE.test>")));
	assert_true(pw_stamp_is_recipient(&b.stamp, PW_STR("<\"bob\"@example.test>")));
	assert_true(pw_stamp_is_recipient(&b.stamp, PW_STR("<cy@example.test>")));
	assert_false(pw_stamp_is_recipient(&b.stamp, PW_STR("<bcc@example.test>")));
	assert_false(pw_stamp_is_recipient(&b.stamp, PW_STR("<ann@sender.test>")));
	while (b.stamp.recipient_count <= PW_STAMP_RECIPIENTS_MAX)
		pw_stamp_add_recipient(&b.stamp, PW_STR("<many@example.test>"));
	assert_true(pw_stamp_is_recipient(&b.stamp, PW_STR("<bcc@example.test>")));
	must_come_back(&b);
	/* null sender; what is no address */
	pw_stamp_begin(&b.stamp, &b.keys.keys[0], nonce, PW_STR("<>"));
	assert_true(pw_stamp_is_sender(&b.stamp, PW_STR("")));
	pw_stamp_add_recipient(&b.stamp, PW_STR("<a b@EXAMPLE.test>"));
	assert_true(pw_stamp_is_recipient(&b.stamp, PW_STR("a b@example.test")));
	assert_false(pw_stamp_is_recipient(&b.stamp, PW_STR("A b@example.test")));
}

struct value_row {
	const char *label, *value;
	enum pw_stamp_verdict verdict;
};

static struct value_row value_rows[] = {
	{ "as it is", HEAD CLIENT TAIL MAC, PW_STAMP_GOOD },
	{ "folded anywhere",
	  " " HEAD "\r\n\t" CLIENT "\n " TAIL "m=\r\n SS1c8KtvvHqNhzAg"
	  "x15odXlWqQIKZf95aGGP4eVubOw",
	  PW_STAMP_GOOD },
	{ "empty", "", PW_STAMP_BROKEN },
	{ "text", "hello", PW_STAMP_BROKEN },
	{ "no MAC", HEAD CLIENT TAIL, PW_STAMP_BROKEN },
	{ "MAC empty", HEAD CLIENT TAIL "m=", PW_STAMP_BAD_MAC },
	{ "MAC short", HEAD CLIENT TAIL "m=SS1c8KtvvHqNhzAgx15odXlWqQIKZf95aGGP4eVubO",
	  PW_STAMP_BAD_MAC },
	{ "MAC of another text",
	  HEAD CLIENT TAIL "m=TS1c8KtvvHqNhzAgx15odXlWqQIKZf95aGGP4eVubOw",
	  PW_STAMP_BAD_MAC },
	{ "MAC with bits of no meaning",
	  HEAD CLIENT TAIL "m=SS1c8KtvvHqNhzAgx15odXlWqQIKZf95aGGP4eVubOx",
	  PW_STAMP_BAD_MAC },
	{ "semicolon behind", HEAD CLIENT TAIL MAC ";", PW_STAMP_BROKEN },
	{ "a tag behind", HEAD CLIENT TAIL MAC ";x=1", PW_STAMP_BROKEN },
	{ "version 2",
	  "v=2;k=b2bc5b6f;t=1780000000;n=AAECAwQFBgcICQoL;e=mx.example.test;" CLIENT TAIL
	          MAC,
	  PW_STAMP_BROKEN },
	{ "a tag twice", HEAD "e=mx.example.test;" CLIENT TAIL MAC, PW_STAMP_BROKEN },
	{ "a tag missing",
	  "v=1;k=b2bc5b6f;t=1780000000;n=AAECAwQFBgcICQoL;" CLIENT TAIL MAC,
	  PW_STAMP_BROKEN },
	{ "tags in another order",
	  "v=1;t=1780000000;k=b2bc5b6f;n=AAECAwQFBgcICQoL;e=mx.example.test;" CLIENT TAIL
	          MAC,
	  PW_STAMP_BROKEN },
	{ "key of nobody",
	  "v=1;k=00000000;t=1780000000;n=AAECAwQFBgcICQoL;e=mx.example.test;" CLIENT TAIL
	          MAC,
	  PW_STAMP_UNKNOWN_KEY },
	{ "MAC of another key",
	  "v=1;k=e98e177d;t=1780000000;n=AAECAwQFBgcICQoL;e=mx.example.test;" CLIENT TAIL
	          MAC,
	  PW_STAMP_BAD_MAC },
	{ "edge changed",
	  "v=1;k=b2bc5b6f;t=1780000000;n=AAECAwQFBgcICQoL;e=nx.example.test;" CLIENT TAIL
	          MAC,
	  PW_STAMP_BAD_MAC },
	{ "client changed",
	  HEAD
	  "q=4fQ2xT1z9Yz;a=198.51.100.8;p=40000;nm=mail.sender.test;"
	  "pt=mail.sender.test;h=he+2Blo+3B;pr=ESMTP;"
	  "tl=TLSv1.3/TLS_AES_256_GCM_SHA384;cf=-;lg=-;da=198.51.100.25;dp=25;" TAIL MAC,
	  PW_STAMP_BAD_MAC },
	{ "no such address",
	  HEAD
	  "q=4fQ2xT1z9Yz;a=198.51.100.256;p=40000;nm=mail.sender.test;"
	  "pt=mail.sender.test;h=he+2Blo+3B;pr=ESMTP;"
	  "tl=TLSv1.3/TLS_AES_256_GCM_SHA384;cf=-;lg=-;da=198.51.100.25;dp=25;" TAIL MAC,
	  PW_STAMP_BROKEN },
	{ "port 0",
	  HEAD
	  "q=4fQ2xT1z9Yz;a=198.51.100.7;p=0;nm=mail.sender.test;"
	  "pt=mail.sender.test;h=he+2Blo+3B;pr=ESMTP;"
	  "tl=TLSv1.3/TLS_AES_256_GCM_SHA384;cf=-;lg=-;da=198.51.100.25;dp=25;" TAIL MAC,
	  PW_STAMP_BROKEN },
};

static void check_value(void **state)
{
	const struct value_row *row = *state;
	PW_AUTO(bench_done) struct bench b;
	struct pw_stamp got;

	bench_init(&b);
	assert_string_equal(
		pw_stamp_verdict_text(read_at(&b, &got, pw_str_from(row->value), NOW)),
		pw_stamp_verdict_text(row->verdict));
}

static void check_length(void **state)
{
	PW_AUTO(bench_done) struct bench b;
	struct pw_stamp got;

	(void)state;
	bench_init(&b);
	pw_buf_puts(&b.text, PW_STR(HEAD CLIENT TAIL MAC));
	while (b.text.len < PW_STAMP_MAX)
		pw_buf_putc(&b.text, ' ');
	assert_int_equal(read_at(&b, &got, pw_buf_str(&b.text), NOW), PW_STAMP_GOOD);
	pw_buf_putc(&b.text, ' ');
	assert_int_equal(read_at(&b, &got, pw_buf_str(&b.text), NOW), PW_STAMP_BROKEN);
}

struct time_row {
	const char *label;
	int64_t now_s;
	enum pw_stamp_verdict verdict;
};

static struct time_row time_rows[] = {
	{ "seven days old", NOW + 7 * 86400, PW_STAMP_GOOD },
	{ "older", NOW + 7 * 86400 + 1, PW_STAMP_BAD_TIME },
	{ "the edge's clock is ahead", NOW - 300, PW_STAMP_GOOD },
	{ "too far", NOW - 301, PW_STAMP_BAD_TIME },
	{ "before the key's time", 1767225600 - 301, PW_STAMP_KEY_TIME },
	{ "after the key's time", 1798761600 + 8 * 86400 + 1, PW_STAMP_KEY_TIME },
};

static void check_time(void **state)
{
	const struct time_row *row = *state;
	PW_AUTO(bench_done) struct bench b;
	struct pw_stamp got;

	bench_init(&b);
	assert_string_equal(pw_stamp_verdict_text(read_at(
				    &b, &got, PW_STR(HEAD CLIENT TAIL MAC), row->now_s)),
	                    pw_stamp_verdict_text(row->verdict));
}

static void check_client(void **state)
{
	PW_AUTO(bench_done) struct bench b;
	struct pw_stamp_facts facts;

	(void)state;
	bench_init(&b);
	assert_int_equal(
		pw_client_parse(&facts, b.arena,
	                        PW_STR("v=1; t=1780000000; e=mx.example.test;" CLIENT)),
		PW_ERR_SYNTAX);
	assert_int_equal(pw_client_parse(&facts, b.arena, PW_STR(HEAD CLIENT TAIL MAC)),
	                 PW_ERR_SYNTAX);
	assert_int_equal(pw_client_parse(&facts, b.arena, PW_STR("")), PW_ERR_SYNTAX);
}

int main(void)
{
	enum { VALUES = PW_LEN(value_rows), TIMES = PW_LEN(time_rows) };
	struct CMUnitTest tests[] = {
		cmocka_unit_test(check_text),   cmocka_unit_test(check_back),
		cmocka_unit_test(check_limits), cmocka_unit_test(check_envelope),
		cmocka_unit_test(check_length), cmocka_unit_test(check_client),
	};
	struct CMUnitTest rows[VALUES + TIMES];

	PW_TABLE_TESTS(rows, 0, value_rows, check_value);
	PW_TABLE_TESTS(rows, VALUES, time_rows, check_time);
	return cmocka_run_group_tests(tests, NULL, NULL) ||
	       cmocka_run_group_tests(rows, NULL, NULL);
}
