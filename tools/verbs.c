#include "tools/verbs.h"

#include <stdio.h>
#include <string.h>

#include "tools/command.h"

/* One text of all: only the first begins with "usage:". */
static int print_usage(const struct tool_verb *verbs, size_t count, FILE *out)
{
	static const char word[] = "usage:";

	for (size_t i = 0; i < count; i++)
		fprintf(out, "%*s%s", (int)sizeof(word) - 1, i == 0 ? word : "",
		        verbs[i].usage + sizeof(word) - 1);
	return out == stdout ? EXIT_FINE : EXIT_WRONG_USE;
}

static const struct tool_verb *find_verb(const struct tool_verb *verbs, size_t count,
                                         const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

int tool_run_verb(const struct tool_verb *verbs, size_t count, int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return print_usage(verbs, count, stdout);
	for (int i = 1; i < argc; i++) {
		const struct tool_verb *verb = find_verb(verbs, count, argv[i]);
		char *word = argv[i];

		if (verb == NULL)
			continue;
		memmove(&argv[2], &argv[1], (size_t)(i - 1) * sizeof(*argv));
		argv[1] = word;
		return verb->run(argc - 1, argv + 1);
	}
	return print_usage(verbs, count, stderr);
}
