/* What is built is read back as it was; with any bit of it flipped it is never taken
 * (folds and blanks are no part of it). What is read from anywhere and taken is what
 * would have been built; and the facts of any list that parses come back from their own
 * text. */
#include <stdlib.h>
#include <string.h>

#include "core/stamp.h"
#include "core/taglist.h"

#define NOW 1780000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pw_stamp_keys keys;

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static void keys_init(void)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	if (keys.count == 0)
		must(pw_stamp_keys_parse(
			     &keys,
			     PW_STR("b2bc5b6f 2026-01-01 2027-01-01 AAECAwQFBgcI"
		                    "CQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"),
			     &why) == PW_OK);
}

static enum pw_stamp_verdict read_stamp(struct pw_stamp *out, struct pw_arena *arena,
                                        struct pw_str value)
{
	enum pw_stamp_verdict verdict;

	must(pw_stamp_read(&verdict, out, arena, &keys, value, NOW) == PW_OK);
	return verdict;
}

/* Bytes of the input become the stamp's fields. */
static struct pw_str take(struct pw_str *rest, size_t max)
{
	size_t len = rest->len > 0 ? (unsigned char)rest->at[0] % (max + 1) : 0;
	struct pw_str out = pw_str_sub(*rest, 1, len);

	*rest = pw_str_sub(*rest, 1 + len, rest->len);
	return out;
}

static void take_bytes(void *out, size_t len, struct pw_str *rest)
{
	struct pw_str bytes = pw_str_sub(*rest, 0, len);

	memset(out, 0, len);
	if (bytes.len > 0)
		memcpy(out, bytes.at, bytes.len);
	*rest = pw_str_sub(*rest, len, rest->len);
}

static struct pw_ip take_ip(struct pw_str *rest)
{
	uint8_t bytes[16];
	struct pw_ip ip;

	take_bytes(bytes, sizeof(bytes), rest);
	must(pw_ip_from_bytes(&ip, bytes, bytes[15] & 1 ? 16 : 4) == PW_OK);
	return pw_ip_unmap(ip);
}

static void fill(struct pw_stamp *s, struct pw_str rest)
{
	struct pw_stamp_facts *facts = &s->facts;
	struct pw_origin *origin = &facts->origin;
	uint8_t nonce[PW_STAMP_NONCE];
	struct pw_str address;

	take_bytes(nonce, sizeof(nonce), &rest);
	pw_stamp_begin(s, &keys.keys[0], nonce, take(&rest, 200));
	facts->at_s = NOW;
	origin->protocol = PW_STR("ESMTP");
	origin->address = take_ip(&rest);
	take_bytes(&origin->port, sizeof(origin->port), &rest);
	take_bytes(&s->fields, 2, &rest);
	take_bytes(s->digest, sizeof(s->digest), &rest);
	facts->edge = take(&rest, 255);
	facts->queue_id = take(&rest, 64);
	origin->name = take(&rest, 255);
	origin->name_state = origin->name.len > 0 ? PW_NAME_KNOWN : PW_NAME_TEMPORARY;
	origin->helo = take(&rest, 255);
	origin->login = take(&rest, 255);
	do {
		address = take(&rest, 255);
		pw_stamp_add_recipient(s, address);
	} while (rest.len > 0);
}

static void must_equal(const struct pw_stamp_facts *a, const struct pw_stamp_facts *b)
{
	must(a->at_s == b->at_s && pw_str_eq(a->edge, b->edge) &&
	     pw_str_eq(a->queue_id, b->queue_id) &&
	     pw_ip_eq(a->origin.address, b->origin.address) &&
	     a->origin.port == b->origin.port &&
	     a->origin.name_state == b->origin.name_state &&
	     pw_str_eq(a->origin.name, b->origin.name) &&
	     pw_str_eq(a->origin.ptr, b->origin.ptr) &&
	     pw_str_eq(a->origin.helo, b->origin.helo) &&
	     pw_str_eq(a->origin.login, b->origin.login) &&
	     pw_str_eq(a->origin.tls_version, b->origin.tls_version));
}

static void build(struct pw_buf *packed, const struct pw_stamp *s)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	must(pw_stamp_build(&text, s) == PW_OK);
	must(text.len <= PW_STAMP_MAX);
	pw_tag_put_packed(packed, pw_buf_str(&text));
}

static void built_comes_back(struct pw_arena *arena, struct pw_str input)
{
	PW_AUTO(pw_buf_done) struct pw_buf packed = { 0 };
	struct pw_stamp made, got;
	size_t bit;

	fill(&made, input);
	build(&packed, &made);
	must(read_stamp(&got, arena, pw_buf_str(&packed)) == PW_STAMP_GOOD);
	must_equal(&made.facts, &got.facts);
	must(got.recipient_count == made.recipient_count && got.fields == made.fields);
	must(memcmp(got.digest, made.digest, sizeof(got.digest)) == 0);
	must(memcmp(got.sender, made.sender, sizeof(got.sender)) == 0);
	/* one bit a run, all over the text in the course of many */
	bit = (input.len * 131 + (unsigned char)(input.len ? input.at[0] : 0) * 17) %
	      (packed.len * 8);
	packed.at[bit / 8] ^= (char)(1 << bit % 8);
	must(read_stamp(&got, arena, pw_buf_str(&packed)) != PW_STAMP_GOOD);
}

static void taken_is_what_would_be_built(struct pw_arena *arena, struct pw_str input)
{
	PW_AUTO(pw_buf_done) struct pw_buf packed = { 0 }, again = { 0 };
	struct pw_stamp got;

	if (read_stamp(&got, arena, input) != PW_STAMP_GOOD)
		return;
	pw_tag_put_packed(&packed, input);
	build(&again, &got);
	must(pw_str_eq(pw_buf_str(&packed), pw_buf_str(&again)));
}

static void facts_come_back(struct pw_arena *arena, struct pw_str input)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_stamp_facts facts, again;

	if (pw_client_parse(&facts, arena, input) != PW_OK)
		return;
	must(pw_client_build(&text, &facts) == PW_OK);
	must(pw_client_parse(&again, arena, pw_buf_str(&text)) == PW_OK);
	must_equal(&facts, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_str input = { (const char *)data, size };

	keys_init();
	must(pw_arena_new(&arena, 0) == PW_OK);
	built_comes_back(arena, input);
	taken_is_what_would_be_built(arena, input);
	facts_come_back(arena, input);
	return 0;
}
