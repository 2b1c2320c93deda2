/* Every message is signed with both algorithms. libopendkim (mail/dkim.h) and
 * python3-dkim (tests/oracle) must accept both signatures, and neither after the message
 * was changed. */
#include "../table.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/canon.h"
#include "core/header.h"
#include "core/taglist.h"
#include "io/zone.h"
#include "mail/dkim.h"
#include "mail/dkim_sign.h"

#define LINE_MAX 998
#define FAR ((int64_t)1 << 40) /* a deadline; the zone file answers at once */
#define ORACLE "/usr/bin/python3 " PW_SOURCE_DIR "/tests/oracle/dkim_verify.py"

struct row {
	const char *label;
	const char *header; /* fields with CRLF */
	const char *body;
	const char *from_text, *to_text; /* the change that must break it */
};

#define FROM "From: Ann <ann@example.org>\r\n"
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static struct row rows[] = {
	/* clang-format off */
	{ "plain", FROM "To: bob@example.net\r\nSubject: Hi\r\nDate: today\r\nMessage-ID: <1@x>\r\n",
	  "Hello\r\n", "Hello", "Hallo" },
	{ "empty body", FROM "Subject: Hi\r\n", "", "Subject: Hi", "Subject: Ho" },
	{ "body of line ends", FROM "Subject: Hi\r\n", "\r\n\r\n", "Hi", "Ho" },
	{ "no final line end", FROM "Subject: Hi\r\n", "Hello", "Hello", "Hell" },
	{ "blanks in the body", FROM "Subject: Hi\r\n", "a  b \t\r\n\r\n \r\nc\r\n\r\n\r\n", "c", "d" },
	{ "8-bit", FROM "Subject: Gr\xc3\xbc\xc3\x9f" "e\r\n", "\xff\xfe gr\xfc\xdf\x80\r\n", "\xfc", "\xfd" },
	{ "control characters", FROM "Subject: Hi\r\n", "\x01\x02\x7f\x1b[0m\r\n", "\x1b", "\x1c" },
	{ "folded fields", FROM "Subject: one\r\n two\r\n\tthree  four\r\nReferences: <a@b>\r\n\t<c@d>\r\n",
	  "x\r\n", "three", "threE" },
	{ "long field", FROM "Subject: " HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED "\r\n " HUNDRED "\r\n",
	  "x\r\n", "901", "902" },
	{ "empty and blank fields", FROM "Subject:\r\nTo: \r\nCc:\t\r\n b@c\r\n", "x\r\n", "b@c", "d@c" },
	{ "a second From is added", FROM "Subject: Hi\r\n", "x\r\n", "Subject", "From: eve@evil\r\nSubject" },
	{ "a From is put on top", FROM "Subject: Hi\r\n", "x\r\n", FROM, "From: eve@evil\r\n" FROM },
	{ "fields twice", FROM "Resent-To: a@b\r\nResent-To: c@d\r\nSubject: Hi\r\n", "x\r\n", "a@b", "e@b" },
	{ "every name once", FROM "Sender: a@b\r\nReply-To: a@b\r\nTo: a@b\r\nCc: a@b\r\nSubject: s\r\n"
	  "Date: d\r\nMessage-ID: <m@x>\r\nIn-Reply-To: <m@x>\r\nReferences: <m@x>\r\nMIME-Version: 1.0\r\n"
	  "Content-Type: text/plain;\r\n\tcharset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
	  "List-Id: <l.example>\r\nList-Unsubscribe: <https://x.example/>\r\n"
	  "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "x\r\n", "charset=utf-8", "charset=utf-7" },
	{ "unsigned fields may change", FROM "X-Other: a\r\nSubject: Hi\r\n", "x\r\n", "Hi", "Ho" },
	{ "dots and From lines", FROM "Subject: Hi\r\n", ".\r\n..\r\nFrom here\r\n", "..", "." },
	/* clang-format on */
};

/* One message of a row in both forms, on disk for the oracle. */
struct signed_row {
	char path[2][160]; /* as signed, and changed */
	struct pw_buf message[2];
};

static struct {
	char folder[64];
	char zone[128];
	struct pw_dkim_key *keys[PW_DKIM_ALGORITHMS];
	struct pw_resolver *resolver;
	struct pw_dkim_lib *lib;
	struct pw_arena *arena;
	struct signed_row signed_rows[PW_LEN(rows)];
	char *oracle; /* its output */
} all;

static const char *const selectors[PW_DKIM_ALGORITHMS] = { "r1", "e1" };

static void write_file(const char *path, struct pw_str text)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(text.at, 1, text.len, file), text.len);
	assert_int_equal(fclose(file), 0);
}

