/* Inside the kit: signals. They are blocked in every thread but the main one. */
#pragma once

#include <stdbool.h>

#include "core/base.h"
#include "core/status.h"

/* After kit_signals_block: install the handlers and unblock in the calling thread, which
 * must be the main one. kit_signals_wait returns at each signal and at each
 * kit_signals_wake.
 *
 * Errors  PW_ERR_IO */
PW_MUST_CHECK enum pw_status kit_signals_open(void);
/* Wait until something came or timeout_ms passed. */
void kit_signals_wait(int timeout_ms);
/* Has this signal come since it was last asked for? Many count as one. */
bool kit_signals_take(int signal);
/* From any thread: end kit_signals_wait. */
void kit_signals_wake(void);
