#include "core/css.h"

#include <string.h>

#include "core/ascii.h"

#define DECLARATIONS_MAX 64 /* of one list */
#define PX 100              /* lengths are counted in hundredths of a pixel */
#define LENGTH_MAX 1000000  /* pixels */

/* clang-format off */
static const struct {
	const char *name;
	int32_t rgb;
} colours[] = {
	{ "white", 0xffffff },      { "black", 0x000000 },      { "red", 0xff0000 },        { "blue", 0x0000ff },
	{ "green", 0x008000 },      { "yellow", 0xffff00 },     { "gray", 0x808080 },       { "grey", 0x808080 },
	{ "silver", 0xc0c0c0 },     { "navy", 0x000080 },       { "maroon", 0x800000 },     { "purple", 0x800080 },
	{ "fuchsia", 0xff00ff },    { "magenta", 0xff00ff },    { "lime", 0x00ff00 },       { "olive", 0x808000 },
	{ "teal", 0x008080 },       { "aqua", 0x00ffff },       { "cyan", 0x00ffff },       { "orange", 0xffa500 },
	{ "snow", 0xfffafa },       { "ivory", 0xfffff0 },      { "whitesmoke", 0xf5f5f5 }, { "ghostwhite", 0xf8f8ff },
	{ "floralwhite", 0xfffaf0 },{ "mintcream", 0xf5fffa },  { "azure", 0xf0ffff },      { "lightgray", 0xd3d3d3 },
	{ "lightgrey", 0xd3d3d3 },  { "gainsboro", 0xdcdcdc },  { "darkgray", 0xa9a9a9 },   { "dimgray", 0x696969 },
	{ "brown", 0xa52a2a },      { "crimson", 0xdc143c },    { "darkblue", 0x00008b },   { "darkred", 0x8b0000 },
	{ "darkgreen", 0x006400 },  { "gold", 0xffd700 },       { "pink", 0xffc0cb },       { "transparent", PW_CSS_CLEAR },
};

static const struct {
	const char *name;
	int32_t size;
} font_sizes[] = {
	{ "xx-small", 9 * PX },     { "x-small", 10 * PX },     { "small", 13 * PX },       { "medium", 16 * PX },
	{ "large", 18 * PX },       { "x-large", 24 * PX },     { "xx-large", 32 * PX },    { "smaller", -1 - 83 },
	{ "larger", -1 - 120 },
};
/* clang-format on */

static int32_t hex_colour(struct pw_str s)
{
	size_t digits = s.len == 4 ? 3 : s.len == 8 ? 6 : s.len;
	int32_t rgb = 0, alpha = 0;

	if (digits != 3 && digits != 6)
		return PW_CSS_NONE;
	for (size_t i = 0; i < s.len; i++) {
		int digit = pw_hex_value(s.at[i]);

		if (digit < 0)
			return PW_CSS_NONE;
		if (i >= digits)
			alpha |= digit;
		else
			rgb = digits == 3 ? rgb << 8 | digit << 4 | digit
			                  : rgb << 4 | digit;
	}
	return s.len > digits && alpha == 0 ? PW_CSS_CLEAR : rgb;
}

/* A decimal number at the start of *s, in thousandths. */
static bool take_number(struct pw_str *s, int32_t *out)
{
	bool is_minus = pw_str_starts(*s, PW_STR("-"));
	size_t i = is_minus || pw_str_starts(*s, PW_STR("+")) ? 1 : 0;
	int64_t value = 0, scale = 1000;
	bool has_digit = false, is_fraction = false;

	for (; i < s->len; i++) {
		if (s->at[i] == '.' && !is_fraction) {
			is_fraction = true;
			continue;
		}
		if (!pw_is_digit(s->at[i]))
			break;
		has_digit = true;
		if (is_fraction)
			value += (s->at[i] - '0') * (scale /= 10);
		else if (value < (int64_t)LENGTH_MAX * 1000)
			value = value * 10 + (s->at[i] - '0') * 1000;
	}
	if (!has_digit)
		return false;
	if (value > (int64_t)LENGTH_MAX * 1000)
		value = (int64_t)LENGTH_MAX * 1000;
	*s = pw_str_sub(*s, i, s->len);
	*out = (int32_t)(is_minus ? -value : value);
	return true;
}

