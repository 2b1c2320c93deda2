/* Shape of the HTML: counts of core/html.c against thresholds, in one table. */
#include "mail/checks_room.h"

/* Letters of visible text below which a picture or link is the message. */
#define SHORT_TEXT 512
#define PREHEADER_MAX 60 /* hidden words with which newsletters begin */
#define HIDDEN_MIN 20    /* hidden words beside those, to be much */
#define UNBALANCED_MIN 5 /* elements without their other half */
#define LONG_RUN 2000    /* base64 letters in a row in a page that unpacks itself */

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
	{ PW_SYM_DATA_URI_OBFU,       FACT(data_pages),         1 },
};
/* clang-format on */

/* A linked picture, and less text the worse. */
static void check_short_text(const struct pw_check *c, const struct pw_html_facts *f)
{
	/* clang-format off */
	static const struct {
		unsigned below; /* letters */
		enum pw_symbol symbol;
	} levels[] = {
		{ SHORT_TEXT,     PW_SYM_HTML_SHORT_LINK_IMG },
		{ 2 * SHORT_TEXT, PW_SYM_HTML_SHORT_LINK_IMG_2 },
		{ 3 * SHORT_TEXT, PW_SYM_HTML_SHORT_LINK_IMG_3 },
	};
	/* clang-format on */

	for (size_t i = 0; f->linked_images > 0 && i < PW_LEN(levels); i++) {
		if (f->visible_chars >= levels[i].below)
			continue;
		pw_fire(c, levels[i].symbol, PW_STR(""));
		return;
	}
	if (f->images > 0 && f->visible_chars < SHORT_TEXT / 2)
		pw_fire(c, PW_SYM_HTML_IMAGE_ONLY, PW_STR(""));
}

/* More than a third of the words, not counting what newsletters put before their text for
 * the list of messages. */
static void check_hidden(const struct pw_check *c, const struct pw_html_facts *f)
{
	unsigned preheader =
		f->preheader_words < PREHEADER_MAX ? f->preheader_words : PREHEADER_MAX;
	unsigned hidden = f->hidden_words - preheader;

	if (hidden >= HIDDEN_MIN && hidden > f->visible_words / 2)
		pw_fire(c, PW_SYM_HIDDEN_TEXT_MUCH, PW_STR(""));
}

/* A page to be opened: it asks for a password, or leads on before anybody can look. */
static void check_attached(const struct pw_check *c, const struct pw_html_facts *f)
{
	bool is_form = f->password_fields > 0 || (f->forms > 0 && f->scripts > 0);
	bool is_leading =
		f->refreshes > 0 || (f->script_moves > 0 && f->script_decoders > 0);
	bool is_packed =
		f->scripts > 0 && (f->long_run >= LONG_RUN || f->script_decoders > 1);

	if (is_form)
		pw_fire(c, PW_SYM_HTML_ATTACH_PHISH, PW_STR("form"));
	else if (is_leading)
		pw_fire(c, PW_SYM_HTML_ATTACH_PHISH, PW_STR("leads on"));
	else if (is_packed || f->data_pages > 0)
		pw_fire(c, PW_SYM_HTML_ATTACH_PHISH, PW_STR("packed"));
}

void pw_check_html(const struct pw_check *c)
{
	const struct pw_html_facts *f = &c->message->html;
	const char *base = (const char *)f;

	check_attached(c, &c->message->attached_html);
	if (f->parts == 0)
		return;
	for (size_t i = 0; i < PW_LEN(rows); i++)
		if (*(const unsigned *)(const void *)(base + rows[i].fact) >=
		    rows[i].at_least)
			pw_fire(c, rows[i].symbol, PW_STR(""));
	check_short_text(c, f);
	check_hidden(c, f);
	if (f->open_ends + f->stray_ends >= UNBALANCED_MIN)
		pw_fire(c, PW_SYM_HTML_UNBALANCED, PW_STR(""));
	if (f->has_title && f->visible_chars < 4 * SHORT_TEXT)
		pw_fire(c, PW_SYM_HTML_TITLE_ODD, PW_STR(""));
}
