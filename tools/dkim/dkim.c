/* postwardctl dkim: which verb it is. */
#include <stdio.h>

#include "core/buf.h"
#include "tools/command.h"
#include "tools/dkim/verbs.h"
#include "tools/verbs.h"

void dkim_print_record(struct pw_str name, struct pw_str value)
{
	printf("%.*s. IN TXT (", PW_FMT(name));
	for (size_t at = 0; at < value.len; at += 255)
		printf(" \"%.*s\"", PW_FMT(pw_str_sub(value, at, 255)));
	puts(" )");
}

void dkim_put_name(struct pw_buf *out, struct pw_str selector, struct pw_str domain)
{
	pw_buf_printf(out, "%.*s._domainkey.%.*s", PW_FMT(selector), PW_FMT(domain));
}

int command_dkim(int argc, char **argv)
{
	static const struct tool_verb verbs[] = {
		{ "new", dkim_new, dkim_new_usage },
		{ "import", dkim_import, dkim_import_usage },
		{ "export", dkim_export, dkim_export_usage },
		{ "host-key", dkim_host_key, dkim_host_key_usage },
	};

	return tool_run_verb(verbs, PW_LEN(verbs), argc, argv);
}