static void make_keys(void)
{
	PW_AUTO(pw_buf_done) struct pw_buf zone = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	for (size_t i = 0; i < PW_DKIM_ALGORITHMS; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf record = { 0 };

		assert_int_equal(
			pw_dkim_key_make(&all.keys[i], (enum pw_dkim_algorithm)i), PW_OK);
		assert_int_equal(pw_dkim_key_record(all.keys[i], &record), PW_OK);
		pw_buf_printf(&zone,
		              "%c\"%s._domainkey.example.org\": {\"TXT\": [\"%s\"]}",
		              i == 0 ? '{' : ',', selectors[i], pw_buf_text(&record));
	}
	pw_buf_putc(&zone, '}');
	snprintf(all.zone, sizeof(all.zone), "%s/zone.json", all.folder);
	write_file(all.zone, pw_buf_str(&zone));
	assert_int_equal(pw_zone_open(&all.resolver, all.zone, &why), PW_OK);
}

static void put_signature(struct pw_buf *out, struct pw_dkim_signer *signer, size_t key)
{
	struct pw_dkim_sign_as as = { .domain = PW_STR("example.org"),
		                      .selector = pw_str_from(selectors[key]),
		                      .key = all.keys[key] };
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };

	pw_buf_putc(&value, ' ');
	assert_int_equal(
		pw_dkim_signer_sign(signer, &as, &value, (int64_t)time(NULL) * 1000),
		PW_OK);
	pw_canon_header_simple(out, PW_STR("DKIM-Signature"), pw_buf_str(&value));
}

static void sign_row(struct pw_buf *out, const struct row *row)
{
	PW_AUTO(pw_dkim_signer_free) struct pw_dkim_signer *signer = NULL;
	struct pw_str rest = pw_str_from(row->header), body = pw_str_from(row->body);
	struct pw_header field;

	assert_int_equal(pw_dkim_signer_new(&signer, LINE_MAX), PW_OK);
	while (rest.len > 0 && pw_header_next(&rest, &field))
		assert_int_equal(pw_dkim_signer_header(signer, field.name, field.value),
		                 PW_OK);
	for (size_t at = 0; at < body.len; at++)
		assert_int_equal(pw_dkim_signer_body(signer, pw_str_sub(body, at, 1)),
		                 PW_OK);
	put_signature(out, signer, 0);
	put_signature(out, signer, 1);
	pw_buf_puts(out, pw_str_from(row->header));
	pw_buf_puts(out, PW_STR("\r\n"));
	pw_buf_puts(out, body);
	assert_int_equal(pw_buf_status(out), PW_OK);
}

/* The signed message with the last from_text replaced. */
static void change(struct pw_buf *out, struct pw_str message, const struct row *row)
{
	struct pw_str from = pw_str_from(row->from_text);
	size_t at = message.len - from.len;

	while (!pw_str_starts(pw_str_sub(message, at, message.len), from)) {
		assert_true(at > 0);
		at--;
	}
	pw_buf_puts(out, pw_str_sub(message, 0, at));
	pw_buf_puts(out, pw_str_from(row->to_text));
	pw_buf_puts(out, pw_str_sub(message, at + from.len, message.len));
}

static int set_up(void **state)
{
	(void)state;
	snprintf(all.folder, sizeof(all.folder), "/tmp/postward-sign-XXXXXX");
	assert_non_null(mkdtemp(all.folder));
	make_keys();
	assert_int_equal(pw_dkim_lib_new(&all.lib, 0), PW_OK);
	assert_int_equal(pw_arena_new(&all.arena, 0), PW_OK);
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		struct signed_row *one = &all.signed_rows[i];

		sign_row(&one->message[0], &rows[i]);
		change(&one->message[1], pw_buf_str(&one->message[0]), &rows[i]);
		for (int n = 0; n < 2; n++) {
			snprintf(one->path[n], sizeof(one->path[n]), "%s/%zu-%d.eml",
			         all.folder, i, n);
			write_file(one->path[n], pw_buf_str(&one->message[n]));
		}
	}
	return 0;
}

