/* The command line of every daemon, and reading its settings:
 *
 *     -c FILE  instead of /etc/postward/<program>.conf; the shared settings then are
 *              postward.conf in FILE's folder, if there is one
 *     -o name=value  wins over the files; may be given several times
 *     -n  print settings that differ from the defaults    -d  print the defaults
 *     -t  check the settings and exit     --sample  print a sample file
 *     --version  --help */
#pragma once

#include "io/settings.h"

#define PW_OPTIONS_ASSIGN_MAX 100
#define PW_OPTIONS_RUN (-1)

struct pw_options {
	const char *config;                        /* -c; NULL = default place */
	const char *assign[PW_OPTIONS_ASSIGN_MAX]; /* -o, in order; borrowed from argv */
	size_t assign_count;
};

/* Read the command line and the settings, and do what needs no daemon (-n, -d, -t,
 * --help...).
 *
 * set_address  address of the program's `struct settings *`; filled when the daemon is to
 * run
 *
 * Returns PW_OPTIONS_RUN: go on. Else the exit code: 0 printed what was asked for, 2 bad
 * usage, 78 (EX_CONFIG) bad settings; what is wrong has been written to standard error.
 * Owner   *set_address: caller, pw_settings_free */
int pw_options_start(struct pw_options *out, const struct pw_settings_schema *schema,
                     int argc, char **argv, void *set_address);

/* Read the settings again for a reload. Parameters and errors as pw_settings_build; also
 * PW_ERR_CONFIG when a file cannot be read. */
PW_MUST_CHECK enum pw_status pw_options_reload(const struct pw_options *options,
                                               const struct pw_settings_schema *schema,
                                               void *out, const void *old,
                                               struct pw_buf *notes);
