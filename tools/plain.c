#include "tools/plain.h"

#include <stdio.h>

void tool_print_plain(struct pw_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];

		(void)putchar(c < ' ' || c == 127 ? ' ' : c);
	}
}
