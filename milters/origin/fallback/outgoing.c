#include "origin/fallback/outgoing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/address.h"
#include "core/base64.h"
#include "core/map.h"
#include "origin/fallback/digest.h"
#include "origin/fallback/spool.h"

#define ID_TEXT 16

enum way {
	STREAM,  /* bytes go on as they come */
	PERHAPS, /* the sender has something in doubt: kept until the header is known */
	LIKELY,  /* so is a message with this header: kept until all is known */
	BACK,    /* kept to its end for the caller's sake */
};

struct outgoing {
	struct upstream *up;
	struct doubt *doubt;
	enum way way;
	bool has_begun; /* bytes have gone on */
	bool is_retry;
	enum pw_status status;
	struct digest digest;
	struct spool spool;
	struct pw_buf top;
	uint32_t rcpts[LEDGER_RCPTS_MAX + 1]; /* the last one stands for all others */
	size_t rcpt_count;
	size_t slot;
	char id[ID_TEXT + 1];
	outgoing_seal seal;
	void *user;
};

enum pw_status outgoing_new(struct outgoing **out, struct upstream *up,
                            struct doubt *doubt, const char *folder)
{
	struct outgoing *made = calloc(1, sizeof(*made));

	if (!made)
		return PW_ERR_NOMEM;
	made->up = up;
	made->doubt = doubt;
	made->spool.folder = folder;
	made->slot = LEDGER_NONE;
	*out = made;
	return PW_OK;
}

/* The reply to the message before has reached the client. */
static void let_go(struct outgoing *out)
{
	if (out->slot != LEDGER_NONE)
		doubt_clear(out->doubt, out->slot);
	out->slot = LEDGER_NONE;
}

void outgoing_free(struct outgoing **out)
{
	if (!*out)
		return;
	let_go(*out);
	digest_done(&(*out)->digest);
	spool_done(&(*out)->spool);
	pw_buf_done(&(*out)->top);
	free(*out);
	*out = NULL;
}

void outgoing_begin(struct outgoing *out, struct pw_str sender)
{
	let_go(out);
	outgoing_reset(out);
	digest_begin(&out->digest, doubt_secret(out->doubt), sender);
	out->way = doubt_has_sender(out->doubt, &out->digest.key) ? PERHAPS : STREAM;
}

void outgoing_hold_back(struct outgoing *out, outgoing_seal seal, void *user)
{
	out->way = BACK;
	out->seal = seal;
	out->user = user;
}

void outgoing_rcpt(struct outgoing *out, struct pw_str address)
{
	PW_AUTO(pw_buf_done) struct pw_buf normal = { 0 };
	struct pw_str text = address;

	if (pw_address_normalise(&normal, address) == PW_OK)
		text = pw_buf_str(&normal);
	if (out->rcpt_count < PW_LEN(out->rcpts))
		out->rcpts[out->rcpt_count++] =
			(uint32_t)pw_siphash(doubt_secret(out->doubt), text);
}

void outgoing_top(struct outgoing *out, struct pw_str bytes)
{
	pw_buf_puts(&out->top, bytes);
}

static void remember(struct outgoing *out, enum pw_status r)
{
	if (out->status == PW_OK)
		out->status = r;
}

static void write_on(void *user, struct pw_str bytes)
{
	struct outgoing *out = user;

	upstream_write(out->up, bytes);
}

static void set_id(struct outgoing *out, const uint8_t *id)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_base64_put(&text, PW_BASE64_URL, id, LEDGER_ID_BYTES);
	remember(out, pw_buf_status(&text));
	if (text.len == ID_TEXT)
		memcpy(out->id, text.at, ID_TEXT);
}

static void draw_id(struct outgoing *out)
{
	uint8_t id[LEDGER_ID_BYTES];

	if (getrandom(id, sizeof(id), 0) == (ssize_t)sizeof(id))
		set_id(out, id);
	else
		remember(out, PW_ERR_CRYPTO);
}

/* The first bytes: ours, with the id right below Received. */
static void begin_writing(struct outgoing *out)
{
	if (!out->id[0])
		draw_id(out);
	pw_buf_printf(&out->top, "Postward-Transaction: %s\r\n%s", out->id,
	              out->is_retry ? "Postward-Retry: yes\r\n" : "");
	remember(out, pw_buf_status(&out->top));
	if (out->status != PW_OK)
		return;
	write_on(out, pw_buf_str(&out->top));
	out->has_begun = true;
}

