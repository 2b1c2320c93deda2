#include "core/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ascii.h"

void pw_buf_init(struct pw_buf *b, size_t max)
{
	*b = (struct pw_buf){ .max = max };
}

void pw_buf_done(struct pw_buf *b)
{
	if (b->at != b->lent)
		free(b->at);
	pw_buf_init(b, b->max);
}

void pw_buf_wipe(struct pw_buf *b)
{
	if (b->at != NULL)
		pw_wipe(b->at, b->room);
	pw_buf_done(b);
}

void pw_buf_reset(struct pw_buf *b)
{
	b->len = 0;
	b->status = PW_OK;
	if (b->at != NULL)
		b->at[0] = '\0';
}

void pw_buf_truncate(struct pw_buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->at[len] = '\0';
}

static bool fail(struct pw_buf *b, enum pw_status status)
{
	b->status = status;
	return false;
}

/* Make room for extra bytes and the final NUL. */
static bool grow(struct pw_buf *b, size_t extra)
{
	size_t max = b->max != 0 ? b->max : PW_BUF_MAX_DEFAULT;
	size_t want, room;
	char *at;

	if (b->status != PW_OK)
		return false;
	if (extra > max - b->len)
		return fail(b, PW_ERR_LIMIT);
	want = b->len + extra + 1;
	if (want <= b->room)
		return true;
	room = b->room < 64 ? 64 : b->room + b->room / 2;
	if (room < want)
		room = want;
	if ((at = realloc(b->at == b->lent ? NULL : b->at, room)) == NULL)
		return fail(b, PW_ERR_NOMEM);
	if (b->at == b->lent && b->len > 0)
		memcpy(at, b->at, b->len);
	b->lent = NULL;
	b->at = at;
	b->room = room;
	return true;
}

void pw_buf_puts(struct pw_buf *b, struct pw_str s)
{
	if (s.len == 0 || !grow(b, s.len))
		return;
	memcpy(b->at + b->len, s.at, s.len);
	b->len += s.len;
	b->at[b->len] = '\0';
}

void pw_buf_putc(struct pw_buf *b, char c)
{
	pw_buf_puts(b, (struct pw_str){ &c, 1 });
}

void pw_buf_put_lower(struct pw_buf *b, struct pw_str s)
{
	char *at;

	if (s.len == 0 || !grow(b, s.len))
		return;
	at = b->at + b->len;
	for (size_t i = 0; i < s.len; i++)
		at[i] = pw_lower(s.at[i]);
	b->len += s.len;
	b->at[b->len] = '\0';
}

void pw_buf_put_int(struct pw_buf *b, int64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);
	uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;

	do {
		digits[--i] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (n < 0)
		pw_buf_putc(b, '-');
	pw_buf_puts(b, (struct pw_str){ digits + i, sizeof(digits) - i });
}

void pw_buf_printf(struct pw_buf *b, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0) {
		fail(b, PW_ERR_SYNTAX);
		return;
	}
	if (!grow(b, (size_t)n))
		return;
	va_start(args, fmt);
	vsnprintf(b->at + b->len, (size_t)n + 1, fmt, args);
	va_end(args);
	b->len += (size_t)n;
}

enum pw_status pw_buf_status(const struct pw_buf *b)
{
	return b->status;
}

struct pw_str pw_buf_str(const struct pw_buf *b)
{
	return (struct pw_str){ b->at, b->len };
}

const char *pw_buf_text(const struct pw_buf *b)
{
	return b->at != NULL ? b->at : "";
}