static int tear_down(void **state)
{
	char command[160];

	(void)state;
	for (size_t i = 0; i < PW_LEN(rows); i++)
		for (int n = 0; n < 2; n++)
			pw_buf_done(&all.signed_rows[i].message[n]);
	for (size_t i = 0; i < PW_DKIM_ALGORITHMS; i++)
		pw_dkim_key_free(&all.keys[i]);
	pw_resolver_close(&all.resolver);
	pw_dkim_lib_free(&all.lib);
	pw_arena_free(&all.arena);
	free(all.oracle);
	snprintf(command, sizeof(command), "rm -r %s", all.folder);
	return system(command);
}

static void verify(const struct pw_dkim_verdict **verdicts, size_t *count,
                   struct pw_dkim **dkim, struct pw_str message)
{
	struct pw_header field;

	pw_arena_reset(all.arena);
	assert_int_equal(pw_dkim_new(dkim, all.lib, all.resolver, all.arena,
	                             (int64_t)time(NULL) * 1000),
	                 PW_OK);
	while (pw_header_next(&message, &field))
		assert_int_equal(pw_dkim_header(*dkim, field.name, field.value), PW_OK);
	assert_int_equal(pw_dkim_eoh(*dkim, PW_STR("example.org")), PW_OK);
	for (size_t at = 0; at < message.len; at++)
		assert_int_equal(pw_dkim_body(*dkim, pw_str_sub(message, at, 1)), PW_OK);
	assert_int_equal(pw_dkim_eom(*dkim, FAR, verdicts, count), PW_OK);
}

static void check_with_libopendkim(void **state)
{
	const struct row *row = *state;
	const struct signed_row *one = &all.signed_rows[row - rows];

	for (int n = 0; n < 2; n++) {
		PW_AUTO(pw_dkim_free) struct pw_dkim *dkim = NULL;
		const struct pw_dkim_verdict *verdicts;
		size_t count;

		verify(&verdicts, &count, &dkim, pw_buf_str(&one->message[n]));
		assert_int_equal(count, 2);
		for (size_t i = 0; i < count; i++)
			assert_string_equal(pw_dkim_result_text(verdicts[i].result),
			                    n == 0 ? "pass" : "fail");
		assert_int_equal(verdicts[0].key_bits, 2048);
		assert_int_equal(verdicts[1].key_bits, 256);
	}
}

/* What python3-dkim says about all files; it is started once. */
static const char *ask_oracle(void)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	char command[512], line[256];
	FILE *pipe;

	if (all.oracle != NULL)
		return all.oracle;
	snprintf(command, sizeof(command), ORACLE " %s %s/*.eml", all.zone, all.folder);
	assert_non_null(pipe = popen(command, "r"));
	while (fgets(line, sizeof(line), pipe) != NULL)
		pw_buf_puts(&text, pw_str_from(line));
	assert_int_equal(pclose(pipe), 0);
	return all.oracle = strdup(pw_buf_text(&text));
}

static void check_with_dkimpy(void **state)
{
	const struct row *row = *state;
	const struct signed_row *one = &all.signed_rows[row - rows];

	for (int n = 0; n < 2; n++) {
		for (int i = 0; i < 2; i++) {
			char want[256];

			snprintf(want, sizeof(want), "%s %d %s\n", one->path[n], i,
			         n == 0 ? "pass" : "fail");
			if (strstr(ask_oracle(), want) == NULL)
				fail_msg("python3-dkim does not say: %s", want);
		}
	}
}

/* The field itself: no line over 78 octets, From once more than it is there, no l=. */
static void check_form(void **state)
{
	const struct row *row = *state;
	struct pw_str message = pw_buf_str(&all.signed_rows[row - rows].message[0]);
	struct pw_header field;
	struct pw_taglist tags;

	assert_true(pw_header_next(&message, &field));
	assert_true(pw_str_contains(field.value, PW_STR("h=From:From")));
	assert_int_equal(pw_taglist_parse(&tags, field.value), PW_OK);
	assert_null(pw_taglist_get(&tags, PW_STR("l")).at);
	for (struct pw_str rest = field.value; rest.at != NULL;) {
		struct pw_str line = pw_str_cut(&rest, '\n');

		assert_in_range(line.len, 1, 78);
		assert_true(pw_str_trim(line).len > 0);
	}
}