/* What was kept back goes on now. */
static void release(struct outgoing *out)
{
	begin_writing(out);
	if (out->status == PW_OK)
		remember(out, spool_read(&out->spool, write_on, out));
	spool_reset(&out->spool);
	out->way = STREAM;
}

static void pass(struct outgoing *out, struct pw_str bytes)
{
	if (out->status != PW_OK)
		return;
	if (out->way != STREAM) {
		spool_write(&out->spool, bytes);
		out->status = spool_status(&out->spool);
		return;
	}
	if (!out->has_begun)
		begin_writing(out);
	if (out->status == PW_OK)
		write_on(out, bytes);
}

void outgoing_header(struct outgoing *out, struct pw_str bytes)
{
	digest_put(&out->digest, bytes);
	pass(out, bytes);
}

void outgoing_header_end(struct outgoing *out)
{
	digest_header_end(&out->digest);
	pass(out, PW_STR("\r\n"));
	if (out->way != PERHAPS)
		return;
	if (doubt_has_header(out->doubt, &out->digest.key))
		out->way = LIKELY;
	else
		release(out);
}

void outgoing_body(struct outgoing *out, struct pw_str bytes)
{
	digest_put(&out->digest, bytes);
	pass(out, bytes);
}

/* All is known: what was kept back goes on, as a next try if that is what it is. */
static void release_all(struct outgoing *out)
{
	uint8_t id[LEDGER_ID_BYTES];

	if (doubt_find(out->doubt, &out->digest.key, id)) {
		out->is_retry = true;
		set_id(out, id);
	}
	if (out->seal && out->status == PW_OK) {
		PW_AUTO(pw_buf_done) struct pw_buf above = { 0 };

		remember(out, out->seal(out->user, &above));
		remember(out, pw_buf_status(&above));
		if (out->status == PW_OK)
			write_on(out, pw_buf_str(&above));
	}
	if (out->status == PW_OK)
		release(out);
}

static void enter(struct outgoing *out)
{
	uint8_t id[LEDGER_ID_BYTES];

	remember(out, pw_base64_get(id, sizeof(id), PW_BASE64_URL, pw_str_from(out->id)));
	if (out->status != PW_OK)
		return;
	out->slot = doubt_enter(out->doubt, &out->digest.key, id, out->rcpts,
	                        out->rcpt_count);
	if (out->slot == LEDGER_NONE)
		out->status = PW_ERR_NOMEM; /* more under way at once than sessions */
}

/* The slot stays until the client has the reply, for which nothing speaks but its next
 * command: should this process die before, the client's next try is one in doubt. */
static void conclude(struct outgoing *out, enum upstream_verdict verdict)
{
	if (verdict == UPSTREAM_OK && out->is_retry)
		doubt_settle(out->doubt, &out->digest.key, out->rcpts, out->rcpt_count);
	if (verdict == UPSTREAM_OK)
		return;
	if (verdict == UPSTREAM_FAILED && upstream_failure(out->up)->in_doubt)
		outgoing_unheard(out);
	let_go(out);
}

void outgoing_unheard(struct outgoing *out)
{
	if (out->slot != LEDGER_NONE)
		doubt_keep(out->doubt, out->slot);
	out->slot = LEDGER_NONE;
}

enum upstream_verdict outgoing_finish(struct outgoing *out, void (*alive)(void *user),
                                      void *user)
{
	enum upstream_verdict verdict;

	remember(out, digest_end(&out->digest));
	if (out->status == PW_OK && out->way != STREAM)
		release_all(out);
	if (out->status == PW_OK)
		enter(out);
	if (out->status != PW_OK)
		return UPSTREAM_FAILED;
	verdict = upstream_finish(out->up, alive, user);
	conclude(out, verdict);
	return verdict;
}

void outgoing_reset(struct outgoing *out)
{
	spool_reset(&out->spool);
	pw_buf_reset(&out->top);
	out->way = STREAM;
	out->has_begun = out->is_retry = false;
	out->status = PW_OK;
	out->rcpt_count = 0;
	out->seal = NULL;
	memset(out->id, 0, sizeof(out->id));
}

enum pw_status outgoing_status(const struct outgoing *out)
{
	return out->status;
}

bool outgoing_is_retry(const struct outgoing *out)
{
	return out->is_retry;
}

struct pw_str outgoing_id(const struct outgoing *out)
{
	return pw_str_from(out->id);
}
