/* A subcommand with verbs of its own: `postwardctl dkim new`, `postwardctl edge init`. */
#pragma once

#include <stddef.h>

struct tool_verb {
	const char *name;
	/* argv[0] is the verb; returns the exit code. */
	int (*run)(int argc, char **argv);
	const char *usage; /* begins with "usage:" */
};

/* Find the verb on the command line and run it. As with every command, options may stand
 * before it too.
 *
 * Returns an exit code */
int tool_run_verb(const struct tool_verb *verbs, size_t count, int argc, char **argv);
