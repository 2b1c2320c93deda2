/* Pairs, written down one a line, come back the same; names hold no blank, lists no
 * separator. The first byte sets the flags. */
#include <stdlib.h>

#include "core/buf.h"
#include "core/pairs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(struct pw_str value)
{
	struct pw_str one;

	while (pw_list_next(&value, &one))
		for (size_t i = 0; i < one.len; i++)
			if (one.at[i] == ',' || one.at[i] == ' ' || one.at[i] == '\t' ||
			    one.at[i] == '\n' || one.at[i] == '\r')
				abort();
}

static void write_down(struct pw_buf *out, struct pw_pairs pairs)
{
	struct pw_pair pair;
	unsigned int line = 0;

	while (pw_pairs_next(&pairs, &pair)) {
		if (pair.name.len == 0 || pair.line <= line)
			abort();
		line = pair.line;
		check_list(pair.value);
		pw_buf_printf(out, "%.*s %.*s\n", PW_FMT(pair.name), PW_FMT(pair.value));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 }, twice = { 0 };
	struct pw_pairs pairs = { .next_line = 1 };

	if (size == 0)
		return 0;
	for (size_t i = 0; i < size; i++)
		if (data[i] == 0) /* printf would end there */
			return 0;
	pairs.has_comments_anywhere = data[0] & 1;
	pairs.has_continued_lines = data[0] & 2;
	if (pairs.has_comments_anywhere && pairs.has_continued_lines)
		return 0; /* no format has both: a value would keep inner comments */
	pairs.rest = (struct pw_str){ (const char *)data + 1, size - 1 };
	write_down(&once, pairs);
	pairs.rest = pw_buf_str(&once);
	write_down(&twice, pairs);
	if (!pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)))
		abort();
	return 0;
}
