/* postwardctl dkim: which verb it is. */
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "tools/command.h"
#include "tools/dkim/verbs.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
} verbs[] = {
	{ "new", dkim_new, dkim_new_usage },
	{ "import", dkim_import, dkim_import_usage },
	{ "export", dkim_export, dkim_export_usage },
};

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

/* One text of all: only the first begins with "usage:". */
static int print_usage(FILE *out)
{
	static const char word[] = "usage:";

	for (size_t i = 0; i < PW_LEN(verbs); i++)
		fprintf(out, "%*s%s", (int)sizeof(word) - 1, i == 0 ? word : "",
		        verbs[i].usage + sizeof(word) - 1);
	return out == stdout ? EXIT_FINE : EXIT_WRONG_USE;
}

static const struct verb *find_verb(const char *word)
{
	for (size_t i = 0; i < PW_LEN(verbs); i++)
		if (strcmp(word, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

/* As with every command, options may stand before the verb too: it is brought to the
 * front. */
int command_dkim(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return print_usage(stdout);
	for (int i = 1; i < argc; i++) {
		const struct verb *verb = find_verb(argv[i]);
		char *word = argv[i];

		if (verb == NULL)
			continue;
		memmove(&argv[2], &argv[1], (size_t)(i - 1) * sizeof(*argv));
		argv[1] = word;
		return verb->run(argc - 1, argv + 1);
	}
	return print_usage(stderr);
}
