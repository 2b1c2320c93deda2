#include "tools/setup/template.h"

#include <string.h>

static const struct setup_name *find(struct pw_str word, const struct setup_name *names,
                                     size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (pw_str_eq(word, pw_str_from(names[i].name)))
			return &names[i];
	return NULL;
}

void setup_expand(struct pw_buf *out, struct pw_str text, const struct setup_name *names,
                  size_t count)
{
	while (text.len > 0) {
		size_t at = pw_str_find(text, '@');
		struct pw_str rest = pw_str_sub(text, at + 1, text.len);
		size_t len = pw_str_find(rest, '@');
		const struct setup_name *known =
			len < rest.len ? find(pw_str_sub(rest, 0, len), names, count)
				       : NULL;

		if (known == NULL) {
			pw_buf_puts(out, pw_str_sub(text, 0, at + 1));
			text = rest;
			continue;
		}
		pw_buf_puts(out, pw_str_sub(text, 0, at));
		pw_buf_puts(out, pw_str_from(known->value));
		text = pw_str_sub(rest, len + 1, rest.len);
	}
}

void setup_put_host(struct pw_buf *out, const char *address)
{
	bool is_v6 = strchr(address, ':') != NULL;

	pw_buf_printf(out, is_v6 ? "[%s]" : "%s", address);
}
