/* Weights, thresholds and the admin's own rules as SQL has them. */
#pragma once

#include "core/arena.h"
#include "core/score.h"
#include "mail/own_maps.h"
#include "mail/own_rules.h"

/* Override weights with the rows of mail.snapshot_symbols, _groups and _actions, and add
 * the rules of mail.snapshot_score_rules and the maps of mail.snapshot_score_maps. What
 * cannot be used is told on standard error.
 *
 * arena     names of own symbols live there
 * conninfo  as in tool_database_open
 * exit_out  on failure: what to exit with, why has been written to standard error
 *
 * Returns false on failure. */
bool tool_weights_load(struct pw_weights *weights, struct pw_own_rules *rules,
                       struct pw_own_maps *maps, struct pw_arena *arena,
                       const char *conninfo, int *exit_out);