static void a_line_too_long_to_arrive_whole_is_not_signed(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_dkim_sign_as as = { .domain = PW_STR("example.org"),
		                      .selector = PW_STR("r1"),
		                      .key = all.keys[0] };
	char line[LINE_MAX + 1];

	(void)state;
	memset(line, 'x', sizeof(line));
	for (size_t len = LINE_MAX; len <= sizeof(line); len++) {
		PW_AUTO(pw_dkim_signer_free) struct pw_dkim_signer *signer = NULL;

		assert_int_equal(pw_dkim_signer_new(&signer, LINE_MAX), PW_OK);
		assert_int_equal(
			pw_dkim_signer_header(signer, PW_STR("From"), PW_STR(" a@b")),
			PW_OK);
		assert_int_equal(
			pw_dkim_signer_body(signer, (struct pw_str){ line, len }), PW_OK);
		assert_int_equal(pw_dkim_signer_sign(signer, &as, &out, 0),
		                 len > LINE_MAX ? PW_ERR_LIMIT : PW_OK);
	}
}

struct stray_row {
	const char *label, *value, *body;
};

static struct stray_row stray_rows[] = {
	{ "CR in the body", " x", "a\rb\r\n" },
	{ "CR at the end of the body", " x", "a\r" },
	{ "LF in the body", " x", "a\nb\r\n" },
	{ "CR in a field", " a\rb", "x\r\n" },
	{ "FF in a field", " a\fb", "x\r\n" },
	{ "line end in a field", " a\nb", "x\r\n" },
	{ "line end at the end of a field", " a\n", "x\r\n" },
};

static void check_stray(void **state)
{
	const struct stray_row *row = *state;
	PW_AUTO(pw_dkim_signer_free) struct pw_dkim_signer *signer = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_dkim_sign_as as = { .domain = PW_STR("example.org"),
		                      .selector = PW_STR("r1"),
		                      .key = all.keys[0] };

	assert_int_equal(pw_dkim_signer_new(&signer, LINE_MAX), PW_OK);
	assert_int_equal(pw_dkim_signer_header(signer, PW_STR("From"), PW_STR(" a@b")),
	                 PW_OK);
	assert_int_equal(
		pw_dkim_signer_header(signer, PW_STR("To"), pw_str_from(row->value)),
		PW_OK);
	assert_int_equal(pw_dkim_signer_body(signer, pw_str_from(row->body)), PW_OK);
	assert_int_equal(pw_dkim_signer_sign(signer, &as, &out, 0), PW_ERR_SYNTAX);
	assert_int_equal(out.len, 0);
}

static void without_limit_every_line_is_signed(void **state)
{
	PW_AUTO(pw_dkim_signer_free) struct pw_dkim_signer *signer = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_dkim_sign_as as = { .domain = PW_STR("example.org"),
		                      .selector = PW_STR("r1"),
		                      .key = all.keys[0] };
	char line[10 * LINE_MAX];

	(void)state;
	memset(line, 'x', sizeof(line));
	assert_int_equal(pw_dkim_signer_new(&signer, 0), PW_OK);
	assert_int_equal(pw_dkim_signer_header(signer, PW_STR("From"), PW_STR(" a@b")),
	                 PW_OK);
	assert_int_equal(
		pw_dkim_signer_body(signer, (struct pw_str){ line, sizeof(line) }),
		PW_OK);
	assert_int_equal(pw_dkim_signer_sign(signer, &as, &out, 0), PW_OK);
}

static void without_from_there_is_no_signature(void **state)
{
	PW_AUTO(pw_dkim_signer_free) struct pw_dkim_signer *signer = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_dkim_sign_as as = { .domain = PW_STR("example.org"),
		                      .selector = PW_STR("r1"),
		                      .key = all.keys[0] };

	(void)state;
	assert_int_equal(pw_dkim_signer_new(&signer, LINE_MAX), PW_OK);
	assert_int_equal(pw_dkim_signer_header(signer, PW_STR("To"), PW_STR(" a@b")),
	                 PW_OK);
	assert_int_equal(pw_dkim_signer_sign(signer, &as, &out, 0), PW_ERR_STATE);
}

