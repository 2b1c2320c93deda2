/* Inside the kit: libmilter and its arguments, which are not const. */
#pragma once

#include <stdint.h>

/* libmilter takes char * where it only reads. */
static inline char *kit_foreign(const char *text)
{
	return (char *)(uintptr_t)text;
}
