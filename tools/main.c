/* postwardctl: chores of an administrator that SQL cannot do. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/base.h"
#include "tools/command.h"

/* clang-format off */
static const struct command commands[] = {
	{ "setup", command_setup, "make this host a mail host, show what would be done, undo it" },
	{ "check", command_check, "look at this host: problems, and what cures them" },
	{ "metrics", command_metrics, "numbers of all programs as Prometheus text" },
	{ "dns", command_dns, "does DNS say what it should about our domains?" },
	{ "edge", command_edge, "what the public host of two needs" },
	{ "schema", command_schema, "schema mail of the database: status, migrate, verify" },
	{ "passwd", command_passwd, "set a password without leaving it in SQL; app passwords" },
	{ "dkim", command_dkim, "make, import and export DKIM keys, show their DNS records" },
	{ "import", command_import, "take over users, domains and aliases of another system" },
	{ "spf", command_spf, "evaluate SPF for a client, HELO name and sender" },
	{ "scan", command_scan, "judge messages in files: score, symbols, action" },
	{ "learn", command_learn, "teach Bayes messages in files: spam or ham" },
	{ "verify", command_verify, "verify the DKIM signatures of messages in files" },
};
/* clang-format on */

static int usage(FILE *out)
{
	fputs("usage: postwardctl COMMAND [OPTION...]; COMMAND --help tells more\n", out);
	for (size_t i = 0; i < PW_LEN(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	return out == stdout ? EXIT_FINE : EXIT_WRONG_USE;
}

int main(int argc, char **argv)
{
	/* whoever started us may ignore it: then nobody learns how children ended */
	(void)signal(SIGCHLD, SIG_DFL);
	if (argc < 2)
		return usage(stderr);
	if (strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	if (strcmp(argv[1], "--version") == 0) {
		puts("postwardctl " PW_VERSION);
		return EXIT_FINE;
	}
	for (size_t i = 0; i < PW_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "postwardctl: no such command: %s\n", argv[1]);
	return usage(stderr);
}
