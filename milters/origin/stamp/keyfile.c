#include "origin/stamp/keyfile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "io/file.h"

#define OTHERS (S_IRWXG | S_IRWXO)

static void wipe(struct pw_buf *file)
{
	if (file->at)
		pw_wipe(file->at, file->room);
	pw_buf_done(file);
}

enum pw_status keyfile_load(struct pw_stamp_keys *out, const char *path,
                            struct pw_buf *why_out)
{
	/* read in one piece: no copies of keys stay behind */
	PW_AUTO(wipe) struct pw_buf file = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf what = { 0 };
	struct stat st;
	enum pw_status r;

	out->count = 0;
	if (!path[0])
		return PW_OK;
	if (stat(path, &st) != 0) {
		pw_buf_printf(why_out, "stamp_keys = %s: %s", path, strerror(errno));
		return PW_ERR_CONFIG;
	}
	if (st.st_mode & OTHERS) {
		pw_buf_printf(why_out,
		              "stamp_keys = %s: mode %04o, must be 0600 or less: others "
		              "than its owner may read or change it",
		              path, (unsigned)st.st_mode & 07777);
		return PW_ERR_CONFIG;
	}
	if ((r = pw_file_read(&file, path, PW_STAMP_KEY_FILE_MAX)) == PW_OK)
		r = pw_stamp_keys_parse(out, pw_buf_str(&file), &what);
	if (r == PW_OK)
		return PW_OK;
	pw_buf_printf(why_out, "stamp_keys = %s: %s", path,
	              what.len ? pw_buf_text(&what) : pw_status_text(r));
	return PW_ERR_CONFIG;
}
