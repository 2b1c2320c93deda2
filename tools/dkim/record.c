#include "tools/dkim/record.h"

#include "core/buf.h"
#include "core/taglist.h"

/* Tags of a record as they count; people may have added others. */
static void put_key(struct pw_buf *out, struct pw_str record)
{
	struct pw_taglist tags;
	struct pw_str type;

	if (pw_taglist_parse(&tags, record) != PW_OK)
		return;
	type = pw_taglist_get(&tags, PW_STR("k"));
	pw_buf_puts(out, type.len > 0 ? type : PW_STR("rsa")); /* RFC 6376 3.6.1 */
	pw_buf_putc(out, ' ');
	pw_tag_put_packed(out, pw_taglist_get(&tags, PW_STR("p")));
}

bool dkim_is_same_key(struct pw_str a, struct pw_str b)
{
	PW_AUTO(pw_buf_done) struct pw_buf of_a = { 0 }, of_b = { 0 };

	put_key(&of_a, a);
	put_key(&of_b, b);
	return of_a.len > 0 && pw_str_eq(pw_buf_str(&of_a), pw_buf_str(&of_b));
}
