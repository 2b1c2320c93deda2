#include "mail/charsets.h"

#include <iconv.h>
#include <string.h>

#include "core/charset.h"

/* Rows that mean one charset share its converter. */
static bool is_kept(const char *name, size_t i)
{
	const char *other;

	while (i-- > 0 && pw_charset_label(i, &other) != NULL)
		if (strcmp(name, other) == 0)
			return true;
	return false;
}

void pw_charsets_keep(void)
{
	static iconv_t kept[PW_CHARSETS_MAX]; /* while one is open, its module stays */
	const char *name;

	for (size_t i = 0; i < PW_CHARSETS_MAX && pw_charset_label(i, &name) != NULL; i++)
		if (kept[i] == NULL && !is_kept(name, i))
			kept[i] = iconv_open("UTF-8", name);
}
