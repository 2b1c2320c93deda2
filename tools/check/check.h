/* What the files of postwardctl check share: a table of checks, each of which looks at
 * one thing and reports problems. A check is two steps: gather facts (files, programs,
 * sockets; every one with a deadline), then judge them, which is pure and has tests of
 * its own. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"
#include "tools/doveconf.h"
#include "tools/postconf.h"

#define SETUP_CONF "/etc/postward/setup.conf"

enum check_severity {
	CHECK_ERROR,   /* mail is lost, refused, exposed, or soon will be */
	CHECK_WARNING, /* works, but not as it should */
	CHECK_SKIPPED, /* not looked at, because it does not apply here */
};

struct check_problem {
	enum check_severity severity;
	struct pw_str text, cure; /* cure: a command, or empty */
};

/* What a check found: problems one behind the other, as text. All zero is none. */
struct check_report {
	struct pw_buf bytes;
	bool is_full; /* there are more than anybody reads: the rest is left out */
};

/* For PW_AUTO. */
void check_report_done(struct check_report *report);
void check_error(struct check_report *report, const char *fmt, ...) PW_PRINTF(2, 3);
void check_warning(struct check_report *report, const char *fmt, ...) PW_PRINTF(2, 3);
/* The command that cures the problem last reported. */
void check_cure(struct check_report *report, const char *fmt, ...) PW_PRINTF(2, 3);
/* This does not apply here. */
void check_skip(struct check_report *report, const char *fmt, ...) PW_PRINTF(2, 3);
/* It should have been looked at and could not be: a warning with the reason. */
void check_blind(struct check_report *report, const char *fmt, ...) PW_PRINTF(2, 3);
/* Walk over bytes of a report: start with *rest = all of them; false at the end. Borrowed
 * from the report. */
bool check_next(struct pw_str *rest, struct check_problem *out);

enum check_role {
	CHECK_SINGLE = 1,
	CHECK_EDGE = 2,
	CHECK_INNER = 4,
	CHECK_MAILBOXES =
		CHECK_SINGLE | CHECK_INNER, /* hosts with a database and Dovecot */
	CHECK_ANY = CHECK_SINGLE | CHECK_EDGE | CHECK_INNER,
};

struct check_options {
	const char *database; /* NULL = as each program is told */
	const char *probe;    /* host to try port 25 of; NULL = known ones */
	const char *sql_folder;
	const char *zone, *dns_servers; /* as tool_resolver_open takes them */
	bool has_network;
	int64_t timeout_ms;
};

/* What is known of the host before the checks begin; they only read it. Texts are never
 * NULL and live in the arena. */
struct check_context {
	const struct check_options *opt;
	struct pw_arena *arena;
	enum check_role role;
	bool is_set_up; /* there is a setup.conf */
	struct pw_str hostname, listen_private, peer;
	struct postconf postfix;   /* without services: could not be read */
	struct pw_str postfix_why; /* then */
	struct doveconf dovecot;
	struct pw_str dovecot_why;
	int64_t deadline_ms; /* monotonic, of every check */
};

#define CHECK_CONNINFO "dbname=postward" /* setting database where nothing is set */

typedef void check_fn(struct check_report *report, const struct check_context *context);

struct check {
	const char *group, *name;
	check_fn *look;
	unsigned int roles; /* where it applies */
	bool needs_network; /* asks hosts of other people */
};

/* Run checks, each in a process of its own: none waits for another, and one that hangs is
 * ended at the deadline.
 *
 * reports  as many as checks, all zero
 *
 * Errors  PW_ERR_IO no process could be made */
PW_MUST_CHECK enum pw_status check_run(const struct check *checks, size_t count,
                                       const struct check_context *context,
                                       struct check_report *reports);
/* Gather what is in the context.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status check_context_init(struct check_context *out,
                                                const struct check_options *opt);
void check_context_done(struct check_context *context);
/* Where the database is: of the command line, else of postward.conf. */
void check_put_conninfo(struct pw_buf *out, const struct check_context *context);

check_fn check_main_cf, check_milters, check_stages, check_relay, check_tls;
check_fn check_dovecot_config, check_dovecot_logins, check_dovecot_modules,
	check_dovecot_files;
check_fn check_milter_sockets, check_policy_sockets, check_table_sockets,
	check_sasl_socket, check_guest_sockets, check_clamd_socket;
check_fn check_services;
check_fn check_database, check_schema, check_rows, check_roles, check_maps;
check_fn check_clock, check_database_clock;
check_fn check_postfix_certificate, check_dovecot_certificate;
check_fn check_dns, check_lists, check_outbound, check_offline;
check_fn check_ports;
check_fn check_fail2ban, check_snapshots, check_space, check_queue, check_held;
