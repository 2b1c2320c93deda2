/* Property: whatever is put in, what comes out is taken in whole and comes out the same.
 */
#include <stdlib.h>

#include "tools/exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void join(struct pw_buf *out, struct pw_str text)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct exposition *all;

	if (pw_arena_new(&arena, 0) != PW_OK || exposition_new(&all, arena) != PW_OK)
		abort();
	if (exposition_add(all, PW_STR(""), text) == PW_OK)
		exposition_put(out, all);
	if (pw_buf_status(out) != PW_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 }, twice = { 0 };

	join(&once, (struct pw_str){ (const char *)data, size });
	join(&twice, pw_buf_str(&once));
	if (!pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)))
		abort();
	return 0;
}
