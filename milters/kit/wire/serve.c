#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "kit/wire/input.h"
#include "kit/wire/macros.h"
#include "kit/wire/wire.h"

#define WORDS_MAX 128 /* of MAIL or RCPT: the address and its parameters */

/* What follows a packet. */
enum next { GO_ON, HANG_UP };

/* NUL-terminated text at the front of data, cut off; NULL if there is none. */
static char *cut_text(struct pw_str *data)
{
	size_t len = pw_str_find(*data, '\0');
	char *text = (char *)(uintptr_t)data->at;

	if (len == data->len)
		return NULL;
	*data = pw_str_sub(*data, len + 1, data->len);
	return text;
}

/* The verdict of a callback, and before it what it asked for. no_reply: the MTA does not
 * wait if that was negotiated. */
static enum next answer(SMFICTX *ctx, sfsistat verdict, unsigned long no_reply)
{
	static const char letters[] = {
		[SMFIS_CONTINUE] = SMFIR_CONTINUE, [SMFIS_REJECT] = SMFIR_REJECT,
		[SMFIS_DISCARD] = SMFIR_DISCARD,   [SMFIS_ACCEPT] = SMFIR_ACCEPT,
		[SMFIS_TEMPFAIL] = SMFIR_TEMPFAIL, [SMFIS_SKIP] = SMFIR_SKIP,
	};
	struct pw_str reply = { ctx->reply.at, ctx->reply.len + 1 }; /* with its NUL */
	bool has_text =
		ctx->reply.len > 0 && ((verdict == SMFIS_REJECT && reply.at[0] == '5') ||
	                               (verdict == SMFIS_TEMPFAIL && reply.at[0] == '4'));

	if (verdict == SMFIS_NOREPLY && (ctx->steps & no_reply))
		return GO_ON;
	if (verdict < 0 || verdict >= (sfsistat)sizeof(letters) || !letters[verdict])
		verdict = SMFIS_CONTINUE;
	if (has_text)
		kit_wire_put(ctx, SMFIR_REPLYCODE, reply);
	else
		kit_wire_put(ctx, letters[verdict], PW_STR(""));
	pw_buf_reset(&ctx->reply);
	return kit_wire_flush(ctx) ? GO_ON : HANG_UP;
}

static unsigned long number_at(struct pw_str data, size_t index)
{
	uint32_t n;

	memcpy(&n, data.at + index * sizeof(n), sizeof(n));
	return ntohl(n);
}

/* Lists of macros behind the three numbers of the negotiation. */
static void put_lists(SMFICTX *ctx, struct pw_buf *out)
{
	if (!(ctx->mta_actions & SMFIF_SETSYMLIST))
		return;
	for (uint32_t i = SMFIM_FIRST; i <= SMFIM_LAST; i++) {
		uint32_t n = htonl(i);
		char bytes[sizeof(n)];

		if (!ctx->lists[i])
			continue;
		memcpy(bytes, &n, sizeof(n));
		pw_buf_puts(out, (struct pw_str){ bytes, sizeof(bytes) });
		pw_buf_puts(out, pw_str_from(ctx->lists[i]));
		pw_buf_putc(out, '\0');
	}
}

static enum next on_negotiate(SMFICTX *ctx, struct pw_str data)
{
	PW_AUTO(pw_buf_done) struct pw_buf answer_out = { 0 };
	unsigned long version, unused;
	uint32_t numbers[3];

	if (data.len < sizeof(numbers) || ctx->is_negotiated)
		return HANG_UP;
	version = number_at(data, 0);
	ctx->mta_actions = number_at(data, 1);
	ctx->is_negotiated = true;
	if (version < 2 ||
	    ctx->calls->xxfi_negotiate(ctx, ctx->mta_actions, number_at(data, 2), 0, 0,
	                               &ctx->actions, &ctx->steps, &unused,
	                               &unused) != SMFIS_CONTINUE)
		return HANG_UP;
	numbers[0] = htonl(
		(uint32_t)(version < SMFI_PROT_VERSION ? version : SMFI_PROT_VERSION));
	numbers[1] = htonl((uint32_t)ctx->actions);
	numbers[2] = htonl((uint32_t)ctx->steps);
	pw_buf_puts(&answer_out, (struct pw_str){ (char *)numbers, sizeof(numbers) });
	put_lists(ctx, &answer_out);
	kit_wire_put(ctx, SMFIC_OPTNEG, pw_buf_str(&answer_out));
	return kit_wire_flush(ctx) ? GO_ON : HANG_UP;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

/* "IPv6:" before an IPv6 address is allowed. Returns NULL if there is no address. */
static struct sockaddr *read_address(union address *out, char family, struct pw_str data)
{
	uint16_t port;
	char *text;

