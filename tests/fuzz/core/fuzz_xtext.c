/* decode(encode(x)) == x for every x; and what decodes at all encodes to something that
 * decodes to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "core/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_come_back(struct pw_str raw)
{
	PW_AUTO(pw_buf_done) struct pw_buf encoded = { 0 }, back = { 0 };

	pw_xtext_encode(&encoded, raw);
	if (pw_xtext_decode(&back, pw_buf_str(&encoded)) != PW_OK)
		abort();
	if (!pw_str_eq(pw_buf_str(&back), raw))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_buf_done) struct pw_buf decoded = { 0 };
	struct pw_str input = { (const char *)data, size };

	must_come_back(input);
	if (pw_xtext_decode(&decoded, input) == PW_OK)
		must_come_back(pw_buf_str(&decoded));
	return 0;
}
