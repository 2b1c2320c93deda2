#include "tools/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>

#include "tools/command.h"

static bool has_argument(const struct tool_option *o)
{
	return o->text != NULL || o->texts != NULL || o->number != NULL;
}

static bool put(const struct tool_option *o, const char *argument)
{
	if (o->text != NULL)
		*o->text = argument;
	if (o->flag != NULL)
		*o->flag = true;
	if (o->texts != NULL) {
		if (o->texts->count == TOOL_TEXTS_MAX)
			return false;
		o->texts->at[o->texts->count++] = argument;
	}
	return o->number == NULL ||
	       pw_str_to_int64(pw_str_from(argument), o->min, o->max, o->number) == PW_OK;
}

int tool_wrong_use(const char *usage)
{
	(void)fputs(usage, stderr);
	return EXIT_WRONG_USE;
}

/* getopt_long says which by its index: val is that of all rows alike, so that no index
 * can be taken for the '?' of an unknown option. */
bool tool_options_take(const struct tool_option *all, size_t count, const char *usage,
                       int argc, char **argv, int *operand_out, int *exit_out)
{
	struct option names[TOOL_OPTIONS_MAX + 2] = { { "help", no_argument, NULL, 0 } };
	int c, which;

	assert(count <= TOOL_OPTIONS_MAX);
	for (size_t i = 0; i < count; i++) {
		names[i + 1].name = all[i].name;
		names[i + 1].has_arg =
			has_argument(&all[i]) ? required_argument : no_argument;
	}
	while ((c = getopt_long(argc, argv, "", names, &which)) == 0) {
		if (which == 0) {
			(void)fputs(usage, stdout);
			*exit_out = EXIT_FINE;
			return false;
		}
		if (!put(&all[which - 1], optarg))
			break;
	}
	if (c != -1) {
		*exit_out = tool_wrong_use(usage);
		return false;
	}
	*operand_out = optind;
	return true;
}
