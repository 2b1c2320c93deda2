/* Scores as text: names, decimal points, header values. */
#pragma once

#include "core/score.h"

/* "SPF_PASS"; "client"; "add header". Static text. */
const char *pw_symbol_text(enum pw_symbol symbol);
const char *pw_symbol_help(enum pw_symbol symbol);
const char *pw_group_text(enum pw_group group);
const char *pw_group_help(enum pw_group group);
enum pw_group pw_symbol_group(enum pw_symbol symbol);
const char *pw_action_text(enum pw_action action);

/* "-1.250": always three digits behind the point. */
void pw_milli_put(struct pw_buf *out, int64_t milli);
/* "1.5", "-2", ".25": what a numeric column prints. Digits beyond the third are cut off.
 *
 * Errors  PW_ERR_SYNTAX; PW_ERR_RANGE beyond PW_SCORE_MAX_MILLI */
PW_MUST_CHECK enum pw_status pw_milli_parse(int64_t *out, struct pw_str text);

/* Value of X-Spam-Status: "Yes, score=7.300 required=6.000 tests=[A=1.000, ...]", folded
 * with LF and HTAB. */
void pw_score_put_status(struct pw_buf *out, const struct pw_score_plan *plan);
/* The account for a person, one line each, sum last. */
void pw_score_put_account(struct pw_buf *out, const struct pw_score_plan *plan);
