#include "policyd/lmtp.h"

#include "core/ascii.h"

/* The message is sent from <>, so that nothing answers it (RFC 3834). */
static void say_lhlo(const struct lmtp *lmtp, struct pw_buf *out)
{
	(void)lmtp;
	pw_buf_puts(out, PW_STR("LHLO localhost\r\n"));
}

static void say_mail(const struct lmtp *lmtp, struct pw_buf *out)
{
	(void)lmtp;
	pw_buf_puts(out, PW_STR("MAIL FROM:<>\r\n"));
}

static void say_rcpt(const struct lmtp *lmtp, struct pw_buf *out)
{
	pw_buf_printf(out, "RCPT TO:<%.*s>\r\n", PW_FMT(lmtp->recipient));
}

static void say_data(const struct lmtp *lmtp, struct pw_buf *out)
{
	(void)lmtp;
	pw_buf_puts(out, PW_STR("DATA\r\n"));
}

/* Dots at the start of lines doubled (RFC 5321 4.5.2). */
static void say_message(const struct lmtp *lmtp, struct pw_buf *out)
{
	struct pw_str rest = lmtp->message;

	while (rest.len > 0) {
		struct pw_str line = pw_str_cut(&rest, '\n');

		if (pw_str_starts(line, PW_STR(".")))
			pw_buf_putc(out, '.');
		pw_buf_puts(out, line);
		pw_buf_putc(out, '\n');
	}
	pw_buf_puts(out, PW_STR(".\r\n"));
}

static void say_quit(const struct lmtp *lmtp, struct pw_buf *out)
{
	(void)lmtp;
	pw_buf_puts(out, PW_STR("QUIT\r\n"));
}

/* clang-format off */
static const struct step {
	char good; /* first digit of the reply that leads on */
	void (*say)(const struct lmtp *lmtp, struct pw_buf *out);
} steps[LMTP_STATES] = {
	[LMTP_GREETING] = { '2', say_lhlo },
	[LMTP_LHLO]     = { '2', say_mail },
	[LMTP_MAIL]     = { '2', say_rcpt },
	[LMTP_RCPT]     = { '2', say_data },
	[LMTP_DATA]     = { '3', say_message },
	[LMTP_DOT]      = { '2', say_quit },
};
/* clang-format on */

static bool is_reply(struct pw_str line)
{
	return line.len >= 3 && pw_is_digit(line.at[0]) && pw_is_digit(line.at[1]) &&
	       pw_is_digit(line.at[2]) &&
	       (line.len == 3 || line.at[3] == ' ' || line.at[3] == '-');
}

enum lmtp_result lmtp_feed(struct lmtp *lmtp, struct pw_str line, struct pw_buf *out)
{
	const struct step *step = &steps[lmtp->state];

	line = pw_str_trim(line);
	if (!is_reply(line))
		return LMTP_ALIEN;
	if (line.len > 3 && line.at[3] == '-')
		return LMTP_MORE; /* of a reply in several lines the last one counts */
	if (line.at[0] != step->good)
		return line.at[0] == '4'   ? LMTP_LATER
		       : line.at[0] == '5' ? LMTP_REFUSED
		                           : LMTP_ALIEN;
	step->say(lmtp, out);
	if (lmtp->state == LMTP_DOT)
		return LMTP_DELIVERED;
	lmtp->state++;
	return LMTP_MORE;
}

const char *lmtp_result_name(enum lmtp_result result)
{
	static const char *const names[] = { "more", "delivered", "later", "refused",
		                             "alien" };

	return names[result];
}
