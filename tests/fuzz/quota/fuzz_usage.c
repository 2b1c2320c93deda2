/* Property: what the parser takes is within the wire's bounds and says what was read:
 * printed again it is the same answer. And a user put into a request stays in its one
 * field. */
#include <stdlib.h>
#include <string.h>

#include "quota/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(struct pw_str line)
{
	PW_AUTO(pw_buf_done) struct pw_buf again = { 0 };
	struct usage_numbers limit = { -1, -1 }, twice;
	enum usage_verdict verdict;

	if (usage_parse_answer(line, &verdict, &limit) != PW_OK || verdict != USAGE_OK)
		return;
	if (limit.bytes < 0 || limit.bytes > USAGE_NUMBER_MAX || limit.messages < 0 ||
	    limit.messages > USAGE_NUMBER_MAX)
		abort();
	pw_buf_puts(&again, PW_STR("ok\t"));
	pw_buf_put_int(&again, limit.bytes);
	pw_buf_putc(&again, '\t');
	pw_buf_put_int(&again, limit.messages);
	if (usage_parse_answer(pw_buf_str(&again), &verdict, &twice) != PW_OK ||
	    twice.bytes != limit.bytes || twice.messages != limit.messages)
		abort();
}

static void check_request(struct pw_str user)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_str rest;

	if (usage_put_usage(&out, user, user.len, 3) != PW_OK) {
		if (out.len != 0)
			abort();
		return;
	}
	rest = pw_buf_str(&out);
	if (rest.len > USAGE_LINE_MAX || pw_str_find(rest, '\n') != rest.len - 1)
		abort();
	(void)pw_str_cut(&rest, '\t');
	if (!pw_str_eq(pw_str_cut(&rest, '\t'), user))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str text = { (const char *)data, size };

	check_answer(text);
	check_request(text);
	return 0;
}
