/* What parses, written down again, parses to the same tags. */
#include <stdlib.h>

#include "core/taglist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_down(struct pw_buf *out, const struct pw_taglist *list)
{
	for (size_t i = 0; i < list->count; i++) {
		pw_buf_puts(out, list->tags[i].name);
		pw_buf_putc(out, '=');
		pw_buf_puts(out, list->tags[i].value);
		pw_buf_putc(out, ';');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str text = { (const char *)data, size };
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf twice = { 0 };
	struct pw_taglist list;

	if (pw_taglist_parse(&list, text) != PW_OK)
		return 0;
	write_down(&once, &list);
	if (pw_taglist_parse(&list, pw_buf_str(&once)) != PW_OK)
		abort();
	write_down(&twice, &list);
	if (!pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)))
		abort();
	return 0;
}
