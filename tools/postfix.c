#include "tools/postfix.h"

#include <stdio.h>

#include "io/child.h"

#define ARGUMENTS_MAX 30
#define TIMEOUT_MS 30000

/* postconf warns of parameters nobody uses, even those that are asked for: only what ends
 * it is told. */
enum pw_status tool_postconf(struct pw_buf *out, const char *const *arguments)
{
	const char *argv[ARGUMENTS_MAX + 2] = { "postconf" };
	PW_AUTO(pw_buf_done) struct pw_buf err = { 0 };
	size_t count = 0;
	int code = 0;
	enum pw_status r;

	for (; arguments[count] != NULL; count++) {
		if (count == ARGUMENTS_MAX)
			return PW_ERR_LIMIT;
		argv[count + 1] = arguments[count];
	}
	r = pw_child_run(argv, (struct pw_str){ 0 }, out, &err, TIMEOUT_MS, &code);
	if (r != PW_OK)
		return r;
	if (code != 0) {
		(void)fputs(pw_buf_text(&err), stderr);
		return PW_ERR_CONFIG;
	}
	if (out->len > 0 && out->at[out->len - 1] == '\n')
		pw_buf_truncate(out, out->len - 1);
	return pw_buf_status(out);
}

enum pw_status tool_postfix_value(struct pw_buf *out, const char *name)
{
	return tool_postconf(out, (const char *const[]){ "-xh", name, NULL });
}
