/* What is wrong with Dovecot's settings: pure judgements over what doveconf printed. */
#pragma once

#include "tools/check/check.h"

/* What doveconf complained of without refusing. */
void judge_complaints(struct check_report *report, struct pw_str complaints);
/* Who is asked about logins, in which order, and whether passwords need TLS. */
void judge_logins(struct check_report *report, const struct doveconf *conf);
/* Who may say, in front of a connection (PROXY protocol), who the client is? */
void judge_proxied_logins(struct check_report *report, const struct doveconf *conf);
/* Are our plugins named? */
void judge_plugins(struct check_report *report, const struct doveconf *conf);
/* Is a module made for this Dovecot? Both are the bytes of files, in which the ABI
 * stands as text.
 *
 * what  name of the module */
void judge_abi(struct check_report *report, const char *what, struct pw_str module,
               struct pw_str library);
/* Is a drop-in written in the words of the Dovecot that reads it? */
void judge_dialect(struct check_report *report, const char *path, struct pw_str text,
                   const struct doveconf *conf);
