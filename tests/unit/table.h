/* A table of labelled rows, each reported by name. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* One reported test per row; every row type begins with `const char *label`. */
#define PW_TABLE_TESTS(tests, first, rows, check)                                         \
	for (size_t i_ = 0; i_ < sizeof(rows) / sizeof((rows)[0]); i_++)                  \
	(tests)[(first) + i_] =                                                           \
		(struct CMUnitTest){ (rows)[i_].label, check, NULL, NULL, &(rows)[i_] }
