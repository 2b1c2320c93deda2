/* Whatever an MTA sends: callbacks get whole texts, all of a body and no more, nothing
 * before the negotiation, and nothing after the end; answers are whole packets. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/wire/context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 16384 /* fits a socket's buffer: nobody reads meanwhile */

static size_t calls_seen, body_bytes, closes;
static bool is_negotiated;

static sfsistat seen(SMFICTX *ctx, const char *text)
{
	if (!is_negotiated || closes > 0 || strlen(text) > INPUT_MAX)
		abort();
	if (++calls_seen % 3 == 0) {
		char code[] = "550", enhanced[] = "5.7.1", line[] = "no";

		(void)smfi_setreply(ctx, code, enhanced, line);
		return SMFIS_REJECT;
	}
	return calls_seen % 5 == 0 ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long f2, unsigned long f3, unsigned long *actions_out,
                             unsigned long *steps_out, unsigned long *f2_out,
                             unsigned long *f3_out)
{
	char list[] = "i j";

	(void)f2, (void)f3;
	if (is_negotiated)
		abort();
	is_negotiated = true;
	*actions_out = actions;
	*steps_out = steps;
	*f2_out = *f3_out = 0;
	(void)smfi_setsymlist(ctx, SMFIM_EOM, list);
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, struct sockaddr *address)
{
	(void)address;
	return seen(ctx, name);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	char macro[] = "{i}";
	const char *value = smfi_getsymval(ctx, macro);

	return seen(ctx, value ? value : name);
}

static sfsistat on_words(SMFICTX *ctx, char **words)
{
	sfsistat verdict = SMFIS_CONTINUE;

	for (size_t i = 0; words[i]; i++)
		verdict = seen(ctx, words[i]);
	return verdict;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)seen(ctx, value);
	return seen(ctx, name);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *piece, size_t len)
{
	volatile unsigned char sum = 0;

	for (size_t i = 0; i < len; i++)
		sum ^= piece[i];
	(void)sum;
	body_bytes += len;
	return seen(ctx, "");
}

static sfsistat on_eom(SMFICTX *ctx)
{
	char name[] = "X", value[] = "y";

	(void)smfi_insheader(ctx, 1, name, value);
	(void)smfi_progress(ctx);
	return seen(ctx, "");
}

static sfsistat on_event(SMFICTX *ctx)
{
	return seen(ctx, "");
}

static sfsistat on_close(SMFICTX *ctx)
{
	(void)ctx;
	closes++;
	return SMFIS_CONTINUE;
}

static const struct smfiDesc calls = {
	.xxfi_negotiate = on_negotiate, .xxfi_connect = on_connect, .xxfi_helo = on_helo,
	.xxfi_envfrom = on_words,       .xxfi_envrcpt = on_words,   .xxfi_data = on_event,
	.xxfi_header = on_header,       .xxfi_eoh = on_event,       .xxfi_body = on_body,
	.xxfi_eom = on_eom,             .xxfi_abort = on_event,     .xxfi_close = on_close,
};

static void check_answers(int fd)
{
	unsigned char head[4], rest[4096];
	size_t packets = 0;

	while (read(fd, head, sizeof(head)) == (ssize_t)sizeof(head)) {
		size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 |
		             (size_t)head[2] << 8 | head[3];

		if (len == 0 || len > sizeof(rest) || read(fd, rest, len) != (ssize_t)len)
			abort();
		packets++;
	}
	if (packets > 3 * (calls_seen + 1) + INPUT_MAX / 5)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SMFICTX ctx = { .calls = &calls };
	int ends[2];

	if (size > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		return 0;
	calls_seen = body_bytes = closes = 0;
	is_negotiated = false;
	if (write(ends[0], data, size) != (ssize_t)size)
		abort();
	shutdown(ends[0], SHUT_WR);
	ctx.fd = ends[1];
	kit_wire_serve(&ctx);
	if (closes != 1 || body_bytes > size)
		abort();
	for (size_t i = 0; i < PW_LEN(ctx.lists); i++)
		free(ctx.lists[i]);
	for (size_t i = 0; i < WIRE_STAGES; i++)
		pw_buf_done(&ctx.macros[i]);
	pw_buf_done(&ctx.reply);
	pw_buf_done(&ctx.out);
	free(ctx.at);
	close(ends[1]);
	check_answers(ends[0]);
	close(ends[0]);
	return 0;
}
