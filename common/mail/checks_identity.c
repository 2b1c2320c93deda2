/* Who claims to have written to whom. */
#include "mail/checks_room.h"

#include <string.h>

/* RFC 5322 3.6: at most once. */
static const char *const unique[] = { "Date",       "From",       "Sender",
	                              "Reply-To",   "To",         "Cc",
	                              "Bcc",        "Message-ID", "In-Reply-To",
	                              "References", "Subject",    "MIME-Version" };

static void check_unique(const struct pw_check *c)
{
	for (size_t i = 0; i < PW_LEN(unique); i++)
		if (pw_message_count(c->message, unique[i]) > 1)
			pw_fire(c, PW_SYM_MULTIPLE_UNIQUE_HEADERS,
			        pw_str_from(unique[i]));
}

static void check_broken(const struct pw_check *c)
{
	const struct pw_message *m = c->message;

	if (m->has_body_in_header || m->fields_seen > PW_MESSAGE_FIELDS_MAX)
		pw_fire(c, PW_SYM_BROKEN_HEADERS, PW_STR(""));
	for (size_t i = 0; i < m->field_count; i++)
		for (size_t k = 0; k < m->fields[i].text.len; k++) {
			char byte = m->fields[i].text.at[k];

			if ((unsigned char)byte < ' ' && !strchr("\t\r\n\033", byte)) {
				pw_fire(c, PW_SYM_BROKEN_HEADERS, m->fields[i].name);
				return;
			}
		}
}

/* Addresses in a From value: groups and broken entries count as none. */
static size_t count_addresses(const struct pw_check *c, const struct pw_field *field)
{
	struct pw_addrlist list;
	struct pw_addrlist_item item;
	size_t n = 0;

	pw_addrlist_init(&list, c->arena, field->value);
	while (pw_addrlist_next(&list, &item))
		n += !item.is_broken;
	return n;
}

static bool is_raw(struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char b = (unsigned char)s.at[i];
		size_t more = b >= 0xf0 ? 3 : b >= 0xe0 ? 2 : b >= 0xc2 ? 1 : 0;

		if (b < 0x80)
			continue;
		if (more == 0 || i + more >= s.len + 0)
			return true;
		while (more-- > 0)
			if (((unsigned char)s.at[++i] & 0xc0) != 0x80)
				return true;
	}
	return false;
}

/* An address written into the display name. */
static void check_display(const struct pw_check *c)
{
	const struct pw_message *m = c->message;
	struct pw_str d = m->from_display, domain, org, shown;
	size_t at = pw_str_find(d, '@'), end;

	if (!m->has_from || at == 0 || at + 1 >= d.len || !pw_is_alnum(d.at[at - 1]))
		return;
	for (end = at + 1; end < d.len && (pw_is_alnum(d.at[end]) || d.at[end] == '.' ||
	                                   d.at[end] == '-');
	     end++)
		;
	domain = pw_str_sub(d, at + 1, end - at - 1);
	if (pw_str_find(domain, '.') == domain.len)
		return;
	org = pw_check_org(c, m->from.domain);
	shown = pw_check_org(c, domain);
	if (pw_str_eq_nocase(org, shown))
		return;
	pw_fire(c, PW_SYM_FROM_NEQ_DISPLAY_NAME, domain);
	if (pw_check_is_local(c, domain))
		pw_fire(c, PW_SYM_SPOOF_DISPLAY_NAME, domain);
}

