/* Tables as databases export them: comma-separated with a header line (RFC 4180, `psql
 * \copy ... csv header`), or tab-separated as `mysql --batch` prints them. Bytes in, rows
 * out; a TAB in the header line tells which of the two it is. */
#pragma once

#include "core/arena.h"

#define PW_TABLE_COLUMNS_MAX 64
#define PW_TABLE_FIELD_MAX 65536 /* bytes */

enum pw_table_form { PW_TABLE_CSV, PW_TABLE_TSV };

/* A field that is NULL (CSV: nothing at all; TSV: NULL or \N) has at == NULL. */
struct pw_table_row {
	unsigned int line; /* where it begins, from 1 */
	size_t count;
	struct pw_str fields[PW_TABLE_COLUMNS_MAX];
};

struct pw_table {
	enum pw_table_form form;
	struct pw_table_row head; /* names of the columns, none empty, none twice */
	unsigned int line;        /* of the row last begun; on error of the faulty one */
	/* private */
	struct pw_str rest;
	unsigned int next_line;
	const char *why;
};

/* Begin: read the header. bytes are borrowed until the end; a byte order mark is dropped.
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_LIMIT (pw_table_why says what); PW_ERR_NOMEM
 * Owner   names live in arena */
PW_MUST_CHECK enum pw_status pw_table_open(struct pw_table *table, struct pw_arena *arena,
                                           struct pw_str bytes);
/* Next row: as many fields as the header has. Blank lines are skipped; LF and CRLF end a
 * line.
 *
 * Errors  PW_ERR_NOTFOUND at the end; as pw_table_open (reading cannot go on)
 * Owner   fields live in arena */
PW_MUST_CHECK enum pw_status pw_table_next(struct pw_table *table, struct pw_arena *arena,
                                           struct pw_table_row *out);
/* Static text for the last error. */
const char *pw_table_why(const struct pw_table *table);
/* Number of the column of that name (case does not matter), or table->head.count. */
size_t pw_table_column(const struct pw_table *table, struct pw_str name);
