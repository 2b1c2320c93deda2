/* Inside the kit: arguments of smfi_* functions, which are not const. */
#pragma once

#include <stdint.h>

/* They take char * where they only read. */
static inline char *kit_foreign(const char *text)
{
	return (char *)(uintptr_t)text;
}
