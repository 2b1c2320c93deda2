#include "tools/shipped.h"

#include <stdlib.h>
#include <unistd.h>

#include "io/file.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024)

void shipped_own_folder(struct pw_buf *out)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
	struct pw_str all = { path, n > 0 ? (size_t)n : 0 };

	pw_buf_puts(out, pw_str_sub(all, 0, pw_str_rfind(all, '/')));
}

static enum pw_status read_in(struct pw_buf *out, struct pw_str folder, const char *below,
                              const char *name)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	enum pw_status r;

	pw_buf_printf(&path, "%.*s%s/%s", PW_FMT(folder), below, name);
	if ((r = pw_buf_status(&path)) != PW_OK)
		return r;
	return pw_file_read(out, pw_buf_text(&path), FILE_MAX_BYTES);
}

enum pw_status shipped_read(struct pw_buf *out, const struct shipped *where,
                            const char *name)
{
	PW_AUTO(pw_buf_done) struct pw_buf own = { 0 };
	const char *wanted = getenv(where->variable);
	enum pw_status r = read_in(
		out, pw_str_from(wanted != NULL ? wanted : where->installed), "", name);

	if (r != PW_ERR_NOTFOUND || wanted != NULL)
		return r;
	shipped_own_folder(&own);
	return read_in(out, pw_buf_str(&own), where->source, name);
}
