/* The message in DATA (RFC 5321 4.5.2): where it ends, and its bytes with the dots
 * undone. Pure; the state lives over chunks, however they are cut.
 *
 * Only CRLF . CRLF ends a message. Next to a bare LF or CR a dot is a byte like any
 * other, and goes on as such: what looks like an end to somebody else stays inside this
 * message. */
#pragma once

#include "core/buf.h"

/* All zero is the start of a message. */
struct data_reader {
	enum {
		DATA_LINE_START,
		DATA_DOT,    /* a dot at the start of a line */
		DATA_DOT_CR, /* and a CR behind it */
		DATA_IN_LINE,
		DATA_CR,
	} state;
};

/* Take chunk up to the end of the message and append what is in it.
 *
 * Returns how many bytes were taken; *is_end_out: that was the end, the rest of chunk is
 * the next command. The reader is ready for another message then. */
size_t data_read(struct data_reader *reader, struct pw_str chunk, struct pw_buf *out,
                 bool *is_end_out);
