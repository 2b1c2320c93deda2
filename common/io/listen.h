/* Listening sockets by name: unix:/path, inet:HOST:PORT, or one passed by systemd,
 * fd:NAME. */
#pragma once

#include <sys/types.h>

#include "core/buf.h"

struct pw_listener {
	int fd;     /* -1 = closed; non-blocking only if the caller makes it so */
	char *path; /* of the socket file we made, else NULL */
	dev_t device;
	ino_t inode;
};

/* Open what spec says.
 *
 * spec     unix:/path   mode 0660 (group from a setgid directory); a file left over by a
 * dead process is replaced, but only if it is a socket nobody answers on inet:HOST:PORT
 * HOST may be [v6]; TCP_NODELAY is set, accepted sockets inherit it fd:NAME descriptor of
 * that name (LISTEN_FDNAMES); the file stays systemd's why_out  on failure: one line for
 * the log
 *
 * Errors  PW_ERR_CONFIG (spec), PW_ERR_DENIED (somebody answers there already),
 * PW_ERR_NOTFOUND (no descriptor of that name), PW_ERR_IO Owner   caller,
 * pw_listener_close */
PW_MUST_CHECK enum pw_status pw_listener_open(struct pw_listener *out, struct pw_str spec,
                                              struct pw_buf *why_out);
/* The same, unless systemd passed a descriptor of that name: then it is taken and spec
 * not looked at. */
PW_MUST_CHECK enum pw_status pw_listener_open_named(struct pw_listener *out,
                                                    const char *name, struct pw_str spec,
                                                    struct pw_buf *why_out);
/* Close, and remove the file if it is still ours. */
void pw_listener_close(struct pw_listener *listener);
/* Take no more connections, though another thread goes on accepting on this descriptor
 * number: it now waits for ever. Connections to a socket we made are refused from here
 * on, those to one of systemd's wait for our successor.
 *
 * Errors  PW_ERR_IO */
PW_MUST_CHECK enum pw_status pw_listener_silence(struct pw_listener *listener);
