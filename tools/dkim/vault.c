#include "tools/dkim/vault.h"

#include <stdio.h>
#include <sysexits.h>

#include "tools/command.h"
#include "tools/input.h"
#include "tools/settings_file.h"

#define PROGRAM "postward-dkim"

static int fail(int code, const char *what, const char *why)
{
	(void)fprintf(stderr, "postwardctl dkim: host key: %s: %s\n", what, why);
	return code;
}

void dkim_vault_file(struct pw_buf *out)
{
	settings_file_value(out, PROGRAM, "host_key", "");
	if (out->len > 0)
		return;
	settings_file_state(out, PROGRAM);
	pw_buf_puts(out, PW_STR("/host.key"));
}

int dkim_vault_parse(struct pw_vault **out, const char *what, struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	unsigned int line = 0;
	enum pw_status r = pw_vault_parse(out, text, &line);

	if (r == PW_OK)
		return EXIT_FINE;
	if (line > 0)
		pw_buf_printf(&why, "line %u: not 32 bytes in base64", line);
	else
		pw_buf_puts(&why, PW_STR("holds no key"));
	return fail(EX_DATAERR, what, pw_buf_text(&why));
}

int dkim_vault_read(struct pw_vault **out, const char *file)
{
	PW_AUTO(pw_buf_done) struct pw_buf usual = { 0 };
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	const char *why;
	enum pw_status r;

	dkim_vault_file(&usual);
	if (file == NULL)
		file = pw_buf_text(&usual);
	r = tool_read_regular(&text, file, PW_VAULT_FILE_MAX, &why);
	if (r != PW_OK)
		return fail(r == PW_ERR_DENIED ? EX_NOPERM : EX_NOINPUT, file, why);
	return dkim_vault_parse(out, file, pw_buf_str(&text));
}
