/* Property: any bytes either are refused with a note, or give settings whose print reads
 * back to the same print. */
#include <stdlib.h>

#include "../../unit/io/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(struct pw_buf *out, const struct settings *set)
{
	pw_settings_print(out, &sample_schema, set, PW_SETTINGS_ALL);
	if (pw_buf_status(out) != PW_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_settings_source source = { "fuzz",
		                             { (const char *)data, size },
		                             false };
	PW_AUTO(pw_settings_free) struct settings *first = NULL;
	PW_AUTO(pw_settings_free) struct settings *second = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf notes = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf twice = { 0 };

	if (pw_settings_build(&first, &sample_schema, &source, 1, NULL, &notes) !=
	    PW_OK) {
		if (notes.len == 0 || first)
			abort();
		return 0;
	}
	print(&once, first);
	source.bytes = pw_buf_str(&once);
	pw_buf_reset(&notes);
	if (pw_settings_build(&second, &sample_schema, &source, 1, NULL, &notes) !=
	            PW_OK ||
	    notes.len != 0)
		abort();
	print(&twice, second);
	if (!pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)))
		abort();
	return 0;
}
