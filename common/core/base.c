#include "core/base.h"

#include <string.h>

void pw_wipe(void *p, size_t len)
{
	if (len > 0)
		explicit_bzero(p, len);
}
