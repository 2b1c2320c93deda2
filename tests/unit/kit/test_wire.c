/* Conversations of an MTA, packet by packet: what the callbacks get, what goes back. */
#include "../table.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/wire/context.h"

/* "X" and what follows it; sizes are put before. */
#define PACKET(text) { text, sizeof(text) - 1 }
#define HELLO PACKET("O\0\0\0\6\0\0\1\377\0\37\377\377")
#define BODY "0123456789\r\n"

struct row {
	const char *label;
	unsigned long steps; /* asked for */
	struct pw_str in[16];
	const char *events, *answers; /* answers: letters and what is behind them */
};

static struct row rows[] = {
	{ "a whole session", 0,
	  { HELLO, PACKET("DCj\0mx\0{client_name}\0a.example\0"), PACKET("Ca.example\0"
	    "4\x12\x67" "192.0.2.7\0"), PACKET("Ha.example\0"), PACKET("M<a@b>\0SIZE=1\0"),
	    PACKET("R<c@d>\0"), PACKET("T"), PACKET("LSubject\0 x\n\ty\0"), PACKET("N"),
	    PACKET("B" BODY), PACKET("E"), PACKET("Q") },
	  "connect(a.example,192.0.2.7:4711,mx) helo(a.example) mail(<a@b>,SIZE=1) rcpt(<c@d>) data "
	  "header(Subject: x\n\ty) eoh body(12) eom close ", "O c c c c c c c c c" },
	{ "no replies where none are wanted", SMFIP_NR_HDR | SMFIP_NR_BODY | SMFIP_NR_MAIL,
	  { HELLO, PACKET("M<>\0"), PACKET("R<c@d>\0"), PACKET("LA\0b\0"), PACKET("B" BODY),
	    PACKET("E" BODY), PACKET("Q") },
	  "mail(<>) rcpt(<c@d>) header(A:b) body(12) body(12) eom close ", "O c c" },
	{ "macros end with the message", 0,
	  { HELLO, PACKET("DM{i}\0ID1\0"), PACKET("M<1@b>\0"), PACKET("DTi\0ID2\0"), PACKET("T"),
	    PACKET("DMx\0y\0"), PACKET("M<2@b>\0"), PACKET("T") },
	  "mail(<1@b>)i=ID1 data i=ID2 mail(<2@b>) data close ", "O c c c c" },
	{ "refusals with texts", 0,
	  { HELLO, PACKET("Mreject\0"), PACKET("Mtempfail\0"), PACKET("Mlines\0"),
	    PACKET("Mwrong\0"), PACKET("Mbare\0") },
	  "mail(reject) mail(tempfail) mail(lines) mail(wrong) mail(bare) close ",
	  "O y550 5.7.1 no y451 4.7.1 later y550-5.7.1 one|550 5.7.1 two t r" },
	{ "edits come before the verdict", 0,
	  { HELLO, PACKET("M<edit>\0"), PACKET("E"), PACKET("M<x>\0"), PACKET("E") },
	  "mail(<edit>) eom mail(<x>) eom close ",
	  "O c i0,Top: v hAdd:v m1,Gone: p c c c" },
	{ "IPv6", 0, { HELLO, PACKET("Cn\0" "6\0\31" "IPv6:2001:db8::7\0") },
	  "connect(n,v6:25,) close ", "O c" },
	{ "a local client", 0, { HELLO, PACKET("Clocalhost\0L\0\0/run/x\0") },
	  "connect(localhost,local,) close ", "O c" },
	{ "no address", 0, { HELLO, PACKET("Cn\0U") }, "connect(n,none,) close ", "O c" },
	{ "an address that is none", 0, { HELLO, PACKET("Cn\0" "4\0\31" "192.0.2\0") },
	  "connect(n,none,) close ", "O c" },
	{ "abort", 0, { HELLO, PACKET("M<a>\0"), PACKET("A"), PACKET("M<b>\0") },
	  "mail(<a>) abort mail(<b>) close ", "O c c" },
	{ "nothing before the negotiation", 0, { PACKET("M<a>\0") }, "close ", "" },
	{ "once is enough", 0, { HELLO, HELLO, PACKET("M<a>\0") }, "close ", "O" },
	{ "a text without its end", 0, { HELLO, PACKET("M<a>") }, "close ", "O" },
	{ "a field without its value", 0, { HELLO, PACKET("LName\0") }, "close ", "O" },
	{ "a field before MAIL", 0, { HELLO, PACKET("LName\0value\0") }, "close ", "O" },
	{ "a recipient after the end", 0, { HELLO, PACKET("M<a>\0"), PACKET("E"), PACKET("R<b>\0") },
	  "mail(<a>) eom close ", "O c c" },
	{ "no address at MAIL", 0, { HELLO, PACKET("M") }, "close ", "O" },
	{ "an unknown command", 0, { HELLO, PACKET("?") }, "close ", "O" },
	{ "an unknown SMTP command", 0, { HELLO, PACKET("UXYZ\0") }, "close ", "O c" },
};

