/* The message of a conversation: read from Postfix, taken apart, handed on. */
#include "io/clock.h"
#include "origin/queue/talk.h"

#define IDLE_MS 600000 /* between two pieces; Postfix's own limits are shorter */
#define PIECE_BYTES ((size_t)2048) /* taken apart at a time */

static void give(struct talk *t, void (*to)(struct outgoing *out, struct pw_str bytes),
                 struct pw_str bytes)
{
	if (bytes.len == 0)
		return;
	t->letter.bytes += (int64_t)bytes.len;
	if (t->letter.is_wanted)
		to(t->outgoing, bytes);
	if (t->front->piece)
		t->front->piece(t, bytes);
}

/* Our own fields are complete, and nothing else has gone on yet. */
static void top_is_known(struct talk *t)
{
	t->letter.has_top = true;
	if (t->front->top)
		t->front->top(t);
}

/* Where the client's own part begins: the edge's Received stands above our id. */
static void begin_header(struct talk *t)
{
	t->letter.has_header = true;
	give(t, outgoing_top, pw_buf_str(&t->letter.trace));
}

static void end_header(struct talk *t)
{
	if (!t->letter.has_header)
		begin_header(t);
	t->letter.bytes += 2;
	if (t->letter.is_wanted)
		outgoing_header_end(t->outgoing);
	if (t->front->piece)
		t->front->piece(t, PW_STR("\r\n"));
}

/* Returns what of bytes is body. */
static struct pw_str take_header(struct talk *t, struct pw_str bytes)
{
	struct letter *l = &t->letter;
	const struct header_parts parts = { &l->top, &l->trace, &l->rest };
	size_t used = header_filter_put(&l->header, bytes, &parts);

	if (l->header.has_top && !l->has_top)
		top_is_known(t);
	if (l->rest.len > 0 && !l->has_header)
		begin_header(t);
	give(t, outgoing_header, pw_buf_str(&l->rest));
	pw_buf_reset(&l->rest);
	if (l->header.state == HEADER_OVER)
		end_header(t);
	return pw_str_sub(bytes, used, bytes.len);
}

static void take(struct talk *t, struct pw_str bytes)
{
	if (t->letter.header.state != HEADER_OVER)
		bytes = take_header(t, bytes);
	give(t, outgoing_body, bytes);
}

/* A message that ends within its header. */
static void end(struct talk *t)
{
	struct letter *l = &t->letter;
	const struct header_parts parts = { &l->top, &l->trace, &l->rest };

	if (l->header.state == HEADER_OVER)
		return;
	header_filter_end(&l->header, &parts);
	(void)take_header(t, PW_STR(""));
}

/* Half a message is worse than none: without its final dot it is nothing. */
static bool is_whole(const struct letter *l)
{
	return pw_buf_status(&l->piece) == PW_OK && pw_buf_status(&l->trace) == PW_OK &&
	       pw_buf_status(&l->rest) == PW_OK;
}

bool talk_read_letter(struct talk *t)
{
	struct letter *l = &t->letter;
	struct pw_str bytes;
	bool is_end = false;

	while (!is_end) {
		if (wire_bytes(&t->wire, &bytes, pw_clock_mono_ms() + IDLE_MS) != WIRE_OK)
			return false;
		bytes = pw_str_sub(bytes, 0, PIECE_BYTES);
		wire_take(&t->wire, data_read(&l->reader, bytes, &l->piece, &is_end));
		take(t, pw_buf_str(&l->piece));
		if (!is_whole(l))
			return false;
		pw_buf_reset(&l->piece);
	}
	end(t);
	return is_whole(l);
}

void talk_tell(struct talk *t, enum upstream_verdict verdict)
{
	if (wire_flush(&t->wire) == WIRE_OK)
		return;
	t->is_over = true;
	if (verdict == UPSTREAM_OK)
		outgoing_unheard(t->outgoing);
}

enum upstream_verdict talk_finish(struct talk *t, enum pw_status *status_out)
{
	enum upstream_verdict verdict = outgoing_finish(t->outgoing, NULL, NULL);
	const struct smtp_reply *reply = upstream_reply(t->up);
	struct pw_str id = outgoing_id(t->outgoing), no_id = { NULL, 0 };
	struct record about = talk_record(t);

	*status_out = outgoing_status(t->outgoing);
	record_count_message(verdict);
	if (*status_out != PW_OK)
		record_broken(&about, "dot", *status_out);
	else if (verdict == UPSTREAM_FAILED)
		record_defer(&about, "dot", upstream_failure(t->up), reply, id);
	else if (verdict == UPSTREAM_REFUSED)
		record_refuse(&about, "dot", NULL, reply);
	else
		record_relay(&about, reply, t->letter.recipients, t->letter.bytes,
		             pw_clock_mono_ms() - t->letter.started_ms,
		             outgoing_is_retry(t->outgoing) ? id : no_id);
	return verdict;
}
