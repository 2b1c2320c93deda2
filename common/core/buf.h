/* Growing bytes. It remembers its first failure: append freely, check once at the end.
 * After a failure appends do nothing and the content is what fitted before. */
#pragma once

#include <stdarg.h>
#include <stdint.h>

#include "core/str.h"

/* No buffer grows beyond this unless pw_buf_init names another limit (bytes). */
#define PW_BUF_MAX_DEFAULT ((size_t)64 * 1024 * 1024)

struct pw_buf {
	char *at; /* NUL-terminated one byte after len whenever at != NULL */
	size_t len;
	size_t room;
	size_t max;       /* 0 = PW_BUF_MAX_DEFAULT */
	const char *lent; /* at, while that is room of the caller's */
	enum pw_status status;
};

/* All zero is an empty buffer too: struct pw_buf b = { 0 }. */
void pw_buf_init(struct pw_buf *b, size_t max);
/* A buffer that begins in room of the caller's (an array, whose memory must outlive it),
 * and takes memory of its own only for more than fits there. */
#define PW_BUF_IN(array)                                                                 \
	((struct pw_buf){ .at = (array), .room = sizeof(array), .lent = (array) })
/* Frees the memory and leaves an empty buffer; for PW_AUTO. */
void pw_buf_done(struct pw_buf *b);
/* The same for what held keys or passwords: wiped first. */
void pw_buf_wipe(struct pw_buf *b);
/* Empty, failure forgotten, memory kept. */
void pw_buf_reset(struct pw_buf *b);
/* Cut back to len bytes (no-op if shorter). */
void pw_buf_truncate(struct pw_buf *b, size_t len);

void pw_buf_putc(struct pw_buf *b, char c);
void pw_buf_puts(struct pw_buf *b, struct pw_str s);
void pw_buf_put_lower(struct pw_buf *b, struct pw_str s);
void pw_buf_put_int(struct pw_buf *b, int64_t n);
void pw_buf_printf(struct pw_buf *b, const char *fmt, ...) PW_PRINTF(2, 3);

/* First failure: PW_OK, PW_ERR_NOMEM, or PW_ERR_LIMIT when max was reached. */
PW_MUST_CHECK enum pw_status pw_buf_status(const struct pw_buf *b);
/* What was written, borrowed until the next change. */
struct pw_str pw_buf_str(const struct pw_buf *b);
/* The same as a C string; "" when empty. */
const char *pw_buf_text(const struct pw_buf *b);
