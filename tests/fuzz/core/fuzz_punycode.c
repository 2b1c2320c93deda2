/* Whatever the bytes: what comes out is ASCII, of names DNS can carry, and the same again
 * when it goes through once more. Letters made of it and back are the same name
 * but for case. */
#include <stdlib.h>
#include <string.h>

#include "core/punycode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str domain = { (const char *)data, size };
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf twice = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf letters = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf back = { 0 };

	pw_domain_put_unicode(&letters, domain);
	if (letters.len > 4 * size)
		abort();

	if (pw_domain_to_ascii(&once, domain) != PW_OK) {
		if (once.len != 0)
			abort();
		return 0;
	}
	if (!pw_domain_is_ascii(pw_buf_str(&once)) || once.len > 255 ||
	    pw_domain_to_ascii(&twice, pw_buf_str(&once)) != PW_OK ||
	    !pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)))
		abort();
	pw_buf_reset(&letters);
	if (pw_domain_is_ascii(domain)) /* an A-label may be one of no letters at all */
		return 0;
	pw_domain_put_unicode(&letters, pw_buf_str(&once));
	if (pw_domain_to_ascii(&back, pw_buf_str(&letters)) != PW_OK ||
	    !pw_str_eq_nocase(pw_buf_str(&once), pw_buf_str(&back)))
		abort();
	return 0;
}
