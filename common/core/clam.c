#include "core/clam.h"

#include <string.h>

#include "core/ascii.h"

static bool cut_end(struct pw_str *text, struct pw_str end)
{
	if (text->len < end.len ||
	    memcmp(text->at + text->len - end.len, end.at, end.len) != 0)
		return false;
	text->len -= end.len;
	return true;
}

/* What stands behind "stream: ", which older ones call "instream(local): ". */
static bool cut_subject(struct pw_str *text)
{
	size_t colon = pw_str_find(*text, ':');

	if (colon + 1 >= text->len || text->at[colon + 1] != ' ')
		return false;
	*text = pw_str_sub(*text, colon + 2, text->len);
	return true;
}

enum pw_status pw_clam_reply_parse(struct pw_clam_reply *out, struct pw_str text)
{
	struct pw_str rest = text;

	if (text.len > PW_CLAM_REPLY_MAX)
		return PW_ERR_PROTOCOL;
	if (cut_end(&rest, PW_STR(" ERROR"))) {
		*out = (struct pw_clam_reply){ PW_CLAM_FAILED, rest };
		return PW_OK;
	}
	if (!cut_subject(&rest))
		return PW_ERR_PROTOCOL;
	if (pw_str_eq(rest, PW_STR("OK"))) {
		*out = (struct pw_clam_reply){ PW_CLAM_CLEAN, PW_STR("") };
		return PW_OK;
	}
	if (!cut_end(&rest, PW_STR(" FOUND")) || rest.len == 0)
		return PW_ERR_PROTOCOL;
	*out = (struct pw_clam_reply){ PW_CLAM_FOUND, rest };
	return PW_OK;
}

void pw_clam_put_name(struct pw_buf *out, struct pw_str name)
{
	name = pw_str_sub(name, 0, PW_CLAM_NAME_MAX);
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];

		pw_buf_putc(out,
		            pw_is_print(c) && strchr(" \"'\\<>,", c) == NULL ? c : '?');
	}
}
