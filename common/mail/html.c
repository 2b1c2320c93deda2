#include "mail/html.h"

#include <string.h>

#include "core/ascii.h"
#include "mail/html_style.h"

#define SHOWN_MAX 300

enum tag_kind {
	T_INLINE,
	T_BLOCK,
	T_CELL,
	T_SKIP,
	T_ANCHOR,
	T_IMG,
	T_FORM,
	T_INPUT,
	T_META,
	T_SCRIPT,
	T_FONT,
	T_TITLE,
	T_BODY,
	T_UNKNOWN
};

/* clang-format off */
static const struct tag_row {
	const char *name;
	enum tag_kind kind;
} tag_rows[] = {
	{ "a", T_ANCHOR },       { "area", T_ANCHOR },   { "img", T_IMG },
	{ "form", T_FORM },      { "input", T_INPUT },   { "meta", T_META },
	{ "script", T_SCRIPT },  { "style", T_SKIP },    { "font", T_FONT },
	{ "title", T_TITLE },    { "body", T_BODY },     { "br", T_BLOCK },
	{ "p", T_BLOCK },        { "div", T_BLOCK },     { "tr", T_BLOCK },
	{ "table", T_BLOCK },    { "td", T_CELL },       { "th", T_CELL },
	{ "li", T_BLOCK },       { "ul", T_BLOCK },      { "ol", T_BLOCK },
	{ "h1", T_BLOCK },       { "h2", T_BLOCK },      { "h3", T_BLOCK },
	{ "h4", T_BLOCK },       { "h5", T_BLOCK },      { "h6", T_BLOCK },
	{ "hr", T_BLOCK },       { "pre", T_BLOCK },     { "blockquote", T_BLOCK },
	{ "center", T_BLOCK },   { "span", T_INLINE },   { "b", T_INLINE },
	{ "i", T_INLINE },       { "u", T_INLINE },      { "s", T_INLINE },
	{ "strong", T_INLINE },  { "em", T_INLINE },     { "small", T_INLINE },
	{ "big", T_INLINE },     { "sup", T_INLINE },    { "sub", T_INLINE },
	{ "tt", T_INLINE },      { "code", T_INLINE },   { "html", T_INLINE },
	{ "head", T_INLINE },    { "link", T_INLINE },   { "base", T_INLINE },
	{ "tbody", T_BLOCK },    { "thead", T_BLOCK },   { "tfoot", T_BLOCK },
	{ "label", T_INLINE },   { "button", T_INLINE }, { "select", T_INLINE },
	{ "option", T_BLOCK },   { "textarea", T_BLOCK },{ "map", T_INLINE },
	{ "section", T_BLOCK },  { "header", T_BLOCK },  { "footer", T_BLOCK },
	{ "article", T_BLOCK },  { "main", T_BLOCK },    { "nav", T_BLOCK },
	{ "dl", T_BLOCK },       { "dt", T_BLOCK },      { "dd", T_BLOCK },
	{ "col", T_INLINE },     { "colgroup", T_INLINE },{ "caption", T_BLOCK },
	{ "abbr", T_INLINE },    { "acronym", T_INLINE },{ "address", T_BLOCK },
	{ "cite", T_INLINE },    { "strike", T_INLINE }, { "del", T_INLINE },
	{ "ins", T_INLINE },     { "kbd", T_INLINE },    { "samp", T_INLINE },
	{ "var", T_INLINE },     { "wbr", T_INLINE },    { "nobr", T_INLINE },
	{ "iframe", T_SKIP },    { "object", T_INLINE }, { "embed", T_INLINE },
	{ "param", T_INLINE },   { "noscript", T_INLINE },{ "svg", T_INLINE },
	{ "figure", T_BLOCK },   { "marquee", T_BLOCK }, { "blink", T_INLINE },
	{ "basefont", T_FONT },  { "frame", T_INLINE },  { "frameset", T_INLINE },
	{ "layer", T_BLOCK },    { "ilayer", T_INLINE }, { "fieldset", T_BLOCK },
	{ "legend", T_BLOCK },   { "q", T_INLINE },      { "dfn", T_INLINE },
	{ "video", T_INLINE },   { "source", T_INLINE }, { "picture", T_INLINE },
	{ "bdo", T_INLINE },     { "time", T_INLINE },   { "mark", T_INLINE },
};

