/* The counters of postward-policyd, and the thread that writes them to the state
 * directory: the answering thread must not wait for a disk. */
#pragma once

#include "io/counters.h"

enum number {
#define PW(type, id, name, labels, help) NUMBER_##id,
#include "policyd/counters.def"
#undef PW
	NUMBER_IDS
};

extern struct pw_counters numbers;

struct numbers_writer;

/* Write metrics.prom into directory now and every 15 s. A failure is logged once.
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_IO (no thread)
 * Owner   caller, numbers_stop */
PW_MUST_CHECK enum pw_status numbers_start(struct numbers_writer **out,
                                           const char *directory);
/* Write them now (SIGUSR1). */
void numbers_poke(struct numbers_writer *writer);
/* Write a last time and end the thread. */
void numbers_stop(struct numbers_writer **writer);