/* One of red, green and blue, 0 to 255, of thousandths of 1 or of a percent. */
static int32_t channel(int32_t thousandths, bool is_percent)
{
	int64_t value = is_percent ? (int64_t)thousandths * 255 / 100 : thousandths;

	return value < 0 ? 0 : value > 255000 ? 255 : (int32_t)(value / 1000);
}

/* "rgb(255 0 0 / 10%)", "rgba(100%, 0, 0, 0)". */
static int32_t rgb_colour(struct pw_str s)
{
	int32_t rgb = 0, value;
	bool is_percent;

	for (int i = 0; i < 4; i++) {
		while (s.len > 0 &&
		       (pw_is_wsp(s.at[0]) || s.at[0] == ',' || s.at[0] == '/'))
			s = pw_str_sub(s, 1, s.len);
		if (!take_number(&s, &value))
			return i == 3 ? rgb : PW_CSS_NONE;
		if (i == 3)
			return value <= 50 ? PW_CSS_CLEAR : rgb;
		is_percent = pw_str_starts(s, PW_STR("%"));
		s = pw_str_sub(s, is_percent ? 1 : 0, s.len);
		rgb = rgb << 8 | channel(value, is_percent);
	}
	return rgb;
}

int32_t pw_css_colour(struct pw_str s)
{
	size_t open;

	s = pw_str_trim(s);
	open = pw_str_find(s, '(');
	if (pw_str_starts_nocase(s, PW_STR("rgb")) && open <= 4)
		return rgb_colour(pw_str_sub(s, open + 1, s.len));
	for (size_t i = 0; i < PW_LEN(colours); i++)
		if (pw_str_eq_nocase(s, pw_str_from(colours[i].name)))
			return colours[i].rgb;
	if (pw_str_starts(s, PW_STR("#")))
		s = pw_str_sub(s, 1, s.len);
	return hex_colour(s);
}

bool pw_css_is_alike(int32_t a, int32_t b)
{
	int32_t distance = 0;

	if (a < 0 || b < 0)
		return false;
	for (int shift = 0; shift < 24; shift += 8) {
		int32_t d = (a >> shift & 0xff) - (b >> shift & 0xff);

		distance += d < 0 ? -d : d;
	}
	return distance <= 40; /* of 765: #f4f4f4 on white, not #eee */
}

/* A length in hundredths of a pixel; percent and em as -1 - percent where they may be. */
static bool read_length(struct pw_str s, bool is_font, int32_t *out)
{
	int32_t n;
	bool is_relative;

	if (!take_number(&s, &n))
		return false;
	is_relative =
		pw_str_starts_nocase(s, PW_STR("em")) || pw_str_starts(s, PW_STR("%"));
	if (is_relative && is_font)
		*out = -1 - (pw_str_starts(s, PW_STR("%")) ? n / 1000 : n / 10);
	else if (is_relative || pw_str_starts_nocase(s, PW_STR("rem")) ||
	         pw_str_starts_nocase(s, PW_STR("vw")))
		*out = n / 10 *
		       16; /* of nothing it is nothing, of anything it is enough */
	else if (pw_str_starts_nocase(s, PW_STR("pt")))
		*out = n / 10 * 4 / 3;
	else
		*out = n / 10;
	if (is_font && !is_relative && *out < 0)
		return false;
	return true;
}

static bool parse_colour(struct pw_str s, int32_t *out)
{
	*out = pw_css_colour(s);
	return *out != PW_CSS_NONE;
}

/* The shorthand may name a colour and a picture among other things. */
static bool parse_background(struct pw_str s, int32_t *out)
{
	bool is_found = false;

	if ((*out = pw_css_colour(s)) != PW_CSS_NONE)
		return true;
	for (struct pw_str rest = s; rest.at != NULL;) {
		struct pw_str word = pw_str_cut(&rest, ' ');
		int32_t colour = pw_css_colour(word);

		if (pw_str_starts_nocase(word, PW_STR("url(")) ||
		    pw_str_starts_nocase(word, PW_STR("linear-"))) {
			*out = PW_CSS_NONE;
			return true;
		}
		if (colour != PW_CSS_NONE) {
			*out = colour;
			is_found = true;
		}
	}
	return is_found;
}

static bool parse_font_size(struct pw_str s, int32_t *out)
{
	for (size_t i = 0; i < PW_LEN(font_sizes); i++) {
		if (!pw_str_eq_nocase(s, pw_str_from(font_sizes[i].name)))
			continue;
		*out = font_sizes[i].size;
		return true;
	}
	return read_length(s, true, out);
}

