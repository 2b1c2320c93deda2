/* The subject. */
#include "mail/checks_room.h"

static void check_presence(const struct pw_check *c)
{
	const struct pw_field *field = pw_message_find(c->message, "Subject");

	if (field == NULL)
		pw_fire(c, PW_SYM_MISSING_SUBJECT, PW_STR(""));
	else if (field->text.len == 0)
		pw_fire(c, PW_SYM_EMPTY_SUBJECT, PW_STR(""));
	else if (c->message->subject_words.is_needless)
		pw_fire(c, PW_SYM_SUBJ_EXCESS_B64, c->message->subject);
	if (c->message->subject_words.words > 0)
		pw_fire(c, PW_SYM_SUBJ_ENCODED, c->message->subject_words.charset);
	if (field == NULL)
		return;
	for (size_t i = 0; i < field->text.len; i++)
		if ((unsigned char)field->text.at[i] >= 0x80)
			pw_fire(c, PW_SYM_SUBJ_NEEDS_ENC, PW_STR(""));
}

static void check_letters(const struct pw_check *c, struct pw_str s)
{
	size_t upper = 0, lower = 0, exclaim = 0, gaps = 0;

	for (size_t i = 0; i < s.len; i++) {
		upper += s.at[i] >= 'A' && s.at[i] <= 'Z';
		lower += s.at[i] >= 'a' && s.at[i] <= 'z';
		exclaim += s.at[i] == '!';
		gaps += i >= 2 && pw_is_alpha(s.at[i]) && pw_is_alpha(s.at[i - 2]) &&
		        (s.at[i - 1] == ' ' || s.at[i - 1] == '.' ||
		         s.at[i - 1] == '_') &&
		        (i < 4 || !pw_is_alpha(s.at[i - 3])) &&
		        (i + 1 == s.len || !pw_is_alpha(s.at[i + 1]));
	}
	if (upper >= 10 && lower * 8 <= upper)
		pw_fire(c, PW_SYM_SUBJ_ALL_CAPS, s);
	if (exclaim > 0)
		pw_fire(c, PW_SYM_SUBJ_EXCLAIM, s);
	if (gaps >= 3)
		pw_fire(c, PW_SYM_SUBJ_GAPPY, s);
}

static void check_money(const struct pw_check *c, struct pw_str s)
{
	for (size_t i = 0; i + 1 < s.len; i++)
		if ((s.at[i] == '$' && pw_is_digit(s.at[i + 1])) ||
		    (s.at[i] == '%' && i > 0 && pw_is_digit(s.at[i - 1])))
			pw_fire(c, PW_SYM_SUBJ_CURRENCY, s);
	if (pw_str_contains(s, PW_STR("\xe2\x82\xac")) ||
	    pw_str_contains(s, PW_STR("\xc2\xa3")) || pw_has(s, "R$"))
		pw_fire(c, PW_SYM_SUBJ_CURRENCY, s);
}

/* "Cheap pills                 xkwqz": a serial number behind blanks. */
static void check_tail(const struct pw_check *c)
{
	const struct pw_field *field = pw_message_find(c->message, "Subject");
	size_t end, blank;

	if (field == NULL || field->text.len < 12)
		return;
	end = pw_str_rfind(field->text, ' ');
	if (end == field->text.len || field->text.len - end > 16)
		return;
	for (blank = end; blank > 0 && pw_is_wsp(field->text.at[blank - 1]); blank--)
		;
	if (end - blank >= 4)
		pw_fire(c, PW_SYM_SUBJ_TRAILING_ID, field->text);
}

static void check_words(const struct pw_check *c, struct pw_str s)
{
	static const char *const words[] = {
		"free ",        "cheap",       "viagra",
		"cialis",       "mortgage",    "casino",
		"lose weight",  "earn ",       "income",
		"cash",         "winner",      "congratulation",
		"your account", "verify",      "urgent",
		"limited time", "offer",       "save ",
		"guarantee",    "loan",        "debt",
		"million",      "inheritance", "replica",
		"rolex",        "pharmacy",    "pills",
		"sexy",         "xxx",         "girls",
		"hot ",         "enlarge",     "your password",
		"suspended",    "invoice",     "payment",
		"refund",       "delivery",    "reward",
		"bonus",        "gift",        "insurance",
		"investment",   "proposal",    "lottery",
		"discount",     "deal",        "sale",
		"promo",        "advertis",    "action required",
		"final notice", "reminder",    "confirm",
		"conta",        "pontos",      "fatura",
		"boleto",       "gewinn",      "konto",
		"votre",        "gratuit",     "supplier",
		"manufactur",   "quotation",   "diploma",
		"ADV:",         "bitcoin",     "crypto",
		"mailbox",      "unusual",     "security alert",
	};
	unsigned n = 0;

	for (size_t i = 0; i < PW_LEN(words); i++)
		n += pw_has(s, words[i]);
	if (n > 0)
		pw_hits_add(c->hits, PW_SYM_SUBJ_SPAM_WORDS, n >= 2 ? 1000 : 500, s);
}

static void check_recipient(const struct pw_check *c, struct pw_str s)
{
	for (size_t i = 0; i < c->envelope->recipient_count && i < 5; i++) {
		struct pw_str local = c->envelope->recipients[i].local;
		size_t at = pw_str_find(s, ',');

		if (local.len >= 3 && (pw_str_starts_nocase(s, local) ||
		                       (at < s.len && pw_str_ends_nocase(s, local))))
			pw_fire(c, PW_SYM_SUBJ_HAS_LOCALPART, local);
	}
}

void pw_check_subject(const struct pw_check *c)
{
	struct pw_str subject = c->message->subject;

	check_presence(c);
	if (subject.len == 0)
		return;
	check_letters(c, subject);
	check_money(c, subject);
	check_tail(c);
	check_words(c, subject);
	check_recipient(c, subject);
}