static void too_many_signed_fields_are_a_limit(void **state)
{
	PW_AUTO(pw_dkim_signer_free) struct pw_dkim_signer *signer = NULL;

	(void)state;
	assert_int_equal(pw_dkim_signer_new(&signer, LINE_MAX), PW_OK);
	for (int i = 0; i < PW_DKIM_SIGN_FIELDS_MAX; i++)
		assert_int_equal(
			pw_dkim_signer_header(signer, PW_STR("To"), PW_STR(" a")), PW_OK);
	assert_int_equal(pw_dkim_signer_header(signer, PW_STR("To"), PW_STR(" a")),
	                 PW_ERR_LIMIT);
	assert_int_equal(pw_dkim_signer_header(signer, PW_STR("X-A"), PW_STR(" a")),
	                 PW_OK);
}

/* What a list of header fields, an identity and a time to live become. */
struct as_row {
	const char *label, *header, *headers, *oversign, *identity;
	int64_t expires_s;
	const char *want; /* in the field, blanks squeezed */
};

static struct as_row as_rows[] = {
	/* clang-format off */
	{ "From, Reply-To, Cc and Subject once more, absent or not", FROM, "", "", "", 0,
	  "h=From:From:Reply-To:Cc:Subject;" },
	{ "To and Date once more where they are", FROM "To: a@b\r\nDate: d\r\n", "", "", "", 0,
	  "h=From:From:Reply-To:To:To:Cc:Subject:Date:Date;" },
	{ "trace fields as often as they are", FROM "List-Id: <a.b>\r\nReferences: <a@b>\r\n", "", "", "", 0,
	  "h=From:From:Reply-To:Cc:Subject:References:List-Id;" },
	{ "a list of one's own", FROM "X-A: 1\r\nx-a: 2\r\nTo: a@b\r\n", "X-A Date", "", "", 0,
	  "h=From:From:X-A:X-A;" },
	{ "more than the default list", FROM "X-A: 1\r\n", "+ X-A", "", "", 0,
	  "h=From:From:Reply-To:Cc:Subject:X-A;" },
	{ "oversigned by choice", FROM "X-A: 1\r\nTo: a@b\r\n", "To X-A X-B", "X-A X-B", "", 0,
	  "h=From:From:To:X-A:X-A:X-B;" },
	{ "From is oversigned whatever is said", FROM "To: a@b\r\n", "from to", "to", "", 0, "h=From:From:To:To;" },
	{ "identity and end", FROM, "To", "", "ann@sub.example.org", 864000,
	  "i=ann@sub.example.org; t=1700000000; x=1700864000; h=From:From;" },
	{ "identity of a domain", FROM, "To", "", "@example.org", 0, "i=@example.org; t=1700000000; h=From:From;" },
	{ "odd bytes of an identity", FROM, "To", "", "a;b=c d\xc3\xbc@example.org", 0,
	  "i=a=3Bb=3Dc=20d=C3=BC@example.org;" },
	/* clang-format on */
};

static void sign_as(struct pw_buf *out, const struct as_row *row,
                    const struct pw_dkim_names *names)
{
	PW_AUTO(pw_dkim_signer_free) struct pw_dkim_signer *signer = NULL;
	struct pw_str rest = pw_str_from(row->header);
	struct pw_dkim_sign_as as = { .domain = PW_STR("example.org"),
		                      .selector = PW_STR("e1"),
		                      .key = all.keys[1],
		                      .names = names,
		                      .identity = pw_str_from(row->identity),
		                      .expires_s = row->expires_s };
	struct pw_header field;

	assert_int_equal(pw_dkim_signer_new(&signer, LINE_MAX), PW_OK);
	while (rest.len > 0 && pw_header_next(&rest, &field))
		assert_int_equal(pw_dkim_signer_header(signer, field.name, field.value),
		                 PW_OK);
	assert_int_equal(
		pw_dkim_signer_sign(signer, &as, out, INT64_C(1700000000) * 1000), PW_OK);
}

