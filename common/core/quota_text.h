/* Sizes and quota rules as Dovecot and others write them: "10G", "*:storage=1G". */
#pragma once

#include "core/str.h"

/* Parse a size: a number and B, K, M, G or T (as KB and KiB too; 1024 each step), without
 * a letter counted in unit bytes (at least 1). Blanks around and before the letter are
 * fine.
 *
 * Errors  PW_ERR_SYNTAX; PW_ERR_RANGE beyond int64 */
PW_MUST_CHECK enum pw_status pw_size_parse(struct pw_str text, int64_t unit,
                                           int64_t *bytes_out);

struct pw_quota_rule {
	int64_t bytes, messages; /* -1 = the rule does not say; 0 = no limit */
};

/* Parse the value of a quota_rule, "*:storage=1G:messages=1000".
 *
 * Errors  PW_ERR_NOTFOUND a rule for one folder; PW_ERR_SYNTAX; PW_ERR_RANGE */
PW_MUST_CHECK enum pw_status pw_quota_rule_parse(struct pw_quota_rule *out,
                                                 struct pw_str rule);
