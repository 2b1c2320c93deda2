/* Which certificate is shown, and what is wrong with it. */
#pragma once

#include "tools/certificate.h"
#include "tools/check/check.h"

/* Files of the certificate and of its key; empty = none is set. */
struct certificate_files {
	struct pw_str chain, key;
};
struct certificate_files certificate_of_postfix(const struct postconf *conf);
struct certificate_files certificate_of_dovecot(const struct doveconf *conf);

/* Pure.
 *
 * who  "Postfix"
 * host the name users know it by */
void judge_certificate(struct check_report *report, const char *who,
                       const struct certificate *cert, struct pw_str host, int64_t now_s);
