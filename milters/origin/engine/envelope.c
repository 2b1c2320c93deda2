#include "origin/engine/envelope.h"

#include "origin/engine/smtp_reply.h"

/* clang-format off */
static const struct parameter {
	const char *name;
	unsigned offer;
	enum envelope_verdict without; /* verdict when the inner does not offer it */
} mail_parameters[] = {
	{ "SIZE",     OFFER_SIZE,     ENVELOPE_OK },
	{ "BODY",     OFFER_8BITMIME, ENVELOPE_NO_8BIT },
	{ "SMTPUTF8", OFFER_SMTPUTF8, ENVELOPE_NO_UTF8 },
	{ "RET",      OFFER_DSN,      ENVELOPE_OK },
	{ "ENVID",    OFFER_DSN,      ENVELOPE_OK },
}, rcpt_parameters[] = {
	{ "NOTIFY",   OFFER_DSN,      ENVELOPE_OK },
	{ "ORCPT",    OFFER_DSN,      ENVELOPE_OK },
};
/* clang-format on */

/* Printable ASCII and UTF-8, nothing that could end the line. */
static bool is_line(struct pw_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f)
			return false;
	return true;
}

static const struct parameter *find(const struct parameter *table, size_t count,
                                    struct pw_str word)
{
	struct pw_str name = pw_str_sub(word, 0, pw_str_find(word, '='));

	for (size_t i = 0; i < count; i++)
		if (pw_str_eq_nocase(pw_str_from(table[i].name), name))
			return &table[i];
	return NULL; /* unknown, or AUTH=: between these two hosts it means nothing */
}

static enum envelope_verdict put_parameter(struct pw_buf *out,
                                           const struct parameter *table, size_t count,
                                           struct pw_str word, unsigned offers)
{
	const struct parameter *p = find(table, count, word);

	if (!is_line(word))
		return ENVELOPE_BAD;
	if (!p)
		return ENVELOPE_OK;
	if (!(offers & p->offer)) /* 7BIT is what every server takes anyway */
		return pw_str_eq_nocase(word, PW_STR("BODY=7BIT")) ? ENVELOPE_OK
		                                                   : p->without;
	pw_buf_putc(out, ' ');
	pw_buf_puts(out, word);
	return ENVELOPE_OK;
}

static enum envelope_verdict put_command(struct pw_buf *out, const char *verb,
                                         char *const *argv, const struct parameter *table,
                                         size_t count, unsigned offers)
{
	struct pw_str address = pw_str_from(argv[0]);
	size_t start = out->len;
	enum envelope_verdict verdict;

	if (!argv[0] || !is_line(address))
		return ENVELOPE_BAD;
	if (pw_str_starts(address, PW_STR("<")))
		pw_buf_printf(out, "%s:%.*s", verb, PW_FMT(address));
	else
		pw_buf_printf(out, "%s:<%.*s>", verb, PW_FMT(address));
	for (size_t i = 1; argv[i]; i++) {
		verdict = put_parameter(out, table, count, pw_str_from(argv[i]), offers);
		if (verdict != ENVELOPE_OK) {
			pw_buf_truncate(out, start);
			return verdict;
		}
	}
	pw_buf_puts(out, PW_STR("\r\n"));
	return ENVELOPE_OK;
}

enum envelope_verdict envelope_mail(struct pw_buf *out, char *const *argv,
                                    unsigned offers)
{
	return put_command(out, "MAIL FROM", argv, mail_parameters,
	                   PW_LEN(mail_parameters), offers);
}

enum envelope_verdict envelope_rcpt(struct pw_buf *out, char *const *argv,
                                    unsigned offers)
{
	return put_command(out, "RCPT TO", argv, rcpt_parameters, PW_LEN(rcpt_parameters),
	                   offers);
}
