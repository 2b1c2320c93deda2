/* The digest is the same however the body is cut into chunks; fields put on top change
 * nothing, a byte of what is covered changes it. */
#include <stdlib.h>
#include <string.h>

#include "core/header.h"
#include "core/stamp_digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void digest(uint8_t *out, uint32_t *fields, struct pw_str message, uint32_t last,
                   size_t chunk, bool has_more)
{
	static struct pw_stamp_digest *d;
	struct pw_header field;

	if (!d && pw_stamp_digest_new(&d) != PW_OK)
		abort();
	pw_stamp_digest_begin(d, last);
	if (has_more)
		pw_stamp_digest_field(d, PW_STR("Received"),
		                      PW_STR(" by a host\r\nof x"));
	while (pw_header_next(&message, &field))
		pw_stamp_digest_field(d, field.name, field.value);
	for (size_t i = 0; i < message.len; i += chunk)
		pw_stamp_digest_body(d, pw_str_sub(message, i, chunk));
	if (pw_stamp_digest_end(d, out, fields) != PW_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t whole[PW_STAMP_DIGEST], other[PW_STAMP_DIGEST];
	struct pw_str input = { (const char *)data, size };
	uint32_t fields, again;

	digest(whole, &fields, input, PW_STAMP_ALL_FIELDS, SIZE_MAX / 2, false);
	digest(other, &again, input, fields, size > 0 ? 1 + data[0] % 5 : 1, true);
	if (again != fields || memcmp(whole, other, sizeof(whole)) != 0)
		abort();
	digest(other, &again, input, PW_STAMP_ALL_FIELDS, 7, true);
	if (again != fields + 1 || memcmp(whole, other, sizeof(whole)) == 0)
		abort();
	return 0;
}
