#include "mail/html_style.h"

#include <string.h>

#include "core/ascii.h"

#define TINY_PX 2 /* font-size up to this cannot be read */

static const struct {
	const char *name;
	int32_t rgb;
} colours[] = {
	{ "white", 0xffffff }, { "black", 0x000000 },  { "red", 0xff0000 },
	{ "blue", 0x0000ff },  { "green", 0x008000 },  { "yellow", 0xffff00 },
	{ "gray", 0x808080 },  { "silver", 0xc0c0c0 }, { "navy", 0x000080 },
};

static int32_t parse_colour(struct pw_str s)
{
	int32_t rgb = 0;

	s = pw_str_trim(s);
	for (size_t i = 0; i < PW_LEN(colours); i++)
		if (pw_str_eq_nocase(s, pw_str_from(colours[i].name)))
			return colours[i].rgb;
	if (pw_str_starts(s, PW_STR("#")))
		s = pw_str_sub(s, 1, s.len);
	if (s.len != 3 && s.len != 6)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		int digit = pw_hex_value(s.at[i]);

		if (digit < 0)
			return -1;
		rgb = rgb * 16 + digit;
		if (s.len == 3)
			rgb = rgb * 16 + digit;
	}
	return rgb;
}

/* First number of a length, in pixels roughly; -1 when it says none. */
static int parse_pixels(struct pw_str s)
{
	int n = 0;
	size_t i = 0;

	s = pw_str_trim(s);
	while (i < s.len && i < 5 && pw_is_digit(s.at[i]))
		n = n * 10 + (s.at[i++] - '0');
	if (i == 0 || (i < s.len && (s.at[i] == '.' || s.at[i] == '%' || s.at[i] == 'e')))
		return n == 0 && i > 0 && s.at[i] != '.' ? 0 : -1;
	return n;
}

static void apply(struct pw_html_look *look, struct pw_str name, struct pw_str value,
                  struct pw_html_facts *facts)
{
	int pixels;

	if (pw_str_eq_nocase(name, PW_STR("color"))) {
		look->colour = parse_colour(value);
	} else if (pw_str_eq_nocase(name, PW_STR("background-color")) ||
	           pw_str_eq_nocase(name, PW_STR("background"))) {
		look->background = parse_colour(value);
	} else if (pw_str_eq_nocase(name, PW_STR("font-size"))) {
		pixels = parse_pixels(value);
		look->is_tiny = pixels >= 0 && pixels <= TINY_PX;
		facts->big_fonts += pixels >= 24;
	} else if (pw_str_eq_nocase(name, PW_STR("display"))) {
		look->is_hidden =
			look->is_hidden || pw_str_starts_nocase(value, PW_STR("none"));
	} else if (pw_str_eq_nocase(name, PW_STR("visibility"))) {
		look->is_hidden =
			look->is_hidden || pw_str_starts_nocase(value, PW_STR("hidden"));
	}
}

void pw_html_style_init(struct pw_html_style *style)
{
	memset(style, 0, sizeof(*style));
	style->look.colour = style->look.background = style->last_colour = -1;
}

/* Elements without an end tag change nothing behind them. */
static bool is_empty_element(const char *element)
{
	static const char *const names[] = { "br",    "img",    "hr",   "input", "meta",
		                             "link",  "base",   "col",  "area",  "wbr",
		                             "param", "source", "embed" };

	for (size_t i = 0; i < PW_LEN(names); i++)
		if (strcmp(element, names[i]) == 0)
			return true;
	return false;
}

void pw_html_style_start(struct pw_html_style *style, const char *element,
                         struct pw_str css, struct pw_str colour,
                         struct pw_str background, struct pw_str size,
                         struct pw_html_facts *facts)
{
	struct pw_html_look look = style->look;

	if (is_empty_element(element))
		return;
	if (colour.len > 0)
		look.colour = parse_colour(colour);
	if (background.len > 0)
		look.background = parse_colour(background);
	facts->big_fonts += size.len > 0 && (pw_str_eq(size, PW_STR("+3")) ||
	                                     (size.at[0] >= '5' && size.at[0] <= '7'));
	while (css.at != NULL && css.len > 0) {
		struct pw_str value = pw_str_cut(&css, ';');
		struct pw_str name = pw_str_trim(pw_str_cut(&value, ':'));

		if (value.at != NULL)
			apply(&look, name, pw_str_trim(value), facts);
	}
	if (look.colour >= 0 && look.colour != style->last_colour) {
		facts->colours++;
		style->last_colour = look.colour;
	}
	if (style->depth < PW_HTML_DEPTH) {
		style->open[style->depth].element = element;
		style->open[style->depth++].look = style->look;
		style->look = look;
	}
}

void pw_html_style_end(struct pw_html_style *style, const char *element)
{
	for (size_t i = style->depth; i > 0; i--) {
		if (strcmp(style->open[i - 1].element, element) != 0)
			continue;
		style->look = style->open[i - 1].look;
		style->depth = i - 1;
		return;
	}
}

void pw_html_style_count(const struct pw_html_style *style, struct pw_html_facts *facts)
{
	const struct pw_html_look *look = &style->look;
	int32_t background = look->background >= 0 ? look->background : 0xffffff;

	if (look->is_hidden)
		facts->hidden_chars++;
	else if (look->is_tiny)
		facts->tiny_chars++;
	else if (look->colour >= 0 && look->colour == background)
		facts->same_colour_chars++;
	else
		facts->visible_chars++;
}
