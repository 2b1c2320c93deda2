/* postwardctl edge: which verb it is. */
#include <stdio.h>
#include <string.h>

#include "core/base.h"
#include "tools/command.h"
#include "tools/edge/verbs.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
} verbs[] = {
	{ "pass", edge_pass, edge_pass_usage },
};

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
int command_edge(int argc, char **argv)
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