static const struct entity_row {
	const char *name;
	const char *text;
} entities[] = {
	{ "amp", "&" },   { "lt", "<" },     { "gt", ">" },    { "quot", "\"" },
	{ "nbsp", " " },  { "apos", "'" },   { "copy", "(c)" },{ "reg", "(r)" },
	{ "trade", "(tm)" }, { "hellip", "..." }, { "mdash", "-" }, { "ndash", "-" },
	{ "rsquo", "'" }, { "lsquo", "'" },  { "ldquo", "\"" },{ "rdquo", "\"" },
	{ "bull", "*" },  { "euro", "EUR" }, { "pound", "GBP" }, { "zwnj", "" },
};
/* clang-format on */

/* One pass over one part. */
struct reader {
	struct pw_buf *text;
	struct pw_links *links;
	struct pw_html_facts *facts;
	struct pw_arena *arena;
	struct pw_str rest;
	struct pw_html_style style;
	struct pw_str anchor;     /* href of the open <a>, or empty */
	size_t anchor_text_start; /* in text */
	bool was_cut; /* a comment or an unknown tag came directly behind a letter */
};

static void put_utf8(struct pw_buf *out, uint32_t c)
{
	if (c < 0x80) {
		pw_buf_putc(out, (char)c);
	} else if (c < 0x800) {
		pw_buf_putc(out, (char)(0xc0 | c >> 6));
		pw_buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		pw_buf_putc(out, (char)(0xe0 | c >> 12));
		pw_buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		pw_buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x110000) {
		pw_buf_putc(out, (char)(0xf0 | c >> 18));
		pw_buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		pw_buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		pw_buf_putc(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* "&#65;" or "&#x41;" behind the hash: the number and how many bytes it took. */
static size_t numeric_entity(struct pw_str s, uint32_t *value)
{
	bool is_hex = s.len > 0 && pw_lower(s.at[0]) == 'x';
	size_t i = is_hex ? 1 : 0, start = i;

	*value = 0;
	for (; i < s.len && i < start + 7; i++) {
		int digit = pw_hex_value(s.at[i]);

		if (digit < 0 || (!is_hex && digit > 9))
			break;
		*value = *value * (is_hex ? 16 : 10) + (uint32_t)digit;
	}
	if (i == start)
		return 0;
	return i < s.len && s.at[i] == ';' ? i + 1 : i;
}

/* Decode the entity at the start of s ('&' included); returns its length, 1 if none. */
static size_t put_entity(struct pw_buf *out, struct pw_str s, unsigned *letters)
{
	uint32_t value;
	size_t n;

	if (s.len > 2 && s.at[1] == '#') {
		if ((n = numeric_entity(pw_str_sub(s, 2, s.len), &value)) == 0) {
			pw_buf_putc(out, '&');
			return 1;
		}
		if (value < 0x80 && pw_is_alpha((char)value) && letters != NULL)
			(*letters)++;
		put_utf8(out, value == 0xa0 || value < ' ' ? ' ' : value);
		return n + 2;
	}
	for (size_t i = 0; i < PW_LEN(entities); i++) {
		struct pw_str name = pw_str_from(entities[i].name);

		if (!pw_str_starts(pw_str_sub(s, 1, s.len), name))
			continue;
		pw_buf_puts(out, pw_str_from(entities[i].text));
		n = 1 + name.len;
		return n < s.len && s.at[n] == ';' ? n + 1 : n;
	}
	pw_buf_putc(out, '&');
	return 1;
}

static enum pw_status decode_attribute(struct pw_arena *arena, struct pw_str raw,
                                       struct pw_str *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };

	for (size_t i = 0; i < raw.len;) {
		if (raw.at[i] == '&') {
			i += put_entity(&b, pw_str_sub(raw, i, raw.len), NULL);
			continue;
		}
		if (raw.at[i] != '\r' && raw.at[i] != '\n')
			pw_buf_putc(&b, raw.at[i]);
		i++;
	}
	return pw_arena_copy(arena, pw_str_trim(pw_buf_str(&b)), out);
}

/* Value of an attribute of a tag's inside, raw; empty if it is not there. */
static struct pw_str attribute(struct pw_str inside, struct pw_str name)
{
	struct pw_str none = { "", 0 };

	for (size_t i = 0; i < inside.len; i++) {
		struct pw_str rest = pw_str_sub(inside, i, inside.len);
		size_t at = name.len;
		char quote;

		if (i > 0 && pw_is_alnum(inside.at[i - 1]))
			continue;
		if (i > 0 && inside.at[i - 1] == '-')
			continue;
		if (!pw_str_starts_nocase(rest, name))
			continue;
		while (at < rest.len && (unsigned char)rest.at[at] <= ' ')
			at++;
		if (at >= rest.len || rest.at[at] != '=')
			continue;
		rest = pw_str_trim(pw_str_sub(rest, at + 1, rest.len));
		if (rest.len == 0)
			return none;
		quote = rest.at[0];
		if (quote == '"' || quote == '\'')
			return pw_str_sub(
				rest, 1,
				pw_str_find(pw_str_sub(rest, 1, rest.len), quote));
		for (at = 0; at < rest.len && (unsigned char)rest.at[at] > ' '; at++)
			;
		return pw_str_sub(rest, 0, at);
	}
	return none;
}

static void add_link(struct reader *r, struct pw_str url, struct pw_str shown,
                     bool is_image)
{
	struct pw_link *link;

	r->links->seen++;
	if (pw_str_starts_nocase(url, PW_STR("data:")))
		r->facts->data_links++;
	if (r->links->count == PW_LINKS_MAX || url.len == 0)
		return;
	link = &r->links->at[r->links->count++];
	*link = (struct pw_link){
		.url = url, .shown = shown, .is_image = is_image, .is_anchor = !is_image
	};
}

static void close_anchor(struct reader *r)
{
	struct pw_str shown = { "", 0 }, copy;

	if (r->anchor.len == 0)
		return;
	if (r->anchor_text_start < r->text->len)
		shown = pw_str_sub(pw_buf_str(r->text), r->anchor_text_start, SHOWN_MAX);
	if (pw_arena_copy(r->arena, pw_str_trim(shown), &copy) == PW_OK)
		add_link(r, r->anchor, copy, false);
	r->anchor.len = 0;
}

static void open_anchor(struct reader *r, struct pw_str inside)
{
	close_anchor(r);
	r->facts->anchors++;
	if (decode_attribute(r->arena, attribute(inside, PW_STR("href")), &r->anchor) !=
	    PW_OK)
		r->anchor = (struct pw_str){ "", 0 };
	r->anchor_text_start = r->text->len;
}

static void read_image(struct reader *r, struct pw_str inside)
{
	struct pw_str src;

	r->facts->images++;
	if (r->anchor.len > 0)
		r->facts->linked_images++;
	if (decode_attribute(r->arena, attribute(inside, PW_STR("src")), &src) == PW_OK)
		add_link(r, src, (struct pw_str){ "", 0 }, true);
}

/* Drop everything up to "</name", or to the end. */
static void skip_element(struct reader *r, const char *name)
{
	struct pw_str want = pw_str_from(name);

	for (size_t i = 0; i + 2 < r->rest.len; i++) {
		if (r->rest.at[i] != '<' || r->rest.at[i + 1] != '/' ||
		    !pw_str_starts_nocase(pw_str_sub(r->rest, i + 2, want.len), want))
			continue;
		r->rest = pw_str_sub(r->rest, i, r->rest.len);
		return;
	}
	r->rest.len = 0;
}

static void open_tag(struct reader *r, const struct tag_row *row, struct pw_str inside)
{
	switch (row->kind) {
	case T_ANCHOR:
		open_anchor(r, inside);
		break;
	case T_IMG:
		read_image(r, inside);
		break;
	case T_FORM:
		r->facts->forms++;
		break;
	case T_INPUT:
		if (pw_str_eq_nocase(attribute(inside, PW_STR("type")),
		                     PW_STR("password")))
			r->facts->password_fields++;
		break;
	case T_META:
		if (pw_str_eq_nocase(attribute(inside, PW_STR("http-equiv")),
		                     PW_STR("refresh")))
			r->facts->refreshes++;
		break;
	case T_SCRIPT:
		r->facts->scripts++;
		skip_element(r, row->name);
		break;
	case T_TITLE:
		r->facts->has_title = true;
		skip_element(r, row->name);
		break;
	case T_SKIP:
		skip_element(r, row->name);
		break;
	case T_FONT:
	case T_BODY:
	case T_INLINE:
	case T_BLOCK:
	case T_CELL:
	case T_UNKNOWN:
		break;
	}
}

static const struct tag_row *find_tag(struct pw_str name)
{
	for (size_t i = 0; i < PW_LEN(tag_rows); i++)
		if (pw_str_eq_nocase(name, pw_str_from(tag_rows[i].name)))
			return &tag_rows[i];
	return NULL;
}

static bool ends_in_letter(const struct pw_buf *b)
{
	return b->len > 0 && pw_is_alnum(b->at[b->len - 1]);
}

/* inside: between '<' and '>'. */
static void read_tag(struct reader *r, struct pw_str inside)
{
	bool is_end = pw_str_starts(inside, PW_STR("/"));
	size_t end = is_end ? 1 : 0, start = end;
	const struct tag_row *row;

	while (end < inside.len && pw_is_alnum(inside.at[end]))
		end++;
	row = find_tag(pw_str_sub(inside, start, end - start));
	r->facts->tags++;
	if (row == NULL) {
		struct pw_str name = pw_str_sub(inside, start, end - start);

		/* o:p, v:shape, ?xml and !DOCTYPE are Office and SGML, not tricks */
		if (name.len > 0 && (end == inside.len || inside.at[end] != ':')) {
			r->facts->unknown_tags++;
			r->was_cut = ends_in_letter(r->text);
		}
		return;
	}
	inside = pw_str_sub(inside, end, inside.len);
	if (row->kind == T_BLOCK)
		pw_buf_putc(r->text, '\n');
	else if (row->kind == T_CELL)
		pw_buf_putc(r->text, ' ');
	if (is_end) {
		if (row->kind == T_ANCHOR)
			close_anchor(r);
		pw_html_style_end(&r->style, row->name);
		return;
	}
	pw_html_style_start(&r->style, row->name, attribute(inside, PW_STR("style")),
	                    attribute(inside, PW_STR("color")),
	                    attribute(inside, PW_STR("bgcolor")),
	                    attribute(inside, PW_STR("size")), r->facts);
	open_tag(r, row, inside);
}

/* Length of the markup at the start of r->rest ('<' included), 0 when it is plain text.
 */
static size_t markup_length(struct pw_str s, bool *is_comment)
{
	size_t end;

	*is_comment = pw_str_starts(s, PW_STR("<!"));
	if (pw_str_starts(s, PW_STR("<!--"))) {
		for (end = 4; end + 2 < s.len; end++)
			if (s.at[end] == '-' && s.at[end + 1] == '-' &&
			    s.at[end + 2] == '>')
				return end + 3;
		return s.len;
	}
	if (s.len < 2 ||
	    !(pw_is_alpha(s.at[1]) || s.at[1] == '/' || s.at[1] == '!' || s.at[1] == '?'))
		return 0;
	end = pw_str_find(s, '>');
	return end < s.len ? end + 1 : s.len;
}

static void put_char(struct reader *r, char c)
{
	bool is_blank = (unsigned char)c <= ' ';

	if (is_blank) {
		c = ' ';
		if (r->text->len == 0 ||
		    (unsigned char)r->text->at[r->text->len - 1] <= ' ')
			return;
	} else {
		if (r->was_cut && pw_is_alnum(c))
			r->facts->cut_words++;
		pw_html_style_count(&r->style, r->facts);
	}
	r->was_cut = false;
	pw_buf_putc(r->text, c);
}

static void read_text(struct reader *r)
{
	char c = r->rest.at[0];
	size_t n = 1;

	if (c == '&') {
		unsigned before = r->facts->letter_entities;

		n = put_entity(r->text, r->rest, &r->facts->letter_entities);
		if (before == r->facts->letter_entities)
			r->was_cut = false;
	} else {
		put_char(r, c);
	}
	r->rest = pw_str_sub(r->rest, n, r->rest.len);
}

void pw_html_read(struct pw_buf *text, struct pw_links *links,
                  struct pw_html_facts *facts, struct pw_arena *arena, struct pw_str html)
{
	struct reader r = {
		.text = text, .links = links, .facts = facts, .arena = arena, .rest = html
	};

	facts->parts++;
	pw_html_style_init(&r.style);
	while (r.rest.len > 0) {
		bool is_comment = false;
		size_t n = r.rest.at[0] == '<' ? markup_length(r.rest, &is_comment) : 0;
		struct pw_str inside;

		if (n == 0) {
			read_text(&r);
			continue;
		}
		inside = pw_str_sub(r.rest, 1, n > 2 ? n - 2 : 0);
		r.rest = pw_str_sub(r.rest, n, r.rest.len);
		if (is_comment)
			r.was_cut = ends_in_letter(text);
		else
			read_tag(&r, inside);
	}
	close_anchor(&r);
	pw_buf_putc(text, '\n');
}
