/* smfi_setreply(3) and its like: what goes back to an MTA. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "kit/wire/context.h"

#define REPLY_LINES_MAX 32
#define REPLY_LINE_MAX 980

static void put_number(struct pw_buf *out, unsigned long number)
{
	uint32_t n = htonl((uint32_t)number);
	char bytes[sizeof(n)];

	memcpy(bytes, &n, sizeof(n));
	pw_buf_puts(out, (struct pw_str){ bytes, sizeof(bytes) });
}

void kit_wire_put(SMFICTX *ctx, char command, struct pw_str data)
{
	put_number(&ctx->out, data.len + 1);
	pw_buf_putc(&ctx->out, command);
	pw_buf_puts(&ctx->out, data);
}

bool kit_wire_flush(SMFICTX *ctx)
{
	struct pw_str bytes = pw_buf_str(&ctx->out);
	bool is_whole = pw_buf_status(&ctx->out) == PW_OK;

	while (is_whole && bytes.len > 0) {
		ssize_t sent = send(ctx->fd, bytes.at, bytes.len, MSG_NOSIGNAL);

		if (sent >= 0)
			bytes = pw_str_sub(bytes, (size_t)sent, bytes.len);
		else if (errno != EINTR)
			is_whole = false;
	}
	if (ctx->out.room > WIRE_INPUT_BYTES)
		pw_buf_done(&ctx->out);
	pw_buf_reset(&ctx->out);
	return is_whole;
}

/* One line with its code: "550-5.7.1 text". */
static bool put_line(struct pw_buf *out, const char *code, const char *enhanced,
                     struct pw_str text, bool is_last)
{
	if (text.len > REPLY_LINE_MAX || pw_str_find(text, '\n') < text.len ||
	    pw_str_find(text, '\r') < text.len)
		return false;
	pw_buf_printf(out, "%s%c", code, is_last ? ' ' : '-');
	if (enhanced && enhanced[0])
		pw_buf_printf(out, "%s ", enhanced);
	pw_buf_puts(out, text);
	if (!is_last)
		pw_buf_puts(out, PW_STR("\r\n"));
	return true;
}

static int set_lines(SMFICTX *ctx, const char *code, const char *enhanced,
                     const char *const *lines, size_t count)
{
	bool is_good = code && (code[0] == '4' || code[0] == '5') && strlen(code) == 3;

	pw_buf_reset(&ctx->reply);
	for (size_t i = 0; i < count && is_good; i++)
		is_good = put_line(&ctx->reply, code, enhanced, pw_str_from(lines[i]),
		                   i + 1 == count);
	if (is_good && pw_buf_status(&ctx->reply) == PW_OK)
		return MI_SUCCESS;
	pw_buf_reset(&ctx->reply);
	return MI_FAILURE;
}

int smfi_setreply(SMFICTX *ctx, char *code, char *enhanced, char *text)
{
	const char *line = text ? text : "";

	return set_lines(ctx, code, enhanced, &line, 1);
}

int smfi_setmlreply(SMFICTX *ctx, const char *code, const char *enhanced, ...)
{
	const char *lines[REPLY_LINES_MAX], *line;
	size_t count = 0;
	va_list more;

	va_start(more, enhanced);
	while (count < REPLY_LINES_MAX && (line = va_arg(more, const char *)) != NULL)
		lines[count++] = line;
	va_end(more);
	return set_lines(ctx, code, enhanced, lines, count);
}

/* index < 0: none. */
static int put_field(SMFICTX *ctx, unsigned long action, char command, int index,
                     const char *name, const char *value)
{
	PW_AUTO(pw_buf_done) struct pw_buf data = { 0 };

	if (!(ctx->actions & action) || !ctx->is_ending || !name || !name[0])
		return MI_FAILURE;
	if (index >= 0)
		put_number(&data, (unsigned long)index);
	pw_buf_puts(&data, pw_str_from(name));
	pw_buf_putc(&data, '\0');
	pw_buf_puts(&data, pw_str_from(value));
	pw_buf_putc(&data, '\0');
	if (pw_buf_status(&data) != PW_OK)
		return MI_FAILURE;
	kit_wire_put(ctx, command, pw_buf_str(&data));
	return pw_buf_status(&ctx->out) == PW_OK ? MI_SUCCESS : MI_FAILURE;
}

int smfi_addheader(SMFICTX *ctx, char *name, char *value)
{
	return put_field(ctx, SMFIF_ADDHDRS, SMFIR_ADDHEADER, -1, name, value);
}

int smfi_insheader(SMFICTX *ctx, int index, char *name, char *value)
{
	return index < 0 ? MI_FAILURE
	                 : put_field(ctx, SMFIF_ADDHDRS, SMFIR_INSHEADER, index, name,
	                             value);
}

/* value NULL = delete */
int smfi_chgheader(SMFICTX *ctx, char *name, int index, char *value)
{
	return index < 0 ? MI_FAILURE
	                 : put_field(ctx, SMFIF_CHGHDRS, SMFIR_CHGHEADER, index, name,
	                             value);
}

int smfi_quarantine(SMFICTX *ctx, char *reason)
{
	if (!(ctx->actions & SMFIF_QUARANTINE) || !ctx->is_ending || !reason ||
	    !reason[0])
		return MI_FAILURE;
	kit_wire_put(ctx, SMFIR_QUARANTINE,
	             (struct pw_str){ reason, strlen(reason) + 1 });
	return pw_buf_status(&ctx->out) == PW_OK ? MI_SUCCESS : MI_FAILURE;
}

int smfi_progress(SMFICTX *ctx)
{
	if (!ctx->is_ending)
		return MI_FAILURE;
	kit_wire_put(ctx, SMFIR_PROGRESS, PW_STR(""));
	return kit_wire_flush(ctx) ? MI_SUCCESS : MI_FAILURE;
}

int smfi_setpriv(SMFICTX *ctx, void *own)
{
	ctx->own = own;
	return MI_SUCCESS;
}

void *smfi_getpriv(SMFICTX *ctx)
{
	return ctx->own;
}
