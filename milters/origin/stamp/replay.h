/* The deliveries of stamped messages that have been here, for all threads, mapped from
 * the file replay.table in the state directory: what is written there outlives kill -9
 * without a system call. */
#pragma once

#include "core/stamp.h"
#include "origin/stamp/replay_table.h"

struct replay;

/* Map the file, making it first if need be. One that is no such file is set aside, which
 * is logged, and a new one begins: what was seen before is not known then, so stamps made
 * before are REPLAY_UNSURE; mail goes on. Where no file can be (disk full, no rights) it
 * is memory of this process alone, which is logged as well.
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_CRYPTO (no random)
 * Owner   caller, replay_close */
PW_MUST_CHECK enum pw_status replay_open(struct replay **out, const char *folder,
                                         int64_t now_s);
void replay_close(struct replay **replay);

/* A message with a good stamp has come for these recipients: has it been here, and if it
 * is no other message, remember that it has. In one step: of two at once one is new.
 *
 * Returns the gravest verdict of all recipients. */
enum replay_verdict replay_check(struct replay *replay, const struct pw_stamp *stamp,
                                 const struct pw_str *recipients, size_t count,
                                 int64_t now_s);