static struct pw_buf events;
static unsigned long wanted_steps;
static char first_word[32];

static void put(const char *text)
{
	pw_buf_puts(&events, pw_str_from(text));
}

static sfsistat answer(unsigned long no_reply)
{
	return wanted_steps & no_reply ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long f2, unsigned long f3, unsigned long *actions_out,
                             unsigned long *steps_out, unsigned long *f2_out,
                             unsigned long *f3_out)
{
	(void)ctx, (void)steps, (void)f2, (void)f3;
	*actions_out = actions;
	*steps_out = wanted_steps;
	*f2_out = *f3_out = 0;
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, struct sockaddr *address)
{
	char macro[] = "j";
	const char *host = smfi_getsymval(ctx, macro);
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	pw_buf_printf(&events, "connect(%s,", name);
	if (!address) {
		put("none");
	} else if (address->sa_family == AF_INET) {
		memcpy(&v4, address, sizeof(v4));
		assert_int_equal(ntohl(v4.sin_addr.s_addr), 0xc0000207);
		pw_buf_printf(&events, "192.0.2.7:%d", ntohs(v4.sin_port));
	} else if (address->sa_family == AF_INET6) {
		memcpy(&v6, address, sizeof(v6));
		pw_buf_printf(&events, "v6:%d", ntohs(v6.sin6_port));
	} else {
		put("local");
	}
	pw_buf_printf(&events, ",%s) ", host ? host : "");
	return answer(SMFIP_NR_CONN);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	(void)ctx;
	pw_buf_printf(&events, "helo(%s) ", name);
	return answer(SMFIP_NR_HELO);
}

static sfsistat refuse(SMFICTX *ctx, const char *word)
{
	char no[] = "550", later[] = "451", five[] = "5.7.1", four[] = "4.7.1", text[] = "no",
	     text2[] = "later";

	if (strcmp(word, "reject") == 0)
		assert_int_equal(smfi_setreply(ctx, no, five, text), MI_SUCCESS);
	else if (strcmp(word, "lines") == 0)
		assert_int_equal(smfi_setmlreply(ctx, no, five, "one", "two", NULL),
		                 MI_SUCCESS);
	else if (strcmp(word, "bare") != 0)
		assert_int_equal(smfi_setreply(ctx, later, four, text2), MI_SUCCESS);
	if (strcmp(word, "wrong") == 0)
		assert_int_equal(smfi_setmlreply(ctx, no, five, "a\r\nb", NULL), MI_FAILURE);
	return strcmp(word, "tempfail") == 0 || strcmp(word, "wrong") == 0 ? SMFIS_TEMPFAIL
	                                                                   : SMFIS_REJECT;
}

static void put_id(SMFICTX *ctx)
{
	char macro[] = "i";
	const char *id = smfi_getsymval(ctx, macro);

	if (id)
		pw_buf_printf(&events, "i=%s", id);
}

static sfsistat on_mail(SMFICTX *ctx, char **words)
{
	put("mail(");
	for (size_t i = 0; words[i]; i++)
		pw_buf_printf(&events, "%s%s", i ? "," : "", words[i]);
	put(")");
	put_id(ctx);
	put(" ");
	(void)strncpy(first_word, words[0], sizeof(first_word) - 1);
	return words[0][0] == '<' ? answer(SMFIP_NR_MAIL) : refuse(ctx, words[0]);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **words)
{
	(void)ctx;
	pw_buf_printf(&events, "rcpt(%s) ", words[0]);
	return answer(SMFIP_NR_RCPT);
}

static sfsistat on_data(SMFICTX *ctx)
{
	put("data ");
	put_id(ctx);
	if (events.at[events.len - 1] != ' ')
		put(" ");
	return answer(SMFIP_NR_DATA);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	pw_buf_printf(&events, "header(%s:%s) ", name, value);
	return answer(SMFIP_NR_HDR);
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	(void)ctx;
	put("eoh ");
	return answer(SMFIP_NR_EOH);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *piece, size_t len)
{
	(void)ctx;
	assert_memory_equal(piece, BODY, len < sizeof(BODY) - 1 ? len : sizeof(BODY) - 1);
	pw_buf_printf(&events, "body(%zu) ", len);
	return answer(SMFIP_NR_BODY);
}

