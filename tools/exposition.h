/* Prometheus' text format (0.0.4), several texts joined into one that is valid whatever
 * they are. Pure. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

#define EXPOSITION_FAMILIES_MAX 1000
#define EXPOSITION_SAMPLES_MAX 20000

struct exposition;

/* Errors  PW_ERR_NOMEM
 * Owner   lives in arena */
PW_MUST_CHECK enum pw_status exposition_new(struct exposition **out,
                                            struct pw_arena *arena);
/* Take over what is well formed of a text: a line cut off, a sample twice, a type that
 * says otherwise than before, and timestamps, which node_exporter refuses, are left out.
 *
 * prefix   of names: no other is its author's to give
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status exposition_add(struct exposition *all, struct pw_str prefix,
                                            struct pw_str text);
/* Write it: every family once, HELP and TYPE before its samples. */
void exposition_put(struct pw_buf *out, const struct exposition *all);
