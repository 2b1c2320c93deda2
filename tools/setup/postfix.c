#include "tools/setup/postfix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/file.h"
#include "tools/postfix.h"
#include "tools/setup/template.h"

#define FOLDER_VARIABLE "MAIL_CONFIG" /* postconf(1) */

void setup_postfix_done(struct setup_postfix *now)
{
	pw_buf_done(&now->main);
	pw_buf_done(&now->services);
	pw_buf_done(&now->options);
	pw_buf_done(&now->types);
	pw_buf_done(&now->known);
}

static enum pw_status read_all(struct setup_postfix *now)
{
	static const char *const values[] = { "-n", NULL };
	static const char *const services[] = { "-M", NULL };
	static const char *const options[] = { "-P", NULL };
	static const char *const types[] = { "-m", NULL };
	static const char *const known[] = { "-d", "smtpd_forbid_bare_newline",
		                             "smtpd_forbid_unauth_pipelining", NULL };
	enum pw_status r;

	if ((r = tool_postconf(&now->main, values)) != PW_OK ||
	    (r = tool_postconf(&now->services, services)) != PW_OK ||
	    (r = tool_postconf(&now->options, options)) != PW_OK ||
	    (r = tool_postconf(&now->types, types)) != PW_OK)
		return r;
	return tool_postconf(&now->known, known);
}

/* postconf reads nothing where there is no main.cf: it gets a folder that has one. */
static enum pw_status read_without_main(struct setup_postfix *now)
{
	char folder[] = "/tmp/postward-setup-XXXXXX";
	char main_cf[sizeof(folder) + 16], master_cf[sizeof(folder) + 16];
	enum pw_status r;

	if (mkdtemp(folder) == NULL)
		return PW_ERR_IO;
	(void)snprintf(main_cf, sizeof(main_cf), "%s/main.cf", folder);
	(void)snprintf(master_cf, sizeof(master_cf), "%s/master.cf", folder);
	r = pw_file_replace(main_cf, PW_STR("compatibility_level = 3.6\n"), 0600);
	if (r == PW_OK && symlink(SETUP_MASTER_CF, master_cf) != 0)
		r = PW_ERR_IO;
	if (r == PW_OK && setenv(FOLDER_VARIABLE, folder, 1) != 0)
		r = PW_ERR_NOMEM;
	if (r == PW_OK)
		r = read_all(now);
	(void)unsetenv(FOLDER_VARIABLE);
	(void)unlink(main_cf);
	(void)unlink(master_cf);
	(void)rmdir(folder);
	return r;
}

enum pw_status setup_postfix_read(struct setup_postfix *now)
{
	setup_postfix_done(now);
	now->has_main = access(SETUP_MAIN_CF, F_OK) == 0;
	return now->has_main ? read_all(now) : read_without_main(now);
}

struct pw_str setup_postfix_value(const struct pw_buf *lines, const char *name)
{
	struct pw_str rest = pw_buf_str(lines);

	while (rest.len > 0) {
		struct pw_str value = pw_str_cut(&rest, '\n');
		struct pw_str before = pw_str_cut(&value, '=');

		if (pw_str_eq(pw_str_trim_wsp(before), pw_str_from(name))) {
			value = pw_str_trim_wsp(value);
			return value.len > 0 ? value : PW_STR("");
		}
	}
	return (struct pw_str){ NULL, 0 };
}

static const char *host(struct setup_plan *plan, const char *address)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	if (address != NULL)
		setup_put_host(&text, address);
	return setup_text_of(plan, &text);
}

const struct setup_name *setup_postfix_names(struct setup_plan *plan,
                                             const struct setup_wish *wish,
                                             size_t *count_out)
{
	const struct setup_name rows[] = {
		{ "hostname", wish->hostname },
		{ "domain", wish->domain },
		{ "listen", wish->listen },
		{ "listen_host", host(plan, wish->listen) },
		{ "peer", wish->peer },
		{ "peer_host", host(plan, wish->peer) },
		{ "peer_bits", strchr(wish->peer != NULL ? wish->peer : "", ':') != NULL
		                       ? "128"
		                       : "32" },
		{ "certificate", wish->certificate },
		{ "key", wish->key },
	};
	struct setup_name *names =
		pw_arena_array(plan->arena, PW_LEN(rows), sizeof(*names));

	*count_out = 0;
	if (names == NULL) {
		plan->status = PW_ERR_NOMEM;
		return NULL;
	}
	for (size_t i = 0; i < PW_LEN(rows); i++)
		names[i] = rows[i];
	*count_out = PW_LEN(rows);
	return names;
}
