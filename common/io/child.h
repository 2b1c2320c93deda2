/* Other programs, run without a shell: their words in, their words out, under a deadline.
 */
#pragma once

#include "core/buf.h"

/* Run a program and wait for its end.
 *
 * argv        argv[0] is looked for in PATH and /usr/sbin; the last element is NULL
 * input       what it reads on standard input; then the end of the file
 * out, err    what it wrote to standard output and error is appended; NULL = thrown away.
 *             Beyond a buffer's maximum the rest is read and dropped (pw_buf_status)
 * timeout_ms  then it is killed
 * exit_out    its exit code; 128 + number of the signal that ended it; 127 where it is
 *             not installed
 *
 * Errors  PW_ERR_NOTFOUND (no such program), PW_ERR_TIMEOUT, PW_ERR_IO (errno) */
PW_MUST_CHECK enum pw_status pw_child_run(const char *const *argv, struct pw_str input,
                                          struct pw_buf *out, struct pw_buf *err,
                                          int64_t timeout_ms, int *exit_out);