	if (data.len < sizeof(port))
		return NULL;
	memcpy(&port, data.at, sizeof(port)); /* network order, as it is wanted */
	data = pw_str_sub(data, sizeof(port), data.len);
	if (!(text = cut_text(&data)))
		return NULL;
	if (family == SMFIA_INET && inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = port;
		return &out->any;
	}
	if (pw_str_starts_nocase(pw_str_from(text), PW_STR("IPv6:")))
		text += sizeof("IPv6:") - 1;
	if (family == SMFIA_INET6 && inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = port;
		return &out->any;
	}
	if (family == SMFIA_UNIX) {
		out->local.sun_family = AF_UNIX;
		(void)strncpy(out->local.sun_path, text, sizeof(out->local.sun_path) - 1);
		return &out->any;
	}
	return NULL;
}

static enum next on_connect(SMFICTX *ctx, struct pw_str data)
{
	char *name = cut_text(&data);
	union address address = { 0 };
	struct sockaddr *where = NULL;

	if (!name || data.len == 0)
		return HANG_UP;
	if (data.at[0] != SMFIA_UNKNOWN)
		where = read_address(&address, data.at[0], pw_str_sub(data, 1, data.len));
	return answer(ctx,
	              ctx->calls->xxfi_connect
	                      ? ctx->calls->xxfi_connect(ctx, name, where)
	                      : SMFIS_CONTINUE,
	              SMFIP_NR_CONN);
}

static enum next on_helo(SMFICTX *ctx, struct pw_str data)
{
	char *name = cut_text(&data);

	if (!name)
		return HANG_UP;
	return answer(ctx,
	              ctx->calls->xxfi_helo ? ctx->calls->xxfi_helo(ctx, name)
	                                    : SMFIS_CONTINUE,
	              SMFIP_NR_HELO);
}

static enum next on_words(SMFICTX *ctx, struct pw_str data,
                          sfsistat (*call)(SMFICTX *ctx, char **words),
                          unsigned long no_reply)
{
	char *words[WORDS_MAX + 1] = { NULL };
	size_t count = 0;

	while (data.len > 0 && count < WORDS_MAX)
		if (!(words[count++] = cut_text(&data)))
			return HANG_UP;
	if (count == 0 || data.len > 0)
		return HANG_UP;
	return answer(ctx, call ? call(ctx, words) : SMFIS_CONTINUE, no_reply);
}

static enum next on_mail(SMFICTX *ctx, struct pw_str data)
{
	ctx->has_message = true;
	return on_words(ctx, data, ctx->calls->xxfi_envfrom, SMFIP_NR_MAIL);
}

static enum next on_rcpt(SMFICTX *ctx, struct pw_str data)
{
	return on_words(ctx, data, ctx->calls->xxfi_envrcpt, SMFIP_NR_RCPT);
}

static enum next on_data(SMFICTX *ctx, struct pw_str data)
{
	(void)data;
	return answer(ctx,
	              ctx->calls->xxfi_data ? ctx->calls->xxfi_data(ctx) : SMFIS_CONTINUE,
	              SMFIP_NR_DATA);
}

static enum next on_header(SMFICTX *ctx, struct pw_str data)
{
	char *name = cut_text(&data), *value = name ? cut_text(&data) : NULL;

	if (!value)
		return HANG_UP;
	return answer(ctx,
	              ctx->calls->xxfi_header ? ctx->calls->xxfi_header(ctx, name, value)
	                                      : SMFIS_CONTINUE,
	              SMFIP_NR_HDR);
}

static enum next on_eoh(SMFICTX *ctx, struct pw_str data)
{
	(void)data;
	return answer(ctx,
	              ctx->calls->xxfi_eoh ? ctx->calls->xxfi_eoh(ctx) : SMFIS_CONTINUE,
	              SMFIP_NR_EOH);
}

/* Piece by piece, as it comes; what a piece gets that is not "continue" stands. */
static enum next pass_body(SMFICTX *ctx, size_t len, sfsistat *verdict_out)
{
	sfsistat verdict = SMFIS_CONTINUE;

	while (len > 0) {
		struct pw_str piece = kit_input_some(ctx, len);

		if (piece.len == 0)
			return HANG_UP;
		len -= piece.len;
		if (ctx->calls->xxfi_body &&
		    (verdict == SMFIS_CONTINUE || verdict == SMFIS_NOREPLY))
			verdict = ctx->calls->xxfi_body(
				ctx, (unsigned char *)(uintptr_t)piece.at, piece.len);
	}
	*verdict_out = verdict;
	return GO_ON;
}

static enum next on_body(SMFICTX *ctx, size_t len)
{
	sfsistat verdict;

	if (pass_body(ctx, len, &verdict) != GO_ON)
		return HANG_UP;
	return answer(ctx, verdict, SMFIP_NR_BODY);
}

/* May bring the last piece of the body. */
static enum next on_end(SMFICTX *ctx, size_t len)
{
	sfsistat verdict;
	enum next next;