/* "0/0 arial", "bold 12px/1.2 arial": the first word that is a length. */
static bool parse_font(struct pw_str s, int32_t *out)
{
	while (s.at != NULL) {
		struct pw_str word = pw_str_cut(&s, ' ');

		word = pw_str_sub(word, 0, pw_str_find(word, '/'));
		if (word.len == 3 && pw_is_digit(word.at[0]) && word.at[1] == '0' &&
		    word.at[2] == '0')
			continue; /* a weight */
		if (parse_font_size(word, out))
			return true;
	}
	return false;
}

static bool parse_length(struct pw_str s, int32_t *out)
{
	if (!read_length(s, false, out))
		*out = INT32_MAX; /* auto and none limit nothing */
	return true;
}

static bool parse_opacity(struct pw_str s, int32_t *out)
{
	if (!take_number(&s, out))
		return false;
	if (pw_str_starts(s, PW_STR("%")))
		*out /= 100;
	return true;
}

static bool parse_display(struct pw_str s, int32_t *out)
{
	*out = !pw_str_eq_nocase(s, PW_STR("none"));
	return true;
}

static bool parse_hidden(struct pw_str s, int32_t *out)
{
	*out = !pw_str_eq_nocase(s, PW_STR("hidden")) &&
	       !pw_str_eq_nocase(s, PW_STR("collapse"));
	return true;
}

static bool parse_all(struct pw_str s, int32_t *out)
{
	*out = !pw_str_eq_nocase(s, PW_STR("all"));
	return true;
}

/* clang-format off */
static const struct {
	const char *name;
	enum pw_css_property property;
	bool (*parse)(struct pw_str s, int32_t *out); /* false: as if it were not there */
} properties[] = {
	{ "color",            PW_CSS_COLOUR,     parse_colour },
	{ "background",       PW_CSS_BACKGROUND, parse_background },
	{ "background-color", PW_CSS_BACKGROUND, parse_colour },
	{ "background-image", PW_CSS_BACKGROUND, parse_background },
	{ "font-size",        PW_CSS_FONT_SIZE,  parse_font_size },
	{ "font",             PW_CSS_FONT_SIZE,  parse_font },
	{ "display",          PW_CSS_DISPLAY,    parse_display },
	{ "visibility",       PW_CSS_VISIBILITY, parse_hidden },
	{ "opacity",          PW_CSS_OPACITY,    parse_opacity },
	{ "overflow",         PW_CSS_OVERFLOW,   parse_hidden },
	{ "width",            PW_CSS_WIDTH,      parse_length },
	{ "height",           PW_CSS_HEIGHT,     parse_length },
	{ "max-width",        PW_CSS_MAX_WIDTH,  parse_length },
	{ "max-height",       PW_CSS_MAX_HEIGHT, parse_length },
	{ "text-indent",      PW_CSS_INDENT,     parse_length },
	{ "left",             PW_CSS_LEFT,       parse_length },
	{ "top",              PW_CSS_TOP,        parse_length },
	{ "mso-hide",         PW_CSS_MSO_HIDE,   parse_all },
};
/* clang-format on */

static void read_one(struct pw_css *css, struct pw_str name, struct pw_str value)
{
	int32_t number;

	value = pw_str_trim(pw_str_sub(value, 0, pw_str_find(value, '!')));
	for (size_t i = 0; i < PW_LEN(properties); i++) {
		if (!pw_str_eq_nocase(name, pw_str_from(properties[i].name)))
			continue;
		if (!properties[i].parse(value, &number))
			return;
		css->set |= (uint32_t)1 << properties[i].property;
		css->value[properties[i].property] = number;
		return;
	}
}

void pw_css_read(struct pw_css *css, struct pw_str declarations)
{
	for (unsigned i = 0; declarations.at != NULL && i < DECLARATIONS_MAX; i++) {
		struct pw_str value = pw_str_cut(&declarations, ';');
		struct pw_str name = pw_str_trim(pw_str_cut(&value, ':'));

		if (value.at != NULL)
			read_one(css, name, value);
	}
}

void pw_css_lay(struct pw_css *css, const struct pw_css *over)
{
	for (unsigned i = 0; i < PW_CSS_PROPERTIES; i++)
		if ((over->set >> i & 1) != 0)
			css->value[i] = over->value[i];
	css->set |= over->set;
}
