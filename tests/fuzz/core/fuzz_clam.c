/* Property: a reply that says what was found is the name between its subject and FOUND,
 * and a name fit for logs is bounded, has nothing that could end a line or a quote, and
 * made fit once more stays as it is. */
#include <stdlib.h>
#include <string.h>

#include "core/clam.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(struct pw_str name)
{
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf twice = { 0 };

	pw_clam_put_name(&once, name);
	pw_clam_put_name(&twice, pw_buf_str(&once));
	if (once.len > PW_CLAM_NAME_MAX ||
	    !pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)))
		abort();
	for (size_t i = 0; i < once.len; i++)
		if (once.at[i] <= ' ' || once.at[i] > '~' || once.at[i] == '"')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct pw_str text = { (const char *)data, size };
	PW_AUTO(pw_buf_done) struct pw_buf again = { 0 };
	struct pw_clam_reply reply, back;

	check_name(text);
	if (pw_clam_reply_parse(&reply, text) != PW_OK)
		return 0;
	if (size > PW_CLAM_REPLY_MAX || reply.text.len > size ||
	    (reply.result == PW_CLAM_FOUND) > (reply.text.len > 0))
		abort();
	if (reply.result != PW_CLAM_FOUND)
		return 0;
	pw_buf_puts(&again, PW_STR("s: "));
	pw_buf_puts(&again, reply.text);
	pw_buf_puts(&again, PW_STR(" FOUND"));
	if (again.len <= PW_CLAM_REPLY_MAX &&
	    (pw_clam_reply_parse(&back, pw_buf_str(&again)) != PW_OK ||
	     back.result != PW_CLAM_FOUND || !pw_str_eq(back.text, reply.text)))
		abort();
	return 0;
}
