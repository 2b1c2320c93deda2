/* Names of charsets, as mail writes them. A pure table; who converts is elsewhere. */
#pragma once

#include "core/str.h"

#define PW_CHARSET_LABEL_MAX 40
#define PW_CHARSETS_MAX 400 /* rows of the table */

/* iconv's name of the charset that a label means, case and blanks around it ignored;
 * "UTF-8" and "US-ASCII" are among them. NULL for a label that nobody knows. */
const char *pw_charset_find(struct pw_str label);
/* Row i's label, and name_out its charset; NULL behind the last one. */
const char *pw_charset_label(size_t i, const char **name_out);
