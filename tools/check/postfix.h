/* What is wrong with main.cf and master.cf: pure judgements over what postconf printed.
 */
#pragma once

#include "tools/check/check.h"

/* Parameters that hold for all of Postfix. */
void judge_main_cf(struct check_report *report, const struct postconf *conf,
                   enum check_role role);
/* Which milters stand where, in which order, and what happens when one is away. */
void judge_milters(struct check_report *report, const struct postconf *conf,
                   enum check_role role);
/* Is the policy daemon asked at the stages at which it can answer? */
void judge_stages(struct check_report *report, const struct postconf *conf,
                  enum check_role role);
/* Who may send to anywhere, and say that it is somebody else (XCLIENT). */
void judge_relay(struct check_report *report, const struct postconf *conf,
                 enum check_role role);
/* On an inner host: does the edge host get its mail in?
 *
 * peer  its address */
void judge_peer(struct check_report *report, const struct postconf *conf,
                struct pw_str peer);
/* Are passwords and mail of users sent encrypted only? */
void judge_tls(struct check_report *report, const struct postconf *conf,
               enum check_role role);
/* A domain of SQL that main.cf gives to something else.
 *
 * domains  names, one a line */
void judge_destinations(struct check_report *report, const struct postconf *conf,
                        struct pw_str domains);
