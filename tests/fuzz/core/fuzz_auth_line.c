/* What parses, written again, is one whole line within its length that parses to the same
 * numbers and is written the same way once more. */
#include <stdlib.h>

#include "core/auth_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct pw_buf *out, const struct pw_auth_line *line)
{
	if (pw_auth_line_put(out, line) != PW_OK || out->len > PW_AUTH_LINE_MAX ||
	    pw_str_find(pw_buf_str(out), '\n') != out->len - 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_buf_done) struct pw_buf scratch = { 0 }, once = { 0 }, twice = { 0 };
	struct pw_auth_line first, second;

	if (pw_auth_line_parse(&first, (struct pw_str){ (const char *)data, size },
	                       &scratch) != PW_OK)
		return 0;
	put(&once, &first);
	if (pw_auth_line_parse(&second, pw_str_sub(pw_buf_str(&once), 0, once.len - 1),
	                       &scratch) != PW_OK)
		abort();
	if (second.kind != first.kind || second.result != first.result ||
	    second.id != first.id || second.seconds != first.seconds ||
	    second.port != first.port || second.credential != first.credential ||
	    second.password != first.password)
		abort();
	put(&twice, &second);
	if (!pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)))
		abort();
	return 0;
}
