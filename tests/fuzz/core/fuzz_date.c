/* Property: what parses lies within the years 0 to 9999 and a zone of four digits. */
#include <stdlib.h>

#include "core/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str input = { (const char *)data, size };
	int64_t at_s;
	int zone;

	if (pw_date_parse(&at_s, &zone, input) != PW_OK)
		return 0;
	if (zone > 99 * 60 + 99 || zone < -(99 * 60 + 99) ||
	    at_s < pw_date_days(0, 1, 1) * 86400 - 864000 ||
	    at_s > pw_date_days(10000, 1, 1) * 86400 + 864000)
		abort();
	return 0;
}
