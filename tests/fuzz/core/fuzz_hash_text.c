/* Naming a hash that has been named changes nothing; nothing is written for one that is
 * not kept; what is kept ends in what was there. */
#include <stdlib.h>

#include "core/hash_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str text = { (const char *)data, size }, hash;
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 }, twice = { 0 };
	enum pw_hash_kind kind = pw_hash_name(&once, text);

	if (kind != PW_HASH_NAMED) {
		if (once.len > 0)
			abort();
		return 0;
	}
	if (pw_hash_name(&twice, pw_buf_str(&once)) != PW_HASH_NAMED ||
	    !pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)))
		abort();
	hash = pw_buf_str(&once);
	(void)pw_str_cut(&hash, '}');
	if (hash.len == 0 || hash.len > text.len ||
	    !pw_str_eq(hash, pw_str_sub(text, text.len - hash.len, hash.len)))
		abort();
	return 0;
}
