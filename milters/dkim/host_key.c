#include "dkim/host_key.h"

#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"

void host_key_path(struct pw_buf *out, struct pw_str setting, const char *state_directory)
{
	if (setting.len > 0)
		pw_buf_puts(out, setting);
	else
		pw_buf_printf(out, "%s/host.key", state_directory);
}

/* Who else could read it knows all private keys of a dump. */
static enum pw_status check_rights(const char *path, struct pw_buf *why_out)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return PW_ERR_NOTFOUND;
	if (!S_ISREG(st.st_mode))
		pw_buf_printf(why_out, "%s is no regular file", path);
	else if (st.st_mode & 077)
		pw_buf_printf(why_out, "others may read %s: chmod 0400 %s", path, path);
	else if (st.st_uid != geteuid())
		pw_buf_printf(why_out, "another user owns %s: chown postward_dkim %s",
		              path, path);
	else
		return PW_OK;
	return PW_ERR_CONFIG;
}

enum pw_status host_key_read(struct pw_vault **out, const char *path,
                             struct pw_buf *why_out)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	unsigned int line = 0;
	enum pw_status r;

	if ((r = check_rights(path, why_out)) != PW_OK)
		return r;
	if ((r = pw_file_read(&text, path, PW_VAULT_FILE_MAX)) != PW_OK) {
		pw_buf_printf(why_out, "%s: %s", path, pw_status_text(r));
		return r;
	}
	r = pw_vault_parse(out, pw_buf_str(&text), &line);
	if (r == PW_OK || r == PW_ERR_NOMEM)
		return r;
	if (line > 0)
		pw_buf_printf(why_out, "%s, line %u: not 32 bytes in base64", path, line);
	else
		pw_buf_printf(why_out, "%s holds no key", path);
	return PW_ERR_CONFIG;
}

enum pw_status host_key_make(const char *path)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	enum pw_status r;

	pw_buf_puts(&text, PW_STR("# Seals private DKIM keys in the database; other "
	                          "nodes need the same file:\n"
	                          "# postwardctl dkim host-key export | import\n"));
	if ((r = pw_vault_put_new(&text)) != PW_OK)
		return r;
	return pw_file_replace(path, pw_buf_str(&text), 0400);
}
