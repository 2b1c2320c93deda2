/* Weights, thresholds and the admin's own rules as SQL has them. */
#pragma once

#include "core/arena.h"
#include "core/composite.h"
#include "mail/own_maps.h"
#include "mail/own_rules.h"

/* Where rows go to. */
struct tool_rules {
	struct pw_weights *weights;
	struct pw_own_rules *rules;
	struct pw_own_maps *maps;
	struct pw_composites *composites;
	struct pw_arena *arena; /* names of own symbols live there */
};

/* Override weights with the rows of mail.snapshot_symbols, _groups and _actions, and add
 * the rules, maps and composites of mail.snapshot_score_rules, _score_maps and
 * _score_composites. What cannot be used is told on standard error.
 *
 * conninfo  as in tool_database_open
 * exit_out  on failure: what to exit with, why has been written to standard error
 *
 * Returns false on failure. */
bool tool_weights_load(const struct tool_rules *into, const char *conninfo,
                       int *exit_out);
