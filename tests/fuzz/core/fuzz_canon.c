/* Relaxing a field twice equals relaxing it once; how a body is cut does not matter. */
#include <stdlib.h>

#include "core/ascii.h"
#include "core/canon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void collect(void *context, struct pw_str bytes)
{
	pw_buf_puts(context, bytes);
}

static void relax_body(struct pw_buf *out, struct pw_str text, size_t step)
{
	struct pw_canon_body body;

	pw_canon_body_init(&body, collect, out);
	for (size_t at = 0; at < text.len; at += step)
		pw_canon_body_relaxed(&body, pw_str_sub(text, at, step));
	pw_canon_body_end(&body);
}

static void must_equal(const struct pw_buf *a, const struct pw_buf *b)
{
	if (pw_buf_status(a) != PW_OK || !pw_str_eq(pw_buf_str(a), pw_buf_str(b)))
		abort();
}

/* A field's value has no line end but those of folds. */
static bool is_field_value(struct pw_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] == '\n' &&
		    (i + 1 == text.len || !pw_is_wsp(text.at[i + 1])))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str text = { (const char *)data + 1, size - 1 };
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf twice = { 0 };

	if (size < 1)
		return 0;
	pw_canon_header_relaxed(&once, PW_STR("Name"), text);
	pw_canon_header_relaxed(&twice, PW_STR("name"),
	                        pw_str_sub(pw_buf_str(&once), 5, once.len - 7));
	if (is_field_value(text))
		must_equal(&once, &twice);

	pw_buf_reset(&once);
	pw_buf_reset(&twice);
	relax_body(&once, text, text.len + 1);
	relax_body(&twice, text, 1 + data[0] % 7u);
	must_equal(&once, &twice);
	pw_buf_reset(&twice);
	relax_body(&twice, pw_buf_str(&once), 3);
	must_equal(&once, &twice);
	return 0;
}
