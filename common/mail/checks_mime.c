/* Structure and encodings. */
#include "mail/checks_room.h"

#define WORDS_MIN 20 /* different words, below which two parts are not compared */

static bool is_type(const struct pw_part *part, const char *type)
{
	return pw_str_eq(part->type, pw_str_from(type));
}

/* How alike two word sets are, in thousandths of the smaller one. */
static unsigned likeness(const struct pw_part *a, const struct pw_part *b)
{
	size_t common = 0, less = a->words_hash_bits < b->words_hash_bits
	                                  ? a->words_hash_bits
	                                  : b->words_hash_bits;

	for (size_t i = 0; i < PW_LEN(a->words); i++)
		common += (size_t)__builtin_popcountll(a->words[i] & b->words[i]);
	return less == 0 ? 1000 : (unsigned)(common * 1000 / less);
}

/* An alternative to plain text that is no HTML: an invitation, a picture, rich text. */
static bool has_other_form(const struct pw_message *m)
{
	for (size_t i = 0; i < m->part_count; i++)
		if (m->parts[i].is_in_alternative && !is_type(&m->parts[i], "text/plain"))
			return true;
	return false;
}

static void check_alternatives(const struct pw_check *c, const struct pw_part *plain,
                               const struct pw_part *html)
{
	size_t most;

	if (!c->message->has_alternative)
		return;
	if (plain == NULL) {
		pw_fire(c, PW_SYM_MIME_ALT_NO_TEXT, PW_STR(""));
		return;
	}
	if (html == NULL) {
		if (!has_other_form(c->message))
			pw_fire(c, PW_SYM_MIME_ALT_NO_HTML, PW_STR(""));
		return;
	}
	most = plain->words_hash_bits > html->words_hash_bits ? plain->words_hash_bits
	                                                      : html->words_hash_bits;
	if (most >= WORDS_MIN && (likeness(plain, html) < 500 ||
	                          plain->words_hash_bits * 4 < html->words_hash_bits))
		pw_fire(c, PW_SYM_ALT_PARTS_DIFFER, PW_STR(""));
}

static void check_structure(const struct pw_check *c)
{
	const struct pw_message *m = c->message;
	const struct pw_part *plain = NULL, *html = NULL;

	for (size_t i = 0; i < m->part_count; i++) {
		const struct pw_part *part = &m->parts[i];

		if (part->is_attachment)
			continue;
		if (plain == NULL && is_type(part, "text/plain"))
			plain = part;
		if (html == NULL && is_type(part, "text/html"))
			html = part;
	}
	if (html != NULL && plain == NULL)
		pw_fire(c, PW_SYM_MIME_HTML_ONLY, PW_STR(""));
	else if (m->has_multipart && plain != NULL && !m->is_broken_mime)
		pw_fire(c, PW_SYM_MIME_GOOD, PW_STR(""));
	check_alternatives(c, plain, html);
	if (m->is_broken_mime)
		pw_fire(c, PW_SYM_BROKEN_CTYPE, PW_STR(""));
	if (m->is_too_deep)
		pw_fire(c, PW_SYM_MIME_LIMIT, PW_STR(""));
	if (m->lower.len < 10)
		pw_fire(c, PW_SYM_EMPTY_BODY, PW_STR(""));
	if (pw_message_find(m, "MIME-Version") == NULL &&
	    pw_message_find(m, "Content-Type") != NULL)
		pw_fire(c, PW_SYM_MISSING_MIME_VERSION, PW_STR(""));
}

static bool is_rare_charset(struct pw_str charset)
{
	static const char *const names[] = { "koi8",        "windows-1251", "gb2312",
		                             "gbk",         "gb18030",      "big5",
		                             "euc-kr",      "ks_c_5601",    "iso-2022-kr",
		                             "iso-2022-jp", "shift_jis" };

	for (size_t i = 0; i < PW_LEN(names); i++)
		if (pw_str_starts_nocase(charset, pw_str_from(names[i])))
			return true;
	return false;
}

static void check_text_part(const struct pw_check *c, const struct pw_part *part)
{
	bool is_base64 = pw_str_starts(part->encoding, PW_STR("base64"));

	if (!pw_str_starts(part->type, PW_STR("text/")) || part->is_attachment)
		return;
	if (is_base64 && part->decodes_to_ascii)
		pw_fire(c, PW_SYM_MIME_B64_TEXT, part->type);
	if (!part->is_ascii &&
	    (pw_str_eq(part->encoding, PW_STR("7bit")) || part->encoding.len == 0))
		pw_fire(c, PW_SYM_BAD_CTE_7BIT, part->type);
	if (part->charset.len == 0 && !part->decodes_to_ascii)
		pw_fire(c, PW_SYM_MISSING_CHARSET, part->type);
	if (is_rare_charset(part->charset))
		pw_fire(c, PW_SYM_RARE_CHARSET, part->charset);
}

static void check_encoding(const struct pw_check *c, const struct pw_part *part)
{
	if ((part->flags & PW_MIME_BROKEN_BASE64) != 0)
		pw_fire(c, PW_SYM_MIME_B64_BOGUS, part->type);
}

void pw_check_mime(const struct pw_check *c)
{
	check_structure(c);
	for (size_t i = 0; i < c->message->part_count; i++) {
		check_text_part(c, &c->message->parts[i]);
		check_encoding(c, &c->message->parts[i]);
	}
}
