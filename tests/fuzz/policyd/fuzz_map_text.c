/* Any cutting of a stream into reads gives the same requests; what was read is in the
 * bytes; an answer's netstring can be read back. */
#include <stdlib.h>
#include <string.h>

#include "policyd/map_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is wrong with the whole was not found complete before. */
static void check_prefixes(struct pw_str bytes, enum pw_status status, size_t length)
{
	struct map_request request;

	for (size_t have = 0; have < bytes.len; have++) {
		size_t found;
		enum pw_status r =
			map_request_read(&request, &found, pw_str_sub(bytes, 0, have));

		if (r == PW_OK && found != 0 && (status != PW_OK || found != length))
			abort();
		if (r != PW_OK && r != status)
			abort();
	}
}

static void check_answer(struct pw_str value)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct map_request back;
	size_t length;

	if (map_answer_put(&out, MAP_OK, value) != MAP_OK || pw_buf_status(&out) != PW_OK)
		abort();
	if (map_request_read(&back, &length, pw_buf_str(&out)) != PW_OK ||
	    length != out.len || !pw_str_eq(back.table, PW_STR("OK")) ||
	    !pw_str_eq(back.key, value))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str bytes = { (const char *)data, size };

	for (int i = 0; i < 20 && bytes.len > 0; i++) {
		struct map_request request;
		size_t length;
		enum pw_status r = map_request_read(&request, &length, bytes);

		if (bytes.len < 500)
			check_prefixes(bytes, r, length);
		if (r != PW_OK || length == 0)
			break;
		if (length > bytes.len || request.table.at < bytes.at ||
		    request.key.at + request.key.len >= bytes.at + length)
			abort();
		check_answer(request.key);
		bytes = pw_str_sub(bytes, length, bytes.len);
	}
	return 0;
}
