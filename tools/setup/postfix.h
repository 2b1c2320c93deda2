/* main.cf and master.cf: what they say now, and the steps to what they should say. */
#pragma once

#include "tools/setup/plan.h"
#include "tools/setup/wish.h"

#define SETUP_MAIN_CF "/etc/postfix/main.cf"
#define SETUP_MASTER_CF "/etc/postfix/master.cf"
#define SETUP_MAPS "/etc/postward/postfix" /* folder of the pgsql tables */

/* Texts as postconf prints them. */
struct setup_postfix {
	struct pw_buf main;     /* name = value, what main.cf says */
	struct pw_buf services; /* one service a line */
	struct pw_buf options;  /* name/type/parameter = value */
	struct pw_buf types;    /* of tables, one a line */
	struct pw_buf known;    /* name = default, of parameters not every release has */
	bool has_main;          /* no: Debian's "No configuration" */
};

/* For PW_AUTO. */
void setup_postfix_done(struct setup_postfix *now);
/* Errors  PW_ERR_NOTFOUND (no Postfix), PW_ERR_IO, and as tool_postconf */
PW_MUST_CHECK enum pw_status setup_postfix_read(struct setup_postfix *now);

/* "name = value" among lines; at is NULL where there is none. Borrowed. */
struct pw_str setup_postfix_value(const struct pw_buf *lines, const char *name);

/* The steps; wish is checked and names a certificate and a key. Pure. */
void setup_plan_main(struct setup_plan *plan, const struct setup_wish *wish,
                     const struct setup_postfix *now);
void setup_plan_master(struct setup_plan *plan, const struct setup_wish *wish,
                       const struct setup_postfix *now);
/* What stands for the @names@ of both; memory of the plan.
 *
 * count_out  of the table returned */
const struct setup_name *setup_postfix_names(struct setup_plan *plan,
                                             const struct setup_wish *wish,
                                             size_t *count_out);
