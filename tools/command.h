/* The subcommands of postwardctl: one file each, one line each in main.c. */
#pragma once

#include <stdint.h>

/* What every subcommand exits with; other failures use sysexits.h. */
enum exit_code { EXIT_FINE = 0, EXIT_PROBLEMS = 1, EXIT_WRONG_USE = 2 };

/* Unix seconds that --now takes: in milliseconds they still fit. */
#define TOOL_NOW_MAX (INT64_MAX / 1000)
#define TOOL_TIMEOUT_MS 10000 /* --timeout where it is not given */
#define TOOL_TIMEOUT_MS_MAX 3600000

struct command {
	const char *name;
	/* argv[0] is the subcommand's name; returns the exit code. */
	int (*run)(int argc, char **argv);
	const char *help; /* one line */
};

int command_check(int argc, char **argv);
int command_metrics(int argc, char **argv);
int command_dns(int argc, char **argv);
int command_edge(int argc, char **argv);
int command_schema(int argc, char **argv);
int command_passwd(int argc, char **argv);
int command_dkim(int argc, char **argv);
int command_learn(int argc, char **argv);
int command_import(int argc, char **argv);
int command_scan(int argc, char **argv);
int command_spf(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_setup(int argc, char **argv);
