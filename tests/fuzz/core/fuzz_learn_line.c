/* Property: what the parser takes is within the wire's bounds, and printed again it is
 * read as the same line. And a user put into a line comes back, or is refused and leaves
 * nothing. */
#include <stdlib.h>
#include <string.h>

#include "core/learn_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Print, read again, compare; the line without its LF. */
static void must_come_back(const struct pw_learn_line *line, const struct pw_buf *out)
{
	struct pw_str text = pw_buf_str(out);
	struct pw_learn_line twice;

	if (text.len > PW_LEARN_LINE_MAX || pw_str_find(text, '\n') != text.len - 1 ||
	    pw_learn_line_parse(&twice, pw_str_sub(text, 0, text.len - 1)) != PW_OK ||
	    twice.verdict != line->verdict || twice.size != line->size ||
	    !pw_str_eq(twice.user, line->user))
		abort();
}

static void check_parse(struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_learn_line line;

	if (pw_learn_line_parse(&line, text) != PW_OK)
		return;
	/* leading zeros may go: never longer than what was read */
	if (line.size == 0 || line.size > PW_LEARN_SIZE_MAX ||
	    pw_learn_line_put(&out, &line) != PW_OK || out.len > text.len + 1)
		abort();
	must_come_back(&line, &out);
}

static void check_put(struct pw_str user)
{
	const struct pw_learn_line line = { PW_LEARN_HAM, user, user.len };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	if (pw_learn_line_put(&out, &line) == PW_OK)
		must_come_back(&line, &out);
	else if (out.len != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str text = { (const char *)data, size };

	check_parse(text);
	check_put(text);
	return 0;
}
