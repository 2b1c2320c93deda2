#include "core/charset.h"

#include <string.h>

#include "core/ascii.h"

struct charset {
	const char *label, *name;
};

static const struct charset charsets[] = {
#define PW_CHARSET(label, name) { label, name },
#include "core/charset.def"
};

_Static_assert(PW_LEN(charsets) <= PW_CHARSETS_MAX, "more rows than others expect");

const char *pw_charset_find(struct pw_str label)
{
	char lower[PW_CHARSET_LABEL_MAX + 1];
	size_t from = 0, to = PW_LEN(charsets);

	label = pw_str_trim(label);
	if (label.len > PW_CHARSET_LABEL_MAX)
		return NULL;
	for (size_t i = 0; i < label.len; i++)
		if ((lower[i] = pw_lower(label.at[i])) == '\0')
			return NULL;
	lower[label.len] = '\0';
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = strcmp(lower, charsets[middle].label);

		if (order == 0)
			return charsets[middle].name;
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
}

const char *pw_charset_label(size_t i, const char **name_out)
{
	if (i >= PW_LEN(charsets))
		return NULL;
	*name_out = charsets[i].name;
	return charsets[i].label;
}
