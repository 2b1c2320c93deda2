#include "origin/engine/envelope.h"

#include "origin/engine/smtp_reply.h"

static bool is_7bit(struct pw_str value)
{
	return pw_str_eq_nocase(value, PW_STR("7BIT"));
}

/* A server without DSN reports failures, and no success (RFC 3461 4.1). */
static bool is_usual_notice(struct pw_str value)
{
	bool has_failure = false;

	while (value.at) {
		struct pw_str word = pw_str_cut(&value, ',');

		has_failure |= pw_str_eq_nocase(word, PW_STR("FAILURE"));
		if (!pw_str_eq_nocase(word, PW_STR("FAILURE")) &&
		    !pw_str_eq_nocase(word, PW_STR("DELAY")))
			return false;
	}
	return has_failure;
}

/* clang-format off */
static const struct parameter {
	const char *name;
	unsigned offer;
	enum envelope_verdict without; /* verdict when the inner does not offer it */
	bool (*is_usual)(struct pw_str value); /* asks for what is done anyway */
} mail_parameters[] = {
	{ "SIZE",     OFFER_SIZE,     ENVELOPE_OK,        NULL },
	{ "BODY",     OFFER_8BITMIME, ENVELOPE_NO_8BIT,   is_7bit },
	{ "SMTPUTF8", OFFER_SMTPUTF8, ENVELOPE_NO_UTF8,   NULL },
	{ "RET",      OFFER_DSN,      ENVELOPE_OK,        NULL },
	{ "ENVID",    OFFER_DSN,      ENVELOPE_OK,        NULL },
	/* between these two hosts it means nothing */
	{ "AUTH",     0,              ENVELOPE_OK,        NULL },
}, rcpt_parameters[] = {
	{ "NOTIFY",   OFFER_DSN,      ENVELOPE_NO_REPORT, is_usual_notice },
	{ "ORCPT",    OFFER_DSN,      ENVELOPE_OK,        NULL },
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

static bool is_over(struct pw_str value, int64_t max)
{
	int64_t size = 0;
	enum pw_status r = pw_str_to_int64(value, 0, INT64_MAX, &size);

	return max > 0 && (r == PW_ERR_RANGE || size > max);
}

static const struct parameter *find(const struct parameter *table, size_t count,
                                    struct pw_str name)
{
	for (size_t i = 0; i < count; i++)
		if (pw_str_eq_nocase(pw_str_from(table[i].name), name))
			return &table[i];
	return NULL;
}

static enum envelope_verdict put_parameter(struct pw_buf *out,
                                           const struct parameter *table, size_t count,
                                           struct pw_str word,
                                           const struct upstream_offers *offers)
{
	struct pw_str value = word;
	const struct parameter *p = find(table, count, pw_str_cut(&value, '='));

	if (!is_line(word))
		return ENVELOPE_BAD;
	if (!p)
		return ENVELOPE_UNKNOWN;
	if (!(offers->words & p->offer))
		return p->is_usual && p->is_usual(value) ? ENVELOPE_OK : p->without;
	if (p->offer == OFFER_SIZE && is_over(value, offers->size_max))
		return ENVELOPE_TOO_LONG;
	pw_buf_putc(out, ' ');
	pw_buf_puts(out, word);
	return ENVELOPE_OK;
}

static enum envelope_verdict put_command(struct pw_buf *out, const char *verb,
                                         char *const *argv, const struct parameter *table,
                                         size_t count,
                                         const struct upstream_offers *offers)
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
                                    const struct upstream_offers *offers)
{
	return put_command(out, "MAIL FROM", argv, mail_parameters,
	                   PW_LEN(mail_parameters), offers);
}

enum envelope_verdict envelope_rcpt(struct pw_buf *out, char *const *argv,
                                    const struct upstream_offers *offers)
{
	return put_command(out, "RCPT TO", argv, rcpt_parameters, PW_LEN(rcpt_parameters),
	                   offers);
}
