/* However the bytes of an answer are cut, the verdict is the same in the end, and once
 * there is one it stays whatever comes behind it. */
#include <stdlib.h>

#include "policyd/doveadm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str all = { (const char *)data, size };
	enum doveadm_answer whole = doveadm_read(all, false);

	for (size_t len = 0; len <= size; len++) {
		enum doveadm_answer part = doveadm_read(pw_str_sub(all, 0, len), false);

		if (part != DOVEADM_MORE && part != whole)
			abort();
	}
	if (doveadm_read(all, true) == DOVEADM_MORE || doveadm_answer_name(whole) == NULL)
		abort();
	return 0;
}