static void check_as(void **state)
{
	const struct as_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	const struct pw_dkim_names *names;

	pw_arena_reset(all.arena);
	assert_int_equal(pw_dkim_names_parse(&names, all.arena, pw_str_from(row->headers),
	                                     pw_str_from(row->oversign)),
	                 PW_OK);
	sign_as(&value, row, names);
	for (size_t i = 0; i < value.len; i++) { /* folds come in the middle of h= */
		if (value.at[i] == '\n')
			continue;
		if (value.at[i] != '\t')
			pw_buf_putc(&text, value.at[i]);
		else if (value.at[i - 2] == ';')
			pw_buf_putc(&text, ' ');
	}
	if (!pw_str_contains(pw_buf_str(&text), pw_str_from(row->want)))
		fail_msg("%s", pw_buf_text(&text));
}

/* Lists that would make signatures that break. */
static const struct {
	const char *headers, *oversign;
	enum pw_status want;
} bad_lists[] = {
	{ "Received", "", PW_ERR_SYNTAX },
	{ "+ bcc", "", PW_ERR_SYNTAX },
	{ "To: Cc", "", PW_ERR_SYNTAX },
	{ "DKIM-Signature", "", PW_ERR_SYNTAX },
	{ "To", "Subject", PW_ERR_SYNTAX },
	{ "To;b=x", "", PW_ERR_SYNTAX },
	{ "", "X-Other", PW_ERR_SYNTAX },
	{ "Gr\xc3\xbc\xc3\x9f"
	  "e",
	  "", PW_ERR_SYNTAX },
	{ "To\r\nX", "", PW_ERR_SYNTAX },
};

static void bad_lists_are_refused(void **state)
{
	const struct pw_dkim_names *names;

	(void)state;
	for (size_t i = 0; i < PW_LEN(bad_lists); i++)
		assert_int_equal(pw_dkim_names_parse(&names, all.arena,
		                                     pw_str_from(bad_lists[i].headers),
		                                     pw_str_from(bad_lists[i].oversign)),
		                 bad_lists[i].want);
}

/* A field over the maxima may be one that the list names. */
static void what_was_left_out_is_not_claimed(void **state)
{
	PW_AUTO(pw_dkim_signer_free) struct pw_dkim_signer *signer = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_dkim_sign_as as = { .domain = PW_STR("example.org"),
		                      .selector = PW_STR("e1"),
		                      .key = all.keys[1] };

	(void)state;
	assert_int_equal(pw_dkim_signer_new(&signer, LINE_MAX), PW_OK);
	assert_int_equal(pw_dkim_signer_header(signer, PW_STR("From"), PW_STR(" a@b")),
	                 PW_OK);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(
			pw_dkim_signer_header(signer, PW_STR("X-A"), PW_STR(" a")),
			PW_OK);
	assert_int_equal(pw_dkim_signer_sign(signer, &as, &out, 0), PW_OK);
	assert_int_equal(
		pw_dkim_names_parse(&as.names, all.arena, PW_STR("+ X-A"), PW_STR("")),
		PW_OK);
	assert_int_equal(pw_dkim_signer_sign(signer, &as, &out, 0), PW_ERR_RANGE);
}

int main(void)
{
	struct CMUnitTest
		tests[3 * PW_LEN(rows) + PW_LEN(stray_rows) + PW_LEN(as_rows) + 6] = {
			cmocka_unit_test(a_line_too_long_to_arrive_whole_is_not_signed),
			cmocka_unit_test(without_limit_every_line_is_signed),
			cmocka_unit_test(without_from_there_is_no_signature),
			cmocka_unit_test(too_many_signed_fields_are_a_limit),
			cmocka_unit_test(bad_lists_are_refused),
			cmocka_unit_test(what_was_left_out_is_not_claimed),
		};

	PW_TABLE_TESTS(tests, 6, rows, check_with_libopendkim);
	PW_TABLE_TESTS(tests, 6 + PW_LEN(rows), rows, check_with_dkimpy);
	PW_TABLE_TESTS(tests, 6 + 2 * PW_LEN(rows), rows, check_form);
	PW_TABLE_TESTS(tests, 6 + 3 * PW_LEN(rows), stray_rows, check_stray);
	PW_TABLE_TESTS(tests, 6 + 3 * PW_LEN(rows) + PW_LEN(stray_rows), as_rows,
	               check_as);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
