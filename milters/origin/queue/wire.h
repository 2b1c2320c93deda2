/* The connection of one client of the listener: lines or bytes in, replies out. Replies
 * are written when nothing is left to read, so a pipelined group is answered in one
 * piece. */
#pragma once

#include "core/buf.h"

/* Holds the longest command, and most messages: Postfix writes 4 kB at a time. */
#define WIRE_INPUT_BYTES ((size_t)16 * 1024)

enum wire_event {
	WIRE_OK,
	WIRE_LONG,   /* a line too long to be a command */
	WIRE_GONE,   /* the peer hung up, or does not read */
	WIRE_SILENT, /* it said nothing until the deadline */
	WIRE_STOP,   /* we are asked to stop */
};

struct wire {
	int fd, stop_fd; /* stop_fd: readable from when we are asked to stop */
	size_t from, to; /* what of input was not taken yet */
	struct pw_buf out;
	char input[WIRE_INPUT_BYTES];
};

/* Storage is the caller's; done closes fd, stop_fd stays. */
void wire_init(struct wire *wire, int fd, int stop_fd);
void wire_done(struct wire *wire);
/* The next line, without its CRLF; borrowed until the next call.
 *
 * may_stop     also end the wait when we are asked to stop
 * deadline_ms  of pw_clock_mono_ms */
enum wire_event wire_line(struct wire *wire, struct pw_str *line_out, bool may_stop,
                          int64_t deadline_ms);
/* Whatever comes next, at least a byte; borrowed, and taken by wire_take. */
enum wire_event wire_bytes(struct wire *wire, struct pw_str *bytes_out,
                           int64_t deadline_ms);
void wire_take(struct wire *wire, size_t len);
/* Write out what is in out. */
enum wire_event wire_flush(struct wire *wire);
