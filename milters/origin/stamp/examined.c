#include "origin/stamp/examined.h"

#include <openssl/crypto.h>

static const struct mark {
	const char *name, *value; /* NULL = any */
	unsigned mark;
} marks[] = {
	{ "Postward-Transaction", NULL, EXAMINED_TRANSACTION },
	{ "Postward-Retry", NULL, EXAMINED_RETRY },
	{ "Postward-Check", "stamp", EXAMINED_CHECK },
};

enum pw_status examined_init(struct examined *e)
{
	enum pw_status r = pw_arena_new(&e->arena, EXAMINED_BYTES);

	return r == PW_OK ? pw_stamp_digest_new(&e->digest) : r;
}

void examined_done(struct examined *e)
{
	pw_arena_free(&e->arena);
	pw_stamp_digest_free(&e->digest);
	pw_buf_done(&e->recipients);
	strip_done(&e->strip);
}

void examined_reset(struct examined *e)
{
	struct examined kept = { .arena = e->arena,
		                 .digest = e->digest,
		                 .strip = e->strip,
		                 .recipients = e->recipients };

	*e = kept;
	pw_arena_reset(e->arena);
	pw_buf_reset(&e->recipients);
	strip_reset(&e->strip);
}

static void remember(struct examined *e, enum pw_status r)
{
	if (e->failure == PW_OK)
		e->failure = r;
}

void examined_sender(struct examined *e, struct pw_str address)
{
	remember(e, pw_arena_copy(e->arena, address, &e->sender));
}

void examined_recipient(struct examined *e, struct pw_str address)
{
	struct pw_str copy = { NULL, 0 };

	remember(e, pw_arena_copy(e->arena, address, &copy));
	pw_buf_puts(&e->recipients, (struct pw_str){ (const char *)&copy, sizeof(copy) });
	remember(e, pw_buf_status(&e->recipients));
}

const struct pw_str *examined_recipients(const struct examined *e, size_t *count_out)
{
	*count_out = e->recipients.len / sizeof(struct pw_str);
	return (const struct pw_str *)(const void *)e->recipients.at;
}

/* The first stamp of a message: only one that is the first field can be good. */
static void read_stamp(struct examined *e, struct pw_str value,
                       const struct pw_stamp_keys *keys, int64_t now_s)
{
	remember(e, pw_arena_copy(e->arena, value, &e->value));
	if ((e->stamp = pw_arena_alloc(e->arena, sizeof(*e->stamp))) == NULL)
		remember(e, PW_ERR_NOMEM);
	if (e->failure == PW_OK)
		remember(e, pw_stamp_read(&e->verdict, e->stamp, e->arena, keys, e->value,
		                          now_s));
	if (e->failure == PW_OK && e->is_first && e->verdict == PW_STAMP_GOOD)
		pw_stamp_digest_begin(e->digest, e->stamp->fields);
}

static unsigned mark_of(struct pw_str name, struct pw_str value)
{
	for (size_t i = 0; i < PW_LEN(marks); i++)
		if (pw_str_eq_nocase(name, pw_str_from(marks[i].name)) &&
		    (!marks[i].value ||
		     pw_str_eq(pw_str_trim(value), pw_str_from(marks[i].value))))
			return marks[i].mark;
	return 0;
}

static bool is_digested(const struct examined *e)
{
	return e->is_first && e->stamp && e->verdict == PW_STAMP_GOOD &&
	       e->failure == PW_OK;
}

void examined_field(struct examined *e, struct pw_str name, struct pw_str value,
                    bool is_trusted, const struct pw_stamp_keys *keys, int64_t now_s)
{
	bool is_stamp = pw_str_eq_nocase(name, PW_STR(PW_STAMP_FIELD));
	unsigned mark = is_trusted ? mark_of(name, value) : 0;

	e->fields++;
	if (strip_is_ours(name))
		strip_see(&e->strip, name, mark != 0);
	e->marks |= mark;
	if (is_stamp && e->stamps++ == 0) {
		e->is_first = e->fields == 1;
		if (is_trusted)
			read_stamp(e, value, keys, now_s);
		if (e->is_first)
			return; /* the only field above all that count */
	}
	if (is_digested(e))
		pw_stamp_digest_field(e->digest, name, value);
}

void examined_body(struct examined *e, struct pw_str chunk)
{
	if (is_digested(e))
		pw_stamp_digest_body(e->digest, chunk);
}

bool examined_is_sender(const struct examined *e)
{
	return pw_stamp_is_sender(e->stamp, e->sender);
}

bool examined_is_recipients(const struct examined *e)
{
	size_t count;
	const struct pw_str *recipients = examined_recipients(e, &count);

	for (size_t i = 0; i < count; i++)
		if (!pw_stamp_is_recipient(e->stamp, recipients[i]))
			return false;
	return true;
}

bool examined_is_digest(struct examined *e)
{
	uint8_t digest[PW_STAMP_DIGEST];
	uint32_t fields;
	enum pw_status r;

	if (!is_digested(e))
		return false;
	r = pw_stamp_digest_end(e->digest, digest, &fields);
	if (r != PW_OK) {
		if (r != PW_ERR_LIMIT) /* an edge stamps no header that long */
			remember(e, r);
		return false;
	}
	return fields == e->stamp->fields &&
	       CRYPTO_memcmp(digest, e->stamp->digest, sizeof(digest)) == 0;
}
