#include "core/html.h"

#include "core/ascii.h"
#include "core/entity.h"
#include "core/html_links.h"
#include "core/html_style.h"
#include "core/html_token.h"
#include "core/script.h"
#include "core/utf8.h"

#define PX 100
#define BIG_FONT (32 * PX)
#define PIXEL_MAX 3    /* sides of a picture that only tells who has read */
#define SIDE_MAX 10000 /* of any picture */

/* One pass over one part. Too large for the stack of a thread. */
struct reader {
	struct pw_buf *text;
	struct pw_html_facts *facts;
	struct pw_arena *arena;
	struct pw_str rest;
	struct pw_html_links links;
	struct pw_css_sheet *sheet;
	struct pw_html_style style;
	enum pw_html_sight sight;         /* of the text here */
	int32_t last_colour;              /* to count changes */
	const struct pw_tag *just_opened; /* the piece before was its start tag */
	uint64_t steps;
	bool is_in_word;
	bool was_parted; /* nothing visible, yet something, since the last letter */
	bool has_visible_word;
};

static bool is_unseen(enum pw_html_sight sight)
{
	return sight == PW_HTML_HIDDEN || sight == PW_HTML_TINY;
}

static bool is_blank(uint32_t code)
{
	return code <= ' ' || (code >= 0x7f && code <= 0xa0) || code == 0x3000 ||
	       (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
	       code == 0x202f || code == 0x205f;
}

static bool is_word_code(uint32_t code)
{
	return code < 0x80 ? pw_is_alnum((char)code)
	                   : pw_script_of(code) != PW_SCRIPT_NONE;
}

static bool ends_in_letter(const struct pw_buf *b)
{
	return b->len > 0 && pw_is_alnum(b->at[b->len - 1]);
}

/* A blank or the end of a line, once. */
static void put_gap(struct reader *r, char c)
{
	struct pw_buf *text = r->text;

	r->is_in_word = false;
	if (text->len == 0 || text->at[text->len - 1] == '\n')
		return;
	if (text->at[text->len - 1] == ' ') {
		if (c == ' ')
			return;
		pw_buf_truncate(text, text->len - 1);
	}
	pw_buf_putc(text, c);
}

static void count_char(struct reader *r)
{
	struct pw_html_facts *f = r->facts;

	switch (r->sight) {
	case PW_HTML_VISIBLE:
		f->visible_chars++;
		break;
	case PW_HTML_SAME_COLOUR:
		f->same_colour_chars++;
		break;
	case PW_HTML_TINY:
		f->tiny_chars++;
		break;
	case PW_HTML_HIDDEN:
		f->hidden_chars++;
		break;
	}
}

static void count_word(struct reader *r)
{
	struct pw_html_facts *f = r->facts;

	if (r->sight == PW_HTML_VISIBLE) {
		f->visible_words++;
		r->has_visible_word = true;
		f->mso_words += r->style.look.is_mso_hidden;
		return;
	}
	f->hidden_words++;
	f->preheader_words += !r->has_visible_word;
}

/* One character of text. */
static void put_code(struct reader *r, uint32_t code)
{
	bool is_word = is_word_code(code);

	if (is_blank(code)) {
		if (!is_unseen(r->sight))
			put_gap(r, ' ');
		r->is_in_word = false;
		return;
	}
	count_char(r);
	if (is_word && !r->is_in_word)
		count_word(r);
	r->is_in_word = is_word;
	if (is_unseen(r->sight)) {
		r->was_parted = true;
		return;
	}
	if (r->was_parted && is_word && ends_in_letter(r->text))
		r->facts->cut_words++;
	r->was_parted = false;
	if (code < 0x80)
		pw_buf_putc(r->text, (char)code);
	else
		pw_utf8_put_code(r->text, code);
}

/* s begins with '&'. */
static size_t read_entity(struct reader *r, struct pw_str s)
{
	uint32_t code;
	size_t n = pw_entity_get(s, false, &code);

	if (n == 0) {
		put_code(r, '&');
		return 1;
	}
	if (s.at[1] == '#' && code < 0x80 && pw_is_alpha((char)code))
		r->facts->letter_entities++;
	put_code(r, code);
	return n;
}

/* Text up to the next '<'; that, too, when it begins no markup. */
static void read_text(struct reader *r)
{
	struct pw_str s = r->rest;
	size_t i = 0;

	while (i < s.len && (i == 0 || s.at[i] != '<')) {
		uint32_t code = 0xfffd;
		size_t n = 1;

		if (s.at[i] == '&') {
			i += read_entity(r, pw_str_sub(s, i, s.len));
			continue;
		}
		if ((unsigned char)s.at[i] < 0x80)
			code = (unsigned char)s.at[i];
		else if ((n = pw_utf8_get(pw_str_sub(s, i, 4), &code)) == 0)
			n = 1;
		put_code(r, code);
		i += n;
	}
	r->rest = pw_str_sub(s, i, s.len);
	r->just_opened = NULL;
}

/* What the attributes of an element say by themselves. */
static void read_attributes(struct pw_css *css, const struct pw_html_token *token)
{
	/* clang-format off */
	static const struct {
		enum pw_html_attribute attribute;
		enum pw_css_property property;
	} rows[] = {
		{ PW_HTML_TEXT,    PW_CSS_COLOUR },
		{ PW_HTML_COLOR,   PW_CSS_COLOUR },
		{ PW_HTML_BGCOLOR, PW_CSS_BACKGROUND },
	};
	/* clang-format on */

	for (size_t i = 0; i < PW_LEN(rows); i++) {
		int32_t colour;

		if ((token->has >> rows[i].attribute & 1) == 0)
			continue;
		colour = pw_css_colour(token->value[rows[i].attribute]);
		if (colour == PW_CSS_NONE)
			continue;
		css->set |= (uint32_t)1 << rows[i].property;
		css->value[rows[i].property] = colour;
	}
	if ((token->has >> PW_HTML_BACKGROUND & 1) != 0) {
		css->set |= (uint32_t)1 << PW_CSS_BACKGROUND;
		css->value[PW_CSS_BACKGROUND] = PW_CSS_NONE;
	}
	if ((token->has >> PW_HTML_HIDDEN_ATTRIBUTE & 1) != 0) {
		css->set |= (uint32_t)1 << PW_CSS_DISPLAY;
		css->value[PW_CSS_DISPLAY] = 0;
	}
}

/* Shouting: colours and sizes that the element itself names. */
static void count_shouts(struct reader *r, const struct pw_css *own,
                         const struct pw_tag *tag, const struct pw_html_token *token)
{
	struct pw_str size = pw_html_token_value(token, PW_HTML_SIZE);

	if ((own->set >> PW_CSS_COLOUR & 1) != 0 && own->value[PW_CSS_COLOUR] > 0 &&
	    own->value[PW_CSS_COLOUR] != r->last_colour) {
		r->last_colour = own->value[PW_CSS_COLOUR];
		r->facts->colours++;
	}
	if ((own->set >> PW_CSS_FONT_SIZE & 1) != 0 &&
	    own->value[PW_CSS_FONT_SIZE] >= BIG_FONT)
		r->facts->big_fonts++;
	if (pw_str_eq(pw_str_from(tag->name), PW_STR("font")) && size.len > 0 &&
	    (pw_str_eq(size, PW_STR("+3")) || (size.at[0] >= '5' && size.at[0] <= '7')))
		r->facts->big_fonts++;
}

static enum pw_status read_look(struct reader *r, struct pw_css *css,
                                const struct pw_tag *tag,
                                const struct pw_html_token *token)
{
	struct pw_str style = pw_html_token_value(token, PW_HTML_STYLE);
	struct pw_css own = { .set = 0 };
	enum pw_status status;

	if (token->has == 0 && r->sheet == NULL)
		return PW_OK;
	read_attributes(&own, token);
	pw_css_lay(css, &own);
	pw_css_sheet_apply(r->sheet, css, pw_str_from(tag->name),
	                   pw_html_token_value(token, PW_HTML_CLASS),
	                   pw_html_token_value(token, PW_HTML_ID));
	if (pw_str_find(style, '&') < style.len &&
	    (status = pw_html_attribute_text(r->arena, style, &style)) != PW_OK)
		return status;
	if (style.len > 0)
		pw_css_read(&own, style);
	pw_css_lay(css, &own);
	count_shouts(r, &own, tag, token);
	return PW_OK;
}

/* A side of a picture in pixels: of its style, else of its attribute; -1 = not said. */
static int32_t side(const struct pw_css *css, enum pw_css_property p, struct pw_str text)
{
	int64_t n = 0;
	size_t i = 0;

	if ((css->set >> p & 1) != 0 && css->value[p] >= 0 && css->value[p] != INT32_MAX)
		return css->value[p] / PX < SIDE_MAX ? css->value[p] / PX : SIDE_MAX;
	for (; i < text.len && pw_is_digit(text.at[i]) && n < SIDE_MAX; i++)
		n = n * 10 + (text.at[i] - '0');
	if (i == 0 || (i < text.len && text.at[i] == '%'))
		return -1;
	return n < SIDE_MAX ? (int32_t)n : SIDE_MAX;
}

static enum pw_status read_image(struct reader *r, const struct pw_css *css,
                                 const struct pw_html_token *token)
{
	struct pw_str src = pw_str_trim(pw_html_token_value(token, PW_HTML_SRC));
	int32_t w = side(css, PW_CSS_WIDTH, pw_html_token_value(token, PW_HTML_WIDTH));
	int32_t h = side(css, PW_CSS_HEIGHT, pw_html_token_value(token, PW_HTML_HEIGHT));
	struct pw_html_facts *f = r->facts;
	bool is_remote = pw_str_starts_nocase(src, PW_STR("http")) ||
	                 pw_str_starts(src, PW_STR("//"));
	bool is_unshown =
		(css->set >> PW_CSS_DISPLAY & 1) != 0 && css->value[PW_CSS_DISPLAY] == 0;

	f->images++;
	f->linked_images += r->links.anchor.len > 0;
	r->links.has_image = true;
	f->remote_images += is_remote;
	f->data_images += pw_str_starts_nocase(src, PW_STR("data:"));
	f->tracking_images +=
		is_remote &&
		(is_unshown || (w >= 0 && w <= PIXEL_MAX && h >= 0 && h <= PIXEL_MAX));
	if (w > 0 && h > 0 && f->image_area < UINT32_MAX / 2)
		f->image_area += (unsigned)(w * h);
	return pw_html_link_add(&r->links, src, (struct pw_link){ .is_image = true });
}

/* <meta http-equiv=refresh content="0; url=..."> */
static enum pw_status read_meta(struct reader *r, const struct pw_html_token *token)
{
	struct pw_str content = pw_html_token_value(token, PW_HTML_CONTENT);

	if (!pw_str_eq_nocase(pw_str_trim(pw_html_token_value(token, PW_HTML_HTTP_EQUIV)),
	                      PW_STR("refresh")))
		return PW_OK;
	r->facts->refreshes++;
	(void)pw_str_cut(&content, '=');
	if (content.at == NULL)
		return PW_OK;
	content = pw_str_trim(content);
	if (content.len > 0 && (content.at[0] == '\'' || content.at[0] == '"'))
		content = pw_str_sub(content, 1, content.len);
	return pw_html_link_add(&r->links, content, (struct pw_link){ .is_frame = true });
}

static enum pw_status read_input(struct reader *r, const struct pw_html_token *token)
{
	r->facts->inputs++;
	if (pw_str_eq_nocase(pw_str_trim(pw_html_token_value(token, PW_HTML_TYPE)),
	                     PW_STR("password")))
		r->facts->password_fields++;
	if ((token->has >> PW_HTML_FORMACTION & 1) == 0)
		return PW_OK;
	return pw_html_link_add(&r->links, pw_html_token_value(token, PW_HTML_FORMACTION),
	                        (struct pw_link){ .is_form = true });
}

/* What scripts in mail are for, by the words they cannot do without. */
static void look_at_script(struct pw_html_facts *facts, struct pw_str s)
{
	static const char *const moves[] = { "location", "window.open", "submit(" };
	static const char *const decoders[] = { "atob(", "unescape(", "fromcharcode",
		                                "eval(", "decodeuri" };

	for (size_t i = 0; i < s.len; i++) {
		struct pw_str here = pw_str_sub(s, i, 16);

		if (!pw_is_alpha(here.at[0]) || (i > 0 && pw_is_alpha(s.at[i - 1])))
			continue;
		for (size_t k = 0; k < PW_LEN(moves); k++)
			facts->script_moves +=
				pw_str_starts_nocase(here, pw_str_from(moves[k]));
		for (size_t k = 0; k < PW_LEN(decoders); k++)
			facts->script_decoders +=
				pw_str_starts_nocase(here, pw_str_from(decoders[k]));
	}
	pw_html_note_run(facts, s);
}

/* The text of an element that holds no markup. */
static struct pw_str take_raw(struct reader *r, const struct pw_tag *tag)
{
	size_t n = pw_html_raw_text(r->rest, pw_str_from(tag->name));
	struct pw_str text = pw_str_sub(r->rest, 0, n);

	r->rest = pw_str_sub(r->rest, n, r->rest.len);
	r->steps += n;
	return text;
}

static enum pw_status read_frame(struct reader *r, const struct pw_tag *tag,
                                 const struct pw_html_token *token)
{
	enum pw_html_attribute a =
		(token->has >> PW_HTML_SRC & 1) != 0 ? PW_HTML_SRC : PW_HTML_DATA;

	r->facts->frames++;
	if (pw_str_eq(pw_str_from(tag->name), PW_STR("iframe")))
		(void)take_raw(r, tag);
	return pw_html_link_add(&r->links, pw_html_token_value(token, a),
	                        (struct pw_link){ .is_frame = true });
}

static enum pw_status read_base(struct reader *r, const struct pw_html_token *token)
{
	r->facts->bases++;
	if (r->links.base.len > 0)
		return PW_OK;
	return pw_html_attribute_text(r->arena, pw_html_token_value(token, PW_HTML_HREF),
	                              &r->links.base);
}

static enum pw_status read_form(struct reader *r, const struct pw_html_token *token)
{
	r->facts->forms++;
	return pw_html_link_add(&r->links, pw_html_token_value(token, PW_HTML_ACTION),
	                        (struct pw_link){ .is_form = true });
}

/* What a tag means beside its look. */
static enum pw_status open_element(struct reader *r, const struct pw_tag *tag,
                                   const struct pw_html_token *token,
                                   const struct pw_css *css)
{
	switch ((enum pw_tag_kind)tag->kind) {
	case PW_TAG_ANCHOR:
		return pw_html_link_open(
			&r->links,
			pw_html_token_value(token, (token->has >> PW_HTML_HREF & 1) != 0
		                                           ? PW_HTML_HREF
		                                           : PW_HTML_XLINK_HREF),
			pw_buf_str(r->text));
	case PW_TAG_IMG:
		return read_image(r, css, token);
	case PW_TAG_FORM:
		return read_form(r, token);
	case PW_TAG_INPUT:
		return read_input(r, token);
	case PW_TAG_META:
		return read_meta(r, token);
	case PW_TAG_SCRIPT:
		r->facts->scripts++;
		look_at_script(r->facts, take_raw(r, tag));
		return PW_OK;
	case PW_TAG_STYLE:
		return pw_css_sheet_read(&r->sheet, r->arena, take_raw(r, tag));
	case PW_TAG_TITLE:
		r->facts->has_title = true;
		(void)take_raw(r, tag);
		return PW_OK;
	case PW_TAG_SKIP:
		(void)take_raw(r, tag);
		return PW_OK;
	case PW_TAG_BASE:
		return read_base(r, token);
	case PW_TAG_FRAME:
		return read_frame(r, tag, token);
	case PW_TAG_INLINE:
	case PW_TAG_BLOCK:
	case PW_TAG_CELL:
		break;
	}
	return PW_OK;
}

static void put_break(struct reader *r, const struct pw_tag *tag)
{
	if (tag->kind == PW_TAG_BLOCK)
		put_gap(r, '\n');
	else if (tag->kind == PW_TAG_CELL)
		put_gap(r, ' ');
}

static enum pw_status read_end(struct reader *r, const struct pw_tag *tag)
{
	enum pw_status status = PW_OK;
	int ended;

	/* "<b></b>" between two letters; a named anchor may be there by right */
	if (r->just_opened == tag && tag->kind == PW_TAG_INLINE)
		r->was_parted = r->was_parted || ends_in_letter(r->text);
	if (tag->kind == PW_TAG_ANCHOR)
		status = pw_html_link_close(&r->links, pw_buf_str(r->text));
	r->steps += pw_html_style_end(&r->style, tag, &ended);
	if (ended > 0)
		r->facts->open_ends += (unsigned)ended;
	else if (ended < 0 && (tag->flags & PW_TAG_IS_PAIR) != 0)
		r->facts->stray_ends++;
	r->just_opened = NULL;
	return status;
}

static enum pw_status read_start(struct reader *r, const struct pw_tag *tag,
                                 const struct pw_html_token *token)
{
	struct pw_css css = { .set = 0 };
	enum pw_status status;

	r->facts->tables += pw_str_eq(pw_str_from(tag->name), PW_STR("table"));
	if ((status = read_look(r, &css, tag, token)) != PW_OK)
		return status;
	r->steps += pw_html_style_start(&r->style, tag, &css);
	r->just_opened = tag;
	return open_element(r, tag, token, &css);
}

static enum pw_status read_markup(struct reader *r, const struct pw_html_token *token)
{
	const struct pw_tag *tag;
	enum pw_status status;

	if (token->piece == PW_HTML_COMMENT) {
		r->facts->comments++;
		r->was_parted = r->was_parted || ends_in_letter(r->text);
		return PW_OK;
	}
	r->facts->tags++;
	if ((tag = pw_tag_find(token->name)) == NULL) {
		/* o:p, v:shape are Office, not tricks */
		if (pw_str_find(token->name, ':') == token->name.len) {
			r->facts->unknown_tags++;
			r->was_parted = r->was_parted || ends_in_letter(r->text);
		}
		return PW_OK;
	}
	put_break(r, tag);
	status = token->piece == PW_HTML_END ? read_end(r, tag)
	                                     : read_start(r, tag, token);
	r->sight = pw_html_style_sight(&r->style);
	return status;
}

static enum pw_status read_all(struct reader *r)
{
	enum pw_status status = PW_OK;

	while (r->rest.len > 0 && status == PW_OK && r->steps < PW_HTML_STEPS_MAX) {
		struct pw_html_token token;
		size_t left = r->rest.len;
		size_t n = r->rest.at[0] == '<' ? pw_html_token_get(&token, r->rest) : 0;

		if (n > 0) {
			r->rest = pw_str_sub(r->rest, n, left);
			status = read_markup(r, &token);
			r->steps += n + 1;
		} else {
			read_text(r);
			r->steps += left - r->rest.len;
		}
	}
	return status;
}

enum pw_status pw_html_read(struct pw_buf *text, struct pw_links *links,
                            struct pw_html_facts *facts, struct pw_arena *arena,
                            struct pw_str html)
{
	struct reader *r = pw_arena_alloc(arena, sizeof(*r));
	enum pw_status status;

	if (r == NULL)
		return PW_ERR_NOMEM;
	r->text = text;
	r->facts = facts;
	r->arena = arena;
	r->rest = html;
	r->links =
		(struct pw_html_links){ .links = links, .facts = facts, .arena = arena };
	r->last_colour = PW_CSS_NONE;
	pw_html_style_init(&r->style);
	facts->parts++;
	if ((status = read_all(r)) != PW_OK ||
	    (status = pw_html_link_close(&r->links, pw_buf_str(text))) != PW_OK)
		return status;
	put_gap(r, '\n');
	facts->open_ends += pw_html_style_open_pairs(&r->style);
	facts->steps += r->steps;
	facts->is_cut = facts->is_cut || r->rest.len > 0 || pw_buf_status(text) != PW_OK;
	return PW_OK;
}