static sfsistat on_eom(SMFICTX *ctx)
{
	char top[] = "Top", add[] = "Add", gone[] = "Gone", v[] = "v", blank_v[] = " v";

	put("eom ");
	if (strcmp(first_word, "<edit>") != 0)
		return SMFIS_CONTINUE;
	assert_int_equal(smfi_insheader(ctx, 0, top, blank_v), MI_SUCCESS);
	assert_int_equal(smfi_addheader(ctx, add, v), MI_SUCCESS);
	assert_int_equal(smfi_chgheader(ctx, gone, 1, NULL), MI_SUCCESS);
	assert_int_equal(smfi_progress(ctx), MI_SUCCESS);
	return SMFIS_CONTINUE;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	(void)ctx;
	put("abort ");
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	char name[] = "X", value[] = "y";

	assert_int_equal(smfi_addheader(ctx, name, value), MI_FAILURE); /* too late */
	put("close ");
	return SMFIS_CONTINUE;
}

static const struct smfiDesc calls = {
	.xxfi_negotiate = on_negotiate, .xxfi_connect = on_connect, .xxfi_helo = on_helo,
	.xxfi_envfrom = on_mail,        .xxfi_envrcpt = on_rcpt,    .xxfi_data = on_data,
	.xxfi_header = on_header,       .xxfi_eoh = on_eoh,         .xxfi_body = on_body,
	.xxfi_eom = on_eom,             .xxfi_abort = on_abort,     .xxfi_close = on_close,
};

static void send_packet(int fd, struct pw_str packet)
{
	unsigned char size[4] = { 0, 0, (unsigned char)(packet.len >> 8),
		                  (unsigned char)packet.len };

	assert_int_equal(write(fd, size, sizeof(size)), sizeof(size));
	assert_int_equal(write(fd, packet.at, packet.len), (ssize_t)packet.len);
}

/* The letter, then texts as they are; numbers and line ends made visible. */
static void put_answer(struct pw_buf *out, struct pw_str packet)
{
	char letter = packet.at[0];
	size_t start = 1;

	if (out->len > 0)
		pw_buf_putc(out, ' ');
	pw_buf_putc(out, letter);
	if (letter == 'O')
		return;
	if (letter == 'i' || letter == 'm') {
		pw_buf_printf(out, "%d,", packet.at[4]);
		start = 5;
	}
	for (size_t i = start; i < packet.len; i++)
		if (packet.at[i] == '\r')
			pw_buf_putc(out, '|');
		else if (packet.at[i] == '\0' && i + 1 < packet.len)
			pw_buf_putc(out, ':');
		else if (packet.at[i] != '\n' && packet.at[i] != '\0')
			pw_buf_putc(out, packet.at[i]);
}

static void read_answers(int fd, struct pw_buf *out)
{
	unsigned char size[4];
	char packet[4096];

	while (read(fd, size, sizeof(size)) == (ssize_t)sizeof(size)) {
		size_t len = (size_t)size[2] << 8 | size[3];

		assert_int_equal(read(fd, packet, len), (ssize_t)len);
		put_answer(out, (struct pw_str){ packet, len });
	}
}

static void done(SMFICTX *ctx)
{
	for (size_t i = 0; i < WIRE_STAGES; i++)
		pw_buf_done(&ctx->macros[i]);
	pw_buf_done(&ctx->reply);
	pw_buf_done(&ctx->out);
	free(ctx->at);
	close(ctx->fd);
}

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf answers = { 0 };
	int ends[2];
	SMFICTX ctx = { .calls = &calls };

	pw_buf_reset(&events);
	memset(first_word, 0, sizeof(first_word));
	wanted_steps = row->steps;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ctx.fd = ends[1];
	for (size_t i = 0; i < PW_LEN(row->in) && row->in[i].at; i++)
		send_packet(ends[0], row->in[i]);
	shutdown(ends[0], SHUT_WR);
	kit_wire_serve(&ctx);
	done(&ctx);
	read_answers(ends[0], &answers);
	close(ends[0]);
	assert_string_equal(pw_buf_text(&events), row->events);
	assert_string_equal(pw_buf_text(&answers), row->answers);
}

static int free_events(void **state)
{
	(void)state;
	pw_buf_done(&events);
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, free_events);
}
