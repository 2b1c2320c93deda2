/* A process that reads what strangers wrote can do nothing else: no file, no network, no
 * other process. seccomp(2), landlock(7) where the kernel has it, PR_SET_NO_NEW_PRIVS. */
#pragma once

#include "core/base.h"
#include "core/status.h"

/* Shut the calling process, which has one thread, in for good. What is left to it: read
 * and write the one descriptor, memory, and its end. Every other system call fails with
 * EPERM.
 *
 * keep_fd  stays open; all others are closed
 *
 * Errors  PW_ERR_IO (errno): the kernel has no seccomp filter, and the process may be
 *         half shut in */
PW_MUST_CHECK enum pw_status jail_enter(int keep_fd);
