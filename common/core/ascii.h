/* ASCII classes, free of locale. */
#pragma once

#include <stdbool.h>

static inline char pw_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool pw_is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool pw_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool pw_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool pw_is_alnum(char c)
{
	return pw_is_alpha(c) || pw_is_digit(c);
}

/* Printable ASCII, blank included. */
static inline bool pw_is_print(char c)
{
	return c >= ' ' && c <= '~';
}

/* Value of a hexadecimal digit, or -1. */
static inline int pw_hex_value(char c)
{
	if (pw_is_digit(c))
		return c - '0';
	c = pw_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