/* Shape of the author's local part: digits, and letters without a vowel. */
static void check_local_part(const struct pw_check *c)
{
	struct pw_str local = c->message->from.local;
	size_t digits = 0, run = 0, longest = 0;

	for (size_t i = 0; i < local.len; i++) {
		char b = local.at[i];
		bool is_consonant =
			pw_is_alpha(b) && strchr("aeiouy", pw_lower(b)) == NULL;

		digits += pw_is_digit(b);
		run = is_consonant ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	if (digits >= 4)
		pw_fire(c, PW_SYM_FROM_DIGITS, local);
	if (longest >= 6)
		pw_fire(c, PW_SYM_FROM_RANDOM, local);
}

static void check_from(const struct pw_check *c)
{
	const struct pw_message *m = c->message;
	const struct pw_field *from = pw_message_find(m, "From");
	size_t n, angle;

	if (from == NULL) {
		pw_fire(c, PW_SYM_MISSING_FROM, PW_STR(""));
		return;
	}
	n = count_addresses(c, from);
	if (n > 1 || pw_message_count(m, "From") > 1)
		pw_fire(c, PW_SYM_MULTIPLE_FROM, from->text);
	else if (!m->has_from)
		pw_fire(c, PW_SYM_FROM_INVALID, from->text);
	if (is_raw(from->text))
		pw_fire(c, PW_SYM_FROM_NEEDS_ENC, PW_STR(""));
	if (m->from_words.is_needless)
		pw_fire(c, PW_SYM_FROM_EXCESS_B64, m->from_display);
	angle = pw_str_find(from->text, '<');
	if (angle > 0 && angle < from->text.len && !pw_is_wsp(from->text.at[angle - 1]))
		pw_fire(c, PW_SYM_FROM_NO_SPACE, from->text);
	check_display(c);
	if (!m->has_from)
		return;
	check_local_part(c);
	if (pw_list_has(PW_LIST_FREEMAIL, m->from.domain))
		pw_fire(c, PW_SYM_FREEMAIL_FROM, m->from.domain);
}

/* Replies that would go elsewhere. */
static void check_reply_to(const struct pw_check *c)
{
	const struct pw_message *m = c->message;
	const struct pw_field *field = pw_message_find(m, "Reply-To");
	struct pw_mailbox reply;

	if (field == NULL || !m->has_from || pw_check_is_relayed(c) ||
	    pw_from_mailbox(&reply, c->arena, field->value) != PW_OK)
		return;
	if (pw_str_eq_nocase(pw_check_org(c, reply.domain),
	                     pw_check_org(c, m->from.domain))) {
		if (pw_list_has(PW_LIST_FREEMAIL, reply.domain) &&
		    !pw_str_eq_nocase(reply.local, m->from.local))
			pw_fire(c, PW_SYM_REPLYTO_DIFF_FREEMAIL, field->text);
		return;
	}
	if (pw_list_has(PW_LIST_FREEMAIL, reply.domain))
		pw_fire(c, PW_SYM_REPLYTO_DIFF_FREEMAIL, field->text);
	else
		pw_fire(c, PW_SYM_REPLYTO_DIFF_DOMAIN, field->text);
}

static void check_recipient_names(const struct pw_check *c, const struct pw_field *to)
{
	static const char *const names[] = { "undisclosed", "recipient", "customer",
		                             "user",        "friend",    "member",
		                             "valued" };
	struct pw_addrlist list;
	struct pw_addrlist_item item;
	size_t good = 0;

	pw_addrlist_init(&list, c->arena, to->value);
	while (pw_addrlist_next(&list, &item)) {
		good += !item.is_broken;
		for (size_t i = 0; i < PW_LEN(names) && !item.is_broken; i++)
			if (pw_has(item.display, names[i]))
				pw_fire(c, PW_SYM_TO_DN_RECIPIENTS, item.display);
		if (!item.is_broken && c->message->has_from &&
		    pw_str_eq_nocase(item.mailbox.domain, c->message->from.domain) &&
		    pw_str_eq_nocase(item.mailbox.local, c->message->from.local))
			pw_fire(c, PW_SYM_TO_EQ_FROM, to->text);
	}
	if (good == 0 && pw_has(to->text, "undisclosed"))
		pw_fire(c, PW_SYM_UNDISC_RCPT, to->text);
	else if (good == 0)
		pw_fire(c, PW_SYM_TO_MALFORMED, to->text);
}

static void check_to(const struct pw_check *c)
{
	const struct pw_field *to = pw_message_find(c->message, "To");

	if (to != NULL && to->text.len > 0)
		check_recipient_names(c, to);
	else if (to != NULL)
		pw_fire(c, PW_SYM_UNDISC_RCPT, PW_STR("empty To"));
	else if (pw_message_find(c->message, "Cc") == NULL)
		pw_fire(c, PW_SYM_MISSING_TO, PW_STR(""));
}

static void check_envelope(const struct pw_check *c)
{
	const struct pw_envelope *e = c->envelope;

	if (!e->has_sender || e->sender.domain.len == 0 || !c->message->has_from ||
	    pw_check_is_relayed(c))
		return;
	if (!pw_str_eq_nocase(pw_check_org(c, e->sender.domain),
	                      pw_check_org(c, c->message->from.domain)))
		pw_fire(c, PW_SYM_FORGED_SENDER, e->sender.domain);
}

static void check_list(const struct pw_check *c)
{
	const struct pw_message *m = c->message;

	if (pw_message_find(m, "List-Id") != NULL &&
	    pw_message_find(m, "List-Post") != NULL &&
	    pw_message_find(m, "List-Unsubscribe") != NULL)
		pw_fire(c, PW_SYM_MAILLIST, pw_message_find(m, "List-Id")->text);
	else if (pw_message_find(m, "List-Unsubscribe") != NULL)
		pw_fire(c, PW_SYM_UNSUB_LINK, PW_STR(""));
}

void pw_check_identity(const struct pw_check *c)
{
	check_unique(c);
	check_broken(c);
	check_from(c);
	check_reply_to(c);
	check_to(c);
	check_envelope(c);
	check_list(c);
}
