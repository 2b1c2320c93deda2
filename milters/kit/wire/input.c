#include "kit/wire/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_BYTES 5 /* length, which counts the command too; the command */

static size_t ready(const SMFICTX *ctx)
{
	return ctx->end - ctx->start;
}

static bool make_room(SMFICTX *ctx, size_t room)
{
	char *at;

	if (room <= ctx->room)
		return true;
	if ((at = realloc(ctx->at, room)) == NULL)
		return false;
	ctx->at = at;
	ctx->room = room;
	return true;
}

/* Until len bytes are ready. */
static bool gather(SMFICTX *ctx, size_t len)
{
	if (ready(ctx) >= len)
		return true;
	if (ctx->start > 0)
		memmove(ctx->at, ctx->at + ctx->start, ready(ctx));
	ctx->end = ready(ctx);
	ctx->start = 0;
	if (!make_room(ctx, len < WIRE_INPUT_BYTES ? WIRE_INPUT_BYTES : len))
		return false;
	while (ctx->end < len) {
		ssize_t got = read(ctx->fd, ctx->at + ctx->end, ctx->room - ctx->end);

		if (got > 0)
			ctx->end += (size_t)got;
		else if (got == 0 || errno != EINTR)
			return false;
	}
	return true;
}

bool kit_input_head(SMFICTX *ctx, char *command_out, size_t *len_out)
{
	unsigned char head[HEAD_BYTES];
	size_t len;

	if (!gather(ctx, HEAD_BYTES))
		return false;
	memcpy(head, ctx->at + ctx->start, HEAD_BYTES);
	ctx->start += HEAD_BYTES;
	len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 |
	      head[3];
	if (len == 0 || len > WIRE_PACKET_MAX)
		return false;
	*command_out = (char)head[4];
	*len_out = len - 1;
	return true;
}

char *kit_input_all(SMFICTX *ctx, size_t len)
{
	char *data;

	if (!gather(ctx, len))
		return NULL;
	data = ctx->at + ctx->start;
	ctx->start += len;
	return data;
}

struct pw_str kit_input_some(SMFICTX *ctx, size_t len)
{
	struct pw_str some;

	if (!gather(ctx, len > 0))
		return (struct pw_str){ NULL, 0 };
	some = pw_str_sub((struct pw_str){ ctx->at + ctx->start, ready(ctx) }, 0, len);
	ctx->start += some.len;
	return some;
}

void kit_input_shrink(SMFICTX *ctx)
{
	char *at;

	if (ctx->room <= WIRE_INPUT_BYTES || ready(ctx) > WIRE_INPUT_BYTES)
		return;
	if (ctx->start > 0)
		memmove(ctx->at, ctx->at + ctx->start, ready(ctx));
	ctx->end = ready(ctx);
	ctx->start = 0;
	if ((at = realloc(ctx->at, WIRE_INPUT_BYTES)) == NULL)
		return;
	ctx->at = at;
	ctx->room = WIRE_INPUT_BYTES;
}
