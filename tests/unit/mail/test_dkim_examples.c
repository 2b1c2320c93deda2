/* Signatures that others published, made again: RFC 6376 A.2, RFC 8463 A.3 and those of
 * OpenDKIM's own tests. RSA (PKCS #1 1.5) and Ed25519 give the same bytes each time, so
 * equal signatures mean equal canonical forms. */
#include "../table.h"

#include <openssl/evp.h>

#include <string.h>

#include "core/canon.h"
#include "core/header.h"
#include "core/taglist.h"
#include "io/file.h"
#include "mail/dkim_key.h"

#define FOLDER PW_SOURCE_DIR "/tests/vectors/dkim/"
#define FILE_MAX 65536

struct row {
	const char *label, *message;
	int index; /* of the signature, from the top */
	const char *key;
	enum pw_dkim_algorithm algorithm;
};

static struct row rows[] = {
	/* clang-format off */
	{ "RFC 6376 A.2",          "opendkim/t-test51.eml", 0, "rfc/6376.pem",         PW_DKIM_RSA_SHA256 },
	{ "RFC 8463 A.3, Ed25519", "rfc/8463-a3.eml",   0, "rfc/8463-ed25519.pem", PW_DKIM_ED25519_SHA256 },
	{ "RFC 8463 A.3, RSA",     "rfc/8463-a3.eml",   1, "dkimpy/test.private",     PW_DKIM_RSA_SHA256 },
	{ "OpenDKIM 16: relaxed/relaxed", "opendkim/t-test16.eml", 0, "opendkim/sign.pem",     PW_DKIM_RSA_SHA256 },
	{ "OpenDKIM 17: relaxed/simple",  "opendkim/t-test17.eml", 0, "opendkim/sign.pem",     PW_DKIM_RSA_SHA256 },
	/* clang-format on */
};

static void read_file(struct pw_buf *out, const char *name)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };

	pw_buf_printf(&path, "%s%s", FOLDER, name);
	assert_int_equal(pw_file_read(out, pw_buf_text(&path), FILE_MAX), PW_OK);
}

/* One message taken apart. */
struct example {
	struct pw_header fields[32];
	size_t count;
	struct pw_str body;
	const struct pw_header *own; /* the signature to make again */
	struct pw_taglist tags;
	bool relaxed_header, relaxed_body;
};

static void take_apart(struct example *e, struct pw_str message, int index)
{
	struct pw_str canon;

	for (e->body = message; pw_header_next(&e->body, &e->fields[e->count]);
	     e->count++)
		if (pw_str_eq_nocase(e->fields[e->count].name,
		                     PW_STR("DKIM-Signature")) &&
		    index-- == 0)
			e->own = &e->fields[e->count];
	assert_non_null(e->own);
	assert_int_equal(pw_taglist_parse(&e->tags, e->own->value), PW_OK);
	canon = pw_taglist_get(&e->tags, PW_STR("c"));
	e->relaxed_header = pw_str_starts(canon, PW_STR("relaxed"));
	e->relaxed_body = pw_str_ends_nocase(canon, PW_STR("/relaxed"));
}

static void collect(void *context, struct pw_str bytes)
{
	pw_buf_puts(context, bytes);
}

/* RFC 6376 3.4.3: lines that are empty at the end go, one line end stays. */
static void put_simple(struct pw_buf *out, struct pw_str body)
{
	while (body.len >= 2 && memcmp(body.at + body.len - 2, "\r\n", 2) == 0)
		body.len -= 2;
	pw_buf_puts(out, body);
	pw_buf_puts(out, PW_STR("\r\n"));
}

static void check_body(const struct example *e)
{
	PW_AUTO(pw_buf_done) struct pw_buf canonical = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf want = { 0 };
	unsigned char digest[32], text[64];
	struct pw_canon_body state;
	int n;

	if (e->relaxed_body) {
		pw_canon_body_init(&state, collect, &canonical);
		pw_canon_body_relaxed(&state, e->body);
		pw_canon_body_end(&state);
	} else {
		put_simple(&canonical, e->body);
	}
	assert_int_equal(
		EVP_Digest(canonical.at, canonical.len, digest, NULL, EVP_sha256(), NULL),
		1);
	n = EVP_EncodeBlock(text, digest, sizeof(digest));
	pw_tag_put_packed(&want, pw_taglist_get(&e->tags, PW_STR("bh")));
	assert_true(
		pw_str_eq(pw_buf_str(&want), (struct pw_str){ (char *)text, (size_t)n }));
}

static void put_field(const struct example *e, struct pw_buf *out, struct pw_str name,
                      struct pw_str value)
{
	if (e->relaxed_header)
		pw_canon_header_relaxed(out, name, value);
	else
		pw_canon_header_simple(out, name, value);
}

/* The fields as h= names them: of one name the last first. */
static void put_fields(const struct example *e, struct pw_buf *out)
{
	bool is_used[PW_LEN(e->fields)] = { false };
	struct pw_str rest = pw_taglist_get(&e->tags, PW_STR("h")), name;

	while (pw_tag_next_item(&rest, &name)) {
		for (size_t i = e->count; i-- > 0;) {
			if (is_used[i] || !pw_str_eq_nocase(e->fields[i].name, name))
				continue;
			is_used[i] = true;
			put_field(e, out, e->fields[i].name, e->fields[i].value);
			break;
		}
	}
}

/* The field itself with an empty b=, without line end. */
static void put_own(const struct example *e, struct pw_buf *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	struct pw_str all = e->own->value;
	size_t from = (size_t)(pw_taglist_get(&e->tags, PW_STR("b")).at - all.at), to;

	while (all.at[from - 1] != '=')
		from--;
	to = from + pw_str_find(pw_str_sub(all, from, all.len), ';');
	pw_buf_puts(&value, pw_str_sub(all, 0, from));
	pw_buf_puts(&value, pw_str_sub(all, to, all.len));
	put_field(e, out, e->own->name, pw_buf_str(&value));
	pw_buf_truncate(out, out->len - 2);
}

static void check(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf message = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf pem = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf data = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf signature = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf want = { 0 };
	PW_AUTO(pw_dkim_key_free) struct pw_dkim_key *key = NULL;
	struct example e = { .count = 0 };

	read_file(&message, row->message);
	read_file(&pem, row->key);
	take_apart(&e, pw_buf_str(&message), row->index);
	assert_int_equal(pw_dkim_key_load(&key, row->algorithm, pw_buf_str(&pem)), PW_OK);
	check_body(&e);
	put_fields(&e, &data);
	put_own(&e, &data);
	assert_int_equal(pw_dkim_key_sign(key, pw_buf_str(&data), &signature), PW_OK);
	pw_tag_put_packed(&want, pw_taglist_get(&e.tags, PW_STR("b")));
	assert_string_equal(pw_buf_text(&signature), pw_buf_text(&want));
}

/* OpenDKIM's tests 01, 79 and 140 sign with rsa-sha1. RFC 8301 3.1: "Signers MUST sign
 * using rsa-sha256"; "rsa-sha1 MUST NOT be used for signing or verifying". */
static void there_is_no_sha1(void **state)
{
	enum pw_dkim_algorithm algorithm;

	(void)state;
	assert_int_equal(pw_dkim_algorithm_parse(&algorithm, PW_STR("rsa-sha1")),
	                 PW_ERR_NOTFOUND);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 1] = {
		cmocka_unit_test(there_is_no_sha1),
	};

	PW_TABLE_TESTS(tests, 1, rows, check);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
