/* Property: the fields walked and the body left lie in order inside the message, and the
 * walk gives back every byte once: what is skipped between them is only line ends and
 * colons. */
#include <stdlib.h>

#include "core/ascii.h"
#include "core/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void skip(const char **at, const char *to)
{
	for (; *at < to; (*at)++)
		if (**at != ':' && **at != '\r' && **at != '\n' && !pw_is_wsp(**at))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str message = { (const char *)data, size };
	const char *at = message.at;
	struct pw_header header;

	while (pw_header_next(&message, &header)) {
		skip(&at, header.name.at);
		at = header.name.at + header.name.len;
		skip(&at, header.value.at);
		at = header.value.at + header.value.len;
	}
	skip(&at, message.at);
	if (message.at + message.len != (const char *)data + size)
		abort();
	return 0;
}
