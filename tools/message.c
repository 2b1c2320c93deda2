#include "tools/message.h"

#include "io/file.h"

void tool_message_put(struct pw_buf *out, struct pw_str text)
{
	if (pw_str_starts(text, PW_STR("From ")) || pw_str_starts(text, PW_STR(">From ")))
		pw_str_cut(&text, '\n');
	while (text.at != NULL && text.len > 0) {
		struct pw_str line = pw_str_cut(&text, '\n');

		pw_buf_puts(out, line);
		if (text.at == NULL)
			break;
		pw_buf_puts(out, line.len > 0 && line.at[line.len - 1] == '\r'
		                         ? PW_STR("\n")
		                         : PW_STR("\r\n"));
	}
}

enum pw_status tool_message_read(struct pw_buf *out, const char *path)
{
	PW_AUTO(pw_buf_done) struct pw_buf raw = { 0 };
	enum pw_status r = pw_file_read(&raw, path, PW_FILE_READ_MAX);

	if (r != PW_OK)
		return r;
	tool_message_put(out, pw_buf_str(&raw));
	return pw_buf_status(out);
}
