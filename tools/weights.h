/* Weights and thresholds as SQL has them. */
#pragma once

#include "core/score.h"

/* Override weights with the rows of mail.snapshot_symbols, _groups and _actions.
 *
 * conninfo  as in tool_database_open
 * exit_out  set on failure; why has been written to standard error
 *
 * Returns false on failure. */
bool tool_weights_load(struct pw_weights *weights, const char *conninfo, int *exit_out);
