/* Shape of the HTML: counts of mail/html.c against thresholds, in one table. */
#include "mail/checks_room.h"

/* Words of visible text below which a picture or link is the message. */
#define SHORT_TEXT 512

#define FACT(member) offsetof(struct pw_html_facts, member)

/* clang-format off */
static const struct {
	enum pw_symbol symbol;
	size_t fact;       /* offset of an unsigned in struct pw_html_facts */
	unsigned at_least;
} rows[] = {
	{ PW_SYM_LOW_CONTRAST,        FACT(same_colour_chars), 20 },
	{ PW_SYM_ZERO_FONT,           FACT(tiny_chars),        20 },
	{ PW_SYM_HTML_FORM,           FACT(forms),              1 },
	{ PW_SYM_HTML_PASSWORD_FIELD, FACT(password_fields),    1 },
	{ PW_SYM_HTML_META_REFRESH,   FACT(refreshes),          1 },
	{ PW_SYM_HTML_SCRIPT,         FACT(scripts),            1 },
	{ PW_SYM_HTML_OBFUSCATED,     FACT(cut_words),          3 },
	{ PW_SYM_HTML_ENTITY_OBFU,    FACT(letter_entities),   20 },
	{ PW_SYM_HTML_BIG_FONT,       FACT(big_fonts),          2 },
	{ PW_SYM_HTML_COLOURFUL,      FACT(colours),            5 },
};
/* clang-format on */

void pw_check_html(const struct pw_check *c)
{
	const struct pw_html_facts *f = &c->message->html;
	const char *base = (const char *)f;

	if (f->parts == 0)
		return;
	for (size_t i = 0; i < PW_LEN(rows); i++)
		if (*(const unsigned *)(const void *)(base + rows[i].fact) >=
		    rows[i].at_least)
			pw_fire(c, rows[i].symbol, PW_STR(""));
	if (f->linked_images > 0 && f->visible_chars < SHORT_TEXT)
		pw_fire(c, PW_SYM_HTML_SHORT_LINK_IMG, PW_STR(""));
	else if (f->images > 0 && f->visible_chars < SHORT_TEXT / 2)
		pw_fire(c, PW_SYM_HTML_IMAGE_ONLY, PW_STR(""));
	if (f->has_title && f->visible_chars < 4 * SHORT_TEXT)
		pw_fire(c, PW_SYM_HTML_TITLE_ODD, PW_STR(""));
}
