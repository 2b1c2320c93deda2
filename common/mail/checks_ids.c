/* Date, Message-ID, References. */
#include "core/date.h"
#include "mail/checks_room.h"

#define DAY_S 86400
#define FUTURE_S (6 * 3600) /* zones and clocks may be off by this much */
#define PAST_S (7 * DAY_S)
#define ZONE_MAX (14 * 60) /* minutes */

static void check_date(const struct pw_check *c)
{
	const struct pw_field *date = pw_message_find(c->message, "Date");
	int64_t at_s;
	int zone;

	if (date == NULL) {
		pw_fire(c, PW_SYM_MISSING_DATE, PW_STR(""));
		return;
	}
	if (pw_date_parse(&at_s, &zone, date->text) != PW_OK) {
		pw_fire(c, PW_SYM_INVALID_DATE, date->text);
		return;
	}
	if (zone > ZONE_MAX || zone < -12 * 60 || zone % 15 != 0)
		pw_fire(c, PW_SYM_DATE_TZ_ABSURD, date->text);
	if (at_s > c->now_s + FUTURE_S)
		pw_fire(c, PW_SYM_DATE_IN_FUTURE, date->text);
	else if (at_s < c->now_s - PAST_S)
		pw_fire(c, PW_SYM_DATE_IN_PAST, date->text);
}

/* Does a To or Cc address have this domain? */
static bool is_recipient_domain(const struct pw_check *c, struct pw_str domain)
{
	static const char *const names[] = { "To", "Cc" };
	struct pw_addrlist list;
	struct pw_addrlist_item item;

	for (size_t i = 0; i < PW_LEN(names); i++) {
		const struct pw_field *field = pw_message_find(c->message, names[i]);

		if (field == NULL)
			continue;
		pw_addrlist_init(&list, c->arena, field->value);
		while (pw_addrlist_next(&list, &item))
			if (!item.is_broken &&
			    pw_str_eq_nocase(item.mailbox.domain, domain))
				return true;
	}
	return false;
}

static void check_id_host(const struct pw_check *c, struct pw_str id, struct pw_str host)
{
	struct pw_str bare = host;
	struct pw_ip ip;

	if (pw_str_starts(bare, PW_STR("[")) && bare.len > 2)
		bare = pw_str_sub(bare, 1, bare.len - 2);
	if (pw_ip_parse(&ip, bare) == PW_OK)
		pw_fire(c, PW_SYM_MID_BARE_IP, id);
	else if (pw_str_find(host, '.') == host.len)
		pw_fire(c, PW_SYM_MID_HOST_NOT_FQDN, id);
	else if (is_recipient_domain(c, host) &&
	         !(c->message->has_from &&
	           pw_str_eq_nocase(c->message->from.domain, host)))
		pw_fire(c, PW_SYM_MID_RHS_MATCH_TO, id);
}

static void check_id(const struct pw_check *c)
{
	const struct pw_field *field = pw_message_find(c->message, "Message-ID");
	struct pw_str id, inside;
	size_t at;

	if (field == NULL || field->text.len == 0) {
		pw_fire(c, PW_SYM_MISSING_MID, PW_STR(""));
		return;
	}
	id = field->text;
	if (id.len < 3 || id.at[0] != '<' || id.at[id.len - 1] != '>') {
		pw_fire(c, PW_SYM_INVALID_MID, id);
		return;
	}
	inside = pw_str_sub(id, 1, id.len - 2);
	at = pw_str_rfind(inside, '@');
	if (at == 0 || at + 1 >= inside.len || pw_str_find(inside, ' ') < inside.len ||
	    pw_str_find(inside, '<') < inside.len)
		pw_fire(c, PW_SYM_INVALID_MID, id);
	else
		check_id_host(c, id, pw_str_sub(inside, at + 1, inside.len));
}

static bool is_reply_subject(struct pw_str subject)
{
	static const char *const starts[] = { "re:", "re[", "aw:", "sv:", "antw:" };

	for (size_t i = 0; i < PW_LEN(starts); i++)
		if (pw_str_starts_nocase(subject, pw_str_from(starts[i])))
			return true;
	return false;
}

static void check_thread(const struct pw_check *c)
{
	bool has_thread = pw_message_find(c->message, "In-Reply-To") != NULL ||
	                  pw_message_find(c->message, "References") != NULL;

	if (is_reply_subject(c->message->subject)) {
		if (!has_thread && pw_message_find(c->message, "Thread-Index") == NULL)
			pw_fire(c, PW_SYM_SUBJ_FAKE_REPLY, c->message->subject);
		else if (has_thread)
			pw_fire(c, PW_SYM_HAS_REFERENCES, PW_STR(""));
	}
}

void pw_check_ids(const struct pw_check *c)
{
	check_date(c);
	check_id(c);
	check_thread(c);
}
