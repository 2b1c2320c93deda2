/* Marks of the program that made the message. */
#include <string.h>

#include "mail/checks_room.h"

static struct pw_str mailer_of(const struct pw_message *m)
{
	const struct pw_field *field = pw_message_find(m, "X-Mailer");

	if (field == NULL)
		field = pw_message_find(m, "User-Agent");
	return field != NULL ? field->text : PW_STR("");
}

static void check_mailer(const struct pw_check *c)
{
	static const char *const old[] = { "Outlook Express", "Outlook, Build 10",
		                           "Outlook IMO",     "Internet Mail Service",
		                           "Microsoft CDO",   "Eudora",
		                           "AOL 5",           "AOL 6",
		                           "AOL 7",           "Foxmail 4",
		                           "Foxmail 5" };
	static const char *const bad[] = {
		"The Bat! (v1",     "Microsoft Windows Live Mail 15",
		"eGroups",          "Achi-Kochi",
		"jpfree",           "StormPost",
		"PG-MAILINGLIST",   "diffondi",
		"Group Mail",       "MailKing",
		"Mail Bomber",      "Advanced Mass",
		"Extractor",        "EmailBlaster",
		"Aristotle",        "Super Mailer",
		"SuperMail",        "QuickSender",
		"Emailer Platinum", "MultiMailer",
		"IPS PHP",          "Leaf PHP"
	};
	struct pw_str mailer = mailer_of(c->message);

	if (mailer.len == 0)
		return;
	for (size_t i = 0; i < PW_LEN(old); i++)
		if (pw_has(mailer, old[i]))
			pw_fire(c, PW_SYM_OLD_MUA, mailer);
	for (size_t i = 0; i < PW_LEN(bad); i++)
		if (pw_has(mailer, bad[i]))
			pw_fire(c, PW_SYM_X_MAILER_BAD, mailer);
}

static size_t count_of(struct pw_str s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.at[i] == c;
	return n;
}

/* Outlook and Outlook Express write "<12 hex>$8 hex$8 hex@host>", never otherwise;
 * Thunderbird and its kin put hexadecimal digits and dots before the '@'. */
static void check_forged(const struct pw_check *c)
{
	const struct pw_field *id = pw_message_find(c->message, "Message-ID");
	struct pw_str mailer = mailer_of(c->message);

	if (id == NULL || mailer.len == 0)
		return;
	if (pw_has(mailer, "Microsoft Outlook Express") && count_of(id->text, '$') != 2)
		pw_fire(c, PW_SYM_FORGED_MUA, mailer);
	if (pw_has(mailer, "Thunderbird") && count_of(id->text, '$') > 0)
		pw_fire(c, PW_SYM_FORGED_MUA, mailer);
	if (pw_message_find(c->message, "X-MSMail-Priority") != NULL &&
	    pw_message_find(c->message, "X-MimeOLE") == NULL &&
	    !pw_has(mailer, "Internet Mail"))
		pw_fire(c, PW_SYM_MISSING_MIMEOLE, mailer);
}

/* What a template leaves behind when its engine stumbles. */
static void check_ratware(const struct pw_check *c)
{
	static const char *const marks[] = { "%RND",      "%RANDOM",     "%CUSTOM",
		                             "%MAKE_TXT", "{%",          "%TXT_",
		                             "%NAME%",    "[[FIRSTNAME", "<%FIRST" };
	struct pw_str head = pw_str_sub(c->message->text, 0, 4096);

	for (size_t i = 0; i < PW_LEN(marks); i++) {
		if (pw_has(c->message->subject, marks[i]) ||
		    pw_str_contains(head, pw_str_from(marks[i])))
			pw_fire(c, PW_SYM_RATWARE_MARK, pw_str_from(marks[i]));
	}
}

static void check_marks(const struct pw_check *c)
{
	const struct pw_message *m = c->message;
	const struct pw_field *field = pw_message_find(m, "X-Spam-Flag");

	if (field != NULL && pw_str_starts_nocase(field->text, PW_STR("yes")))
		pw_fire(c, PW_SYM_UPSTREAM_SPAM_FLAG, field->name);
	if ((field = pw_message_find(m, "X-Spam-Status")) != NULL &&
	    pw_str_starts_nocase(field->text, PW_STR("yes")))
		pw_fire(c, PW_SYM_UPSTREAM_SPAM_FLAG, field->name);
	if ((field = pw_message_find(m, "X-PHP-Originating-Script")) != NULL ||
	    (field = pw_message_find(m, "X-PHP-Script")) != NULL)
		pw_fire(c, PW_SYM_PHP_ORIGIN, field->text);
	if ((field = pw_message_find(m, "X-Priority")) != NULL && field->text.len > 0 &&
	    (field->text.at[0] == '1' || field->text.at[0] == '2'))
		pw_fire(c, PW_SYM_PRIORITY_HIGH, field->text);
	field = pw_message_find(m, "Precedence");
	if (field != NULL && (pw_str_eq_nocase(field->text, PW_STR("bulk")) ||
	                      pw_str_eq_nocase(field->text, PW_STR("junk"))))
		pw_fire(c, PW_SYM_BULK_PRECEDENCE, field->text);
}

void pw_check_mailer(const struct pw_check *c)
{
	check_mailer(c);
	check_forged(c);
	check_ratware(c);
	check_marks(c);
}
