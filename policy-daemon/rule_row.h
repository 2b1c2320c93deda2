/* One row of mail.snapshot_rate_rules, read. Pure. */
#pragma once

#include "policyd/rules.h"

struct rule_row {
	struct catalog_rule rule;
	struct rule_pattern who; /* text is what it is looked up by; FORM_ANY: "*" */
	struct pw_net net;       /* FORM_NET */
};

/* fields  RULES_COLUMNS of them
 *
 * Errors  as rules_add
 * Owner   texts live in arena */
PW_MUST_CHECK enum pw_status rule_row_read(struct rule_row *out, struct pw_arena *arena,
                                           const struct pw_str *fields);
/* fields  RULES_EXEMPTION_COLUMNS of them */
PW_MUST_CHECK enum pw_status rule_row_when(struct rule_when *out, struct pw_arena *arena,
                                           const struct pw_str *fields);
/* The address without its bits beyond those. */
struct pw_ip rule_row_mask(struct pw_ip ip, uint8_t bits);
