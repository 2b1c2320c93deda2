#include "origin/queue/answer.h"

#define CODE_LEAVING 421
#define CODE_LATER 451

static void put_line(struct pw_buf *out, int code, char mark, const char *enhanced,
                     struct pw_str text)
{
	pw_buf_printf(out, "%d%c", code, mark);
	if (enhanced[0])
		pw_buf_printf(out, "%s%s", enhanced, text.len ? " " : "");
	pw_buf_puts(out, text);
	pw_buf_puts(out, PW_STR("\r\n"));
}

void answer_say(struct pw_buf *out, int code, const char *enhanced, const char *text)
{
	put_line(out, code, ' ', enhanced, pw_str_from(text));
}

void answer_put(struct pw_buf *out, int code, const char *enhanced, struct pw_str text)
{
	code = code == CODE_LEAVING ? CODE_LATER : code;
	do {
		struct pw_str line = pw_str_cut(&text, '\n');

		put_line(out, code, text.at ? '-' : ' ', enhanced, line);
	} while (text.at);
}
