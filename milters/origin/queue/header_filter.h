/* Takes a message's header apart: our own fields, the edge's trace, the client's rest.
 * Pure; the state lives over chunks, however they are cut.
 *
 * Names that begin with Postward- are ours. Those above every other field were put there
 * on this host, for nobody else's can stand above its Received: they are set apart. All
 * others came from somebody else and are left out. The header ends at the first empty
 * line, whatever else stands in it. */
#pragma once

#include "core/buf.h"

#define HEADER_TOP_MAX ((size_t)16 * 1024)
#define HEADER_START_BYTES 9 /* of a line tell whose field it is */

enum header_state {
	HEADER_LINE_START, /* up to HEADER_START_BYTES of a line are in start */
	HEADER_PASS,       /* in the client's field */
	HEADER_TRACE, /* in the first field, a Received: this host's Postfix put it */
	HEADER_KEEP,  /* in one of ours, on top */
	HEADER_DROP,  /* in one of ours, out of place */
	HEADER_OVER,
};

/* All zero is the start of a message. */
struct header_filter {
	enum header_state state,
		field; /* field: of the last line, for what continues it */
	bool has_top;  /* our own are complete: something else has begun */
	char start[HEADER_START_BYTES];
	size_t start_len;
	size_t dropped; /* fields left out */
};

/* Where the parts are appended to. */
struct header_parts {
	struct pw_buf *top;   /* our fields, with their line ends; a limit of its own
	                         (pw_buf_init) tells by its status that they are too long */
	struct pw_buf *trace; /* the edge's Received */
	struct pw_buf *rest;  /* the client's fields */
};

/* Take of chunk what belongs to the header.
 *
 * Returns how many bytes that was; fewer than there are, or none in state HEADER_OVER:
 * the rest is body. The empty line between them goes nowhere. */
size_t header_filter_put(struct header_filter *filter, struct pw_str chunk,
                         const struct header_parts *parts);
/* The message ends within its header. */
void header_filter_end(struct header_filter *filter, const struct header_parts *parts);
