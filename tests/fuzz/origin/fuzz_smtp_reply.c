/* However a reply's bytes are cut, the parser says the same; what it took has no line
 * ends but its own, and its limits hold. */
#include <stdlib.h>
#include <string.h>

#include "origin/engine/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum reply_state feed(struct smtp_reply *reply, struct pw_str input, size_t step)
{
	enum reply_state state = REPLY_MORE;

	while (input.len > 0 && state == REPLY_MORE) {
		struct pw_str piece = pw_str_sub(input, 0, step);
		size_t given = piece.len;

		state = smtp_reply_feed(reply, &piece);
		input = pw_str_sub(input, given - piece.len, input.len);
	}
	return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(smtp_reply_done) struct smtp_reply whole = { 0 }, bytes = { 0 };
	struct pw_str input = { (const char *)data, size };
	enum reply_state state = feed(&whole, input, size + 1);

	if (feed(&bytes, input, 1) != state)
		abort();
	if (state == REPLY_BAD)
		return 0;
	if (bytes.code != whole.code ||
	    !pw_str_eq(pw_buf_str(&bytes.text), pw_buf_str(&whole.text)))
		abort();
	if (state == REPLY_DONE &&
	    (whole.code < 200 || whole.code > 599 ||
	     whole.text.len > (size_t)REPLY_LINES_MAX * REPLY_LINE_MAX))
		abort();
	if (smtp_reply_queue_id(&whole).len > whole.text.len)
		abort();
	(void)smtp_reply_offers(&whole);
	return 0;
}
