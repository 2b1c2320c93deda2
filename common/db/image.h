/* The rows of a snapshot as bytes: one form for what was just read and for the copy on
 * disk, so that a program starts from exactly what it would have compiled; not for other
 * rooms.
 *
 *     "PWSNAP1\n", fingerprint (32), generation (8), read_ms (8), length of rows (8),
 * rows, SHA-256 of all before (32);   numbers little-endian rows: per query: rows (8),
 * columns (8), cells; a cell: length (4; ~0 = NULL), bytes */
#pragma once

#include "db/snapshot.h"

#define PW_IMAGE_HASH_BYTES 32

struct pw_image_head {
	uint8_t fingerprint[PW_IMAGE_HASH_BYTES];
	int64_t generation, read_ms;
};

/* What compile can make sense of: program, format, and the queries to the letter.
 *
 * Errors  PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status
pw_image_fingerprint(uint8_t out[PW_IMAGE_HASH_BYTES],
                     const struct pw_snapshot_config *config);

/* Writing: begin, then per query a table and its cells in order, then end. */
void pw_image_begin(struct pw_buf *out, const struct pw_image_head *head);
void pw_image_table(struct pw_buf *out, size_t rows, size_t columns);
void pw_image_cell(struct pw_buf *out, struct pw_str value);
/* Errors  that of the buffer; PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status pw_image_end(struct pw_buf *out);

/* Reading. Pure; bytes may be anything.
 *
 * bytes    borrowed by the data
 * queries  how many tables there must be
 *
 * Errors  PW_ERR_SYNTAX (why_out says what), PW_ERR_NOMEM, PW_ERR_CRYPTO
 * Owner   *out: caller, pw_snapshot_data_free */
PW_MUST_CHECK enum pw_status pw_image_read(struct pw_snapshot_data **out,
                                           struct pw_image_head *head_out,
                                           struct pw_str bytes,
                                           const struct pw_snapshot_query *queries,
                                           size_t query_count, struct pw_buf *why_out);
void pw_snapshot_data_free(struct pw_snapshot_data **data);
