/* Inside the kit: signals, which libmilter would take for itself.
 *
 * libmilter starts a thread that waits in sigwait(3) for SIGHUP, SIGTERM and SIGINT and
 * stops the whole filter at any of them. Here they are blocked in every thread but the
 * main one, whose handler is installed with SA_NODEFER: so the kernel nearly always gives
 * them to us. Nearly: while one signal is pending for the main thread the kernel offers
 * the next one to the thread in sigwait. That is why signals.c also holds a sigwait of
 * our own, which libmilter's call binds to and which never returns for it. */
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
