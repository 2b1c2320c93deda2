/* The socketmap protocol (socketmap_table(5)): netstrings, "NAME KEY" asks, "OK VALUE" or
 * why not answers. Pure: bytes in, fields out. */
#pragma once

#include "core/buf.h"

/* Bytes between a netstring's colon and comma, in both directions; Postfix reads no
 * longer answer. */
#define MAP_TEXT_MAX 100000
/* With the length, its colon and the comma. */
#define MAP_REQUEST_MAX ((size_t)(6 + 1 + MAP_TEXT_MAX + 1))

/* Borrowed from the bytes. */
struct map_request {
	struct pw_str table, key;
};

enum map_status { MAP_OK, MAP_NOT_FOUND, MAP_TEMP, MAP_PERM, MAP_STATUSES };

/* Read the first request of bytes.
 *
 * length_out  its length; 0 = not complete yet
 *
 * Errors  PW_ERR_SYNTAX no netstring, no blank in it, or a NUL; PW_ERR_LIMIT longer than
 *         MAP_TEXT_MAX. The peer is no Postfix: close, do not answer */
PW_MUST_CHECK enum pw_status map_request_read(struct map_request *out, size_t *length_out,
                                              struct pw_str bytes);
/* Append an answer; of MAP_OK text is the value, else it is for people. One that would be
 * too long becomes a MAP_TEMP. Returns what it became. */
enum map_status map_answer_put(struct pw_buf *out, enum map_status status,
                               struct pw_str text);
