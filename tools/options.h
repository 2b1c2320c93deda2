/* Command line of a subcommand: a table of options instead of a ladder. */
#pragma once

#include "core/str.h"

#define TOOL_OPTIONS_MAX 20
#define TOOL_TEXTS_MAX 100

/* Arguments of an option that may be given several times. */
struct tool_texts {
	const char *at[TOOL_TEXTS_MAX];
	size_t count;
};

/* Where its argument goes: one of the four is set. With none the option is accepted and
 * does nothing. */
struct tool_option {
	const char *name;
	const char **text;
	struct tool_texts *texts;
	bool *flag; /* has no argument */
	int64_t *number;
	int64_t min, max; /* of number */
};

/* Take the options off the command line; --help is known to all.
 *
 * usage        printed for --help, and to standard error for wrong use
 * operand_out  index in argv of what follows the options
 * exit_out     set when the subcommand ends here
 *
 * Returns false for --help and for wrong use. */
bool tool_options_take(const struct tool_option *all, size_t count, const char *usage,
                       int argc, char **argv, int *operand_out, int *exit_out);
/* Print usage to standard error; returns EXIT_WRONG_USE. */
int tool_wrong_use(const char *usage);
