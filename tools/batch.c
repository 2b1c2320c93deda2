#include "tools/batch.h"

#include <stdio.h>

#include "core/buf.h"
#include "tools/command.h"

#define LINE_MAX_BYTES ((size_t)1024 * 1024)

/* The next line without its end; of one that is too long the beginning, and out has
 * failed. Returns false at the end of standard input. */
static bool read_line(struct pw_buf *out)
{
	int c;

	pw_buf_reset(out);
	while ((c = getc_unlocked(stdin)) != EOF && c != '\n')
		pw_buf_putc(out, (char)c);
	return c != EOF || out->len > 0;
}

static bool answer_line(const struct pw_buf *line, tool_answer_fn *answer,
                        const void *arg)
{
	PW_AUTO(tool_json_put) struct json_object *request = NULL;

	if (pw_buf_status(line) != PW_OK) {
		tool_json_print_error("line too long");
		return false;
	}
	request = json_tokener_parse(pw_buf_text(line));
	if (!json_object_is_type(request, json_type_object)) {
		tool_json_print_error("not a JSON object");
		return false;
	}
	return answer(arg, request);
}

int tool_batch_run(tool_answer_fn *answer, const void *arg)
{
	PW_AUTO(pw_buf_done) struct pw_buf line = { .max = LINE_MAX_BYTES };
	bool is_fine = true;

	while (read_line(&line))
		is_fine = answer_line(&line, answer, arg) && is_fine;
	return is_fine ? EXIT_FINE : EXIT_PROBLEMS;
}
