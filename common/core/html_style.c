#include "core/html_style.h"

#include <string.h>

#define PX 100
#define TINY (2 * PX) /* font-size up to this cannot be read */
#define FONT_MAX 100000000
#define OPACITY_LEAST 50 /* thousandths: fainter is nothing */
#define NEAR_MAX 16      /* elements looked through for one that ends itself */

void pw_html_style_init(struct pw_html_style *style)
{
	style->depth = style->deeper = 0;
	memset(style->counts, 0, sizeof(style->counts));
	style->look = (struct pw_html_look){ .colour = PW_CSS_NONE,
		                             .background = 0xffffff,
		                             .font_size = 16 * PX,
		                             .opacity_milli = 1000 };
}

static bool has(const struct pw_css *css, enum pw_css_property p)
{
	return (css->set >> p & 1) != 0;
}

static bool is_zero(const struct pw_css *css, enum pw_css_property p)
{
	return has(css, p) && css->value[p] <= PX && css->value[p] >= -PX;
}

/* Moved out of the window, or cut to a box of nothing. */
static bool is_out_of_sight(const struct pw_css *css)
{
	if (has(css, PW_CSS_OVERFLOW) && css->value[PW_CSS_OVERFLOW] == 0 &&
	    (is_zero(css, PW_CSS_WIDTH) || is_zero(css, PW_CSS_HEIGHT) ||
	     is_zero(css, PW_CSS_MAX_WIDTH) || is_zero(css, PW_CSS_MAX_HEIGHT)))
		return true;
	for (unsigned p = PW_CSS_INDENT; p <= PW_CSS_TOP; p++)
		if (has(css, p) && css->value[p] <= PW_CSS_FAR)
			return true;
	return false;
}

static void set_font_size(struct pw_html_look *look, int32_t size)
{
	int64_t percent = -1 - (int64_t)size;

	if (size < 0)
		size = (int32_t)(percent > 1000 || look->font_size * percent / 100 >
		                                           FONT_MAX
		                         ? FONT_MAX
		                         : look->font_size * percent / 100);
	look->font_size = size < FONT_MAX ? size : FONT_MAX;
}

static void set_colours(struct pw_html_look *look, const struct pw_css *css)
{
	if (has(css, PW_CSS_COLOUR)) {
		look->is_clear = css->value[PW_CSS_COLOUR] == PW_CSS_CLEAR;
		if (!look->is_clear)
			look->colour = css->value[PW_CSS_COLOUR];
	}
	if (has(css, PW_CSS_BACKGROUND) && css->value[PW_CSS_BACKGROUND] != PW_CSS_CLEAR)
		look->background = css->value[PW_CSS_BACKGROUND];
}

static void apply(struct pw_html_look *look, const struct pw_css *css)
{
	set_colours(look, css);
	if (has(css, PW_CSS_FONT_SIZE))
		set_font_size(look, css->value[PW_CSS_FONT_SIZE]);
	if (has(css, PW_CSS_VISIBILITY))
		look->is_invisible = css->value[PW_CSS_VISIBILITY] == 0;
	if (has(css, PW_CSS_OPACITY))
		look->opacity_milli = (int32_t)((int64_t)look->opacity_milli *
		                                (css->value[PW_CSS_OPACITY] < 0 ? 0
		                                 : css->value[PW_CSS_OPACITY] > 1000
		                                         ? 1000
		                                         : css->value[PW_CSS_OPACITY]) /
		                                1000);
	if (has(css, PW_CSS_MSO_HIDE))
		look->is_mso_hidden = css->value[PW_CSS_MSO_HIDE] == 0;
	look->is_gone = look->is_gone ||
	                (has(css, PW_CSS_DISPLAY) && css->value[PW_CSS_DISPLAY] == 0) ||
	                is_out_of_sight(css);
}

/* Take elements off until depth are left; how many paired ones that were. */
static int pop_to(struct pw_html_style *style, size_t depth)
{
	int paired = 0;

	while (style->depth > depth) {
		const struct pw_tag *tag = style->open[--style->depth].tag;

		paired += (tag->flags & PW_TAG_IS_PAIR) != 0;
		style->counts[pw_tag_index(tag)]--;
		style->look = style->open[style->depth].look;
	}
	return paired;
}

/* "<li>a<li>b": the first one ends here. */
static size_t end_itself(struct pw_html_style *style, const struct pw_tag *tag)
{
	size_t steps = 0;

	if ((tag->flags & PW_TAG_ENDS_ITSELF) == 0 ||
	    style->counts[pw_tag_index(tag)] == 0 || style->deeper > 0)
		return 0;
	for (size_t i = style->depth; i > 0 && steps < NEAR_MAX; i--, steps++) {
		const struct pw_tag *open = style->open[i - 1].tag;

		if (open == tag) {
			pop_to(style, i - 1);
			return steps + 1;
		}
		if ((open->flags & PW_TAG_IS_WALL) != 0)
			break;
	}
	return steps;
}

size_t pw_html_style_start(struct pw_html_style *style, const struct pw_tag *tag,
                           const struct pw_css *css)
{
	size_t steps = end_itself(style, tag);

	if ((tag->flags & PW_TAG_IS_VOID) != 0)
		return steps;
	if (style->depth == PW_HTML_DEPTH_MAX) {
		style->deeper++;
		return steps;
	}
	style->open[style->depth].tag = tag;
	style->open[style->depth++].look = style->look;
	style->counts[pw_tag_index(tag)]++;
	apply(&style->look, css);
	return steps + 1;
}

size_t pw_html_style_end(struct pw_html_style *style, const struct pw_tag *tag,
                         int *ended)
{
	size_t steps = 0;

	*ended = -1;
	if (style->deeper > 0) {
		style->deeper--;
		*ended = 0;
		return 0;
	}
	if (style->counts[pw_tag_index(tag)] == 0)
		return 0;
	for (size_t i = style->depth; i > 0; i--) {
		steps++;
		if (style->open[i - 1].tag != tag)
			continue;
		*ended = pop_to(style, i);
		pop_to(style, i - 1);
		break;
	}
	return steps;
}

enum pw_html_sight pw_html_style_sight(const struct pw_html_style *style)
{
	const struct pw_html_look *look = &style->look;

	if (look->is_gone || look->is_invisible || look->is_clear ||
	    look->opacity_milli <= OPACITY_LEAST)
		return PW_HTML_HIDDEN;
	if (look->font_size <= TINY)
		return PW_HTML_TINY;
	return pw_css_is_alike(look->colour, look->background) ? PW_HTML_SAME_COLOUR
	                                                       : PW_HTML_VISIBLE;
}

unsigned pw_html_style_open_pairs(const struct pw_html_style *style)
{
	unsigned n = 0;

	for (size_t i = 0; i < style->depth; i++)
		n += (style->open[i].tag->flags & PW_TAG_IS_PAIR) != 0;
	return n;
}