	if (pass_body(ctx, len, &verdict) != GO_ON)
		return HANG_UP;
	ctx->is_ending = true;
	if (verdict == SMFIS_CONTINUE || verdict == SMFIS_NOREPLY)
		verdict =
			ctx->calls->xxfi_eom ? ctx->calls->xxfi_eom(ctx) : SMFIS_CONTINUE;
	next = answer(ctx, verdict, 0);
	ctx->is_unheard = next == HANG_UP;
	ctx->is_ending = false;
	ctx->has_message = false;
	kit_input_shrink(ctx);
	return next;
}

static enum next on_abort(SMFICTX *ctx, struct pw_str data)
{
	(void)data;
	if (ctx->calls->xxfi_abort)
		(void)ctx->calls->xxfi_abort(ctx);
	ctx->has_message = false;
	pw_buf_reset(&ctx->reply);
	kit_input_shrink(ctx);
	return GO_ON;
}

static enum next on_unknown(SMFICTX *ctx, struct pw_str data)
{
	(void)data;
	return answer(ctx, SMFIS_CONTINUE, SMFIP_NR_UNKN);
}

static enum next on_quit(SMFICTX *ctx, struct pw_str data)
{
	(void)ctx, (void)data;
	return HANG_UP;
}

#define NO_STAGE WIRE_STAGES
/* clang-format off */
static const struct command {
	char letter;
	enum wire_stage stage; /* of its macros */
	bool needs_message;    /* only after MAIL */
	enum next (*whole)(SMFICTX *ctx, struct pw_str data);
	enum next (*streamed)(SMFICTX *ctx, size_t len);
} commands[] = {
	{ SMFIC_HEADER,   NO_STAGE,     true,  on_header,    NULL },
	{ SMFIC_BODY,     NO_STAGE,     true,  NULL,         on_body },
	{ SMFIC_CONNECT,  WIRE_CONNECT, false, on_connect,   NULL },
	{ SMFIC_HELO,     WIRE_HELO,    false, on_helo,      NULL },
	{ SMFIC_MAIL,     WIRE_MAIL,    false, on_mail,      NULL },
	{ SMFIC_RCPT,     WIRE_RCPT,    true,  on_rcpt,      NULL },
	{ SMFIC_DATA,     WIRE_DATA,    true,  on_data,      NULL },
	{ SMFIC_EOH,      WIRE_EOH,     true,  on_eoh,       NULL },
	{ SMFIC_BODYEOB,  WIRE_EOM,     true,  NULL,         on_end },
	{ SMFIC_ABORT,    NO_STAGE,     false, on_abort,     NULL },
	{ SMFIC_OPTNEG,   NO_STAGE,     false, on_negotiate, NULL },
	{ SMFIC_UNKNOWN,  NO_STAGE,     false, on_unknown,   NULL },
	{ SMFIC_QUIT,     NO_STAGE,     false, on_quit,      NULL },
};
/* clang-format on */

static const struct command *find(char letter)
{
	for (size_t i = 0; i < PW_LEN(commands); i++)
		if (commands[i].letter == letter)
			return &commands[i];
	return NULL;
}

static enum next take_macros(SMFICTX *ctx, size_t len)
{
	char *data = kit_input_all(ctx, len);
	const struct command *command;

	if (!data || len == 0)
		return HANG_UP;
	if ((command = find(data[0])) != NULL && command->stage != NO_STAGE)
		kit_macros_take(ctx, command->stage,
		                (struct pw_str){ data + 1, len - 1 });
	return GO_ON;
}

static enum next take_one(SMFICTX *ctx)
{
	const struct command *command;
	char letter, *data;
	size_t len;

	if (!kit_input_head(ctx, &letter, &len))
		return HANG_UP;
	if (letter == SMFIC_MACRO)
		return take_macros(ctx, len);
	if (!(command = find(letter)) ||
	    (!ctx->is_negotiated && letter != SMFIC_OPTNEG) ||
	    (command->needs_message && !ctx->has_message))
		return HANG_UP;
	if (command->stage != NO_STAGE)
		kit_macros_forget_after(ctx, command->stage);
	if (command->streamed)
		return command->streamed(ctx, len);
	if (!(data = kit_input_all(ctx, len)))
		return HANG_UP;
	return command->whole(ctx, (struct pw_str){ data, len });
}

void kit_wire_serve(SMFICTX *ctx)
{
	while (take_one(ctx) == GO_ON)
		;
	if (ctx->calls->xxfi_close)
		(void)ctx->calls->xxfi_close(ctx);
}

bool kit_wire_is_unheard(const SMFICTX *ctx)
{
	return ctx->is_unheard;
}
