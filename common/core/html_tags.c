#include "core/html_tags.h"

#include <string.h>

#include "core/ascii.h"

#define NAME_MAX_LEN 12

/* clang-format off */
static const struct pw_tag tags[] = { /* by name */
	{ "a", PW_TAG_ANCHOR, PW_TAG_IS_PAIR }, { "abbr", PW_TAG_INLINE, 0 }, { "acronym", PW_TAG_INLINE, 0 },
	{ "address", PW_TAG_BLOCK, 0 }, { "area", PW_TAG_ANCHOR, PW_TAG_IS_VOID }, { "article", PW_TAG_BLOCK, 0 },
	{ "aside", PW_TAG_BLOCK, 0 }, { "audio", PW_TAG_INLINE, 0 }, { "b", PW_TAG_INLINE, 0 },
	{ "base", PW_TAG_BASE, PW_TAG_IS_VOID }, { "basefont", PW_TAG_INLINE, PW_TAG_IS_VOID },
	{ "bdi", PW_TAG_INLINE, 0 }, { "bdo", PW_TAG_INLINE, 0 }, { "bgsound", PW_TAG_INLINE, PW_TAG_IS_VOID },
	{ "big", PW_TAG_INLINE, 0 }, { "blink", PW_TAG_INLINE, 0 }, { "blockquote", PW_TAG_BLOCK, 0 },
	{ "body", PW_TAG_BLOCK, 0 }, { "br", PW_TAG_BLOCK, PW_TAG_IS_VOID }, { "button", PW_TAG_INLINE, 0 },
	{ "canvas", PW_TAG_INLINE, 0 }, { "caption", PW_TAG_BLOCK, 0 }, { "center", PW_TAG_BLOCK, PW_TAG_IS_PAIR },
	{ "circle", PW_TAG_INLINE, 0 }, { "cite", PW_TAG_INLINE, 0 }, { "code", PW_TAG_INLINE, 0 },
	{ "col", PW_TAG_INLINE, PW_TAG_IS_VOID }, { "colgroup", PW_TAG_INLINE, 0 }, { "data", PW_TAG_INLINE, 0 },
	{ "dd", PW_TAG_BLOCK, PW_TAG_ENDS_ITSELF }, { "defs", PW_TAG_INLINE, 0 }, { "del", PW_TAG_INLINE, 0 },
	{ "details", PW_TAG_INLINE, 0 }, { "dfn", PW_TAG_INLINE, 0 }, { "dialog", PW_TAG_BLOCK, 0 },
	{ "dir", PW_TAG_BLOCK, 0 }, { "div", PW_TAG_BLOCK, PW_TAG_IS_PAIR }, { "dl", PW_TAG_BLOCK, PW_TAG_IS_WALL },
	{ "dt", PW_TAG_BLOCK, PW_TAG_ENDS_ITSELF }, { "em", PW_TAG_INLINE, 0 },
	{ "embed", PW_TAG_FRAME, PW_TAG_IS_VOID }, { "fieldset", PW_TAG_BLOCK, 0 }, { "figcaption", PW_TAG_BLOCK, 0 },
	{ "figure", PW_TAG_BLOCK, 0 }, { "font", PW_TAG_INLINE, PW_TAG_IS_PAIR }, { "footer", PW_TAG_BLOCK, 0 },
	{ "form", PW_TAG_FORM, PW_TAG_IS_PAIR }, { "frame", PW_TAG_FRAME, PW_TAG_IS_VOID },
	{ "frameset", PW_TAG_BLOCK, 0 }, { "g", PW_TAG_INLINE, 0 }, { "h1", PW_TAG_BLOCK, 0 },
	{ "h2", PW_TAG_BLOCK, 0 }, { "h3", PW_TAG_BLOCK, 0 }, { "h4", PW_TAG_BLOCK, 0 }, { "h5", PW_TAG_BLOCK, 0 },
	{ "h6", PW_TAG_BLOCK, 0 }, { "head", PW_TAG_INLINE, 0 }, { "header", PW_TAG_BLOCK, 0 },
	{ "hgroup", PW_TAG_BLOCK, 0 }, { "hr", PW_TAG_BLOCK, PW_TAG_IS_VOID }, { "html", PW_TAG_INLINE, 0 },
	{ "i", PW_TAG_INLINE, 0 }, { "iframe", PW_TAG_FRAME, 0 }, { "ilayer", PW_TAG_INLINE, 0 },
	{ "image", PW_TAG_IMG, PW_TAG_IS_VOID }, { "img", PW_TAG_IMG, PW_TAG_IS_VOID },
	{ "input", PW_TAG_INPUT, PW_TAG_IS_VOID }, { "ins", PW_TAG_INLINE, 0 }, { "kbd", PW_TAG_INLINE, 0 },
	{ "keygen", PW_TAG_INLINE, PW_TAG_IS_VOID }, { "label", PW_TAG_INLINE, 0 }, { "layer", PW_TAG_BLOCK, 0 },
	{ "legend", PW_TAG_BLOCK, 0 }, { "li", PW_TAG_BLOCK, PW_TAG_ENDS_ITSELF },
	{ "link", PW_TAG_INLINE, PW_TAG_IS_VOID }, { "listing", PW_TAG_BLOCK, 0 }, { "main", PW_TAG_BLOCK, 0 },
	{ "map", PW_TAG_INLINE, 0 }, { "mark", PW_TAG_INLINE, 0 }, { "marquee", PW_TAG_BLOCK, 0 },
	{ "math", PW_TAG_INLINE, 0 }, { "menu", PW_TAG_BLOCK, 0 }, { "meta", PW_TAG_META, PW_TAG_IS_VOID },
	{ "meter", PW_TAG_INLINE, 0 }, { "nav", PW_TAG_BLOCK, 0 }, { "nobr", PW_TAG_INLINE, 0 },
	{ "noembed", PW_TAG_SKIP, 0 }, { "noframes", PW_TAG_SKIP, 0 }, { "noscript", PW_TAG_INLINE, 0 },
	{ "object", PW_TAG_FRAME, 0 }, { "ol", PW_TAG_BLOCK, PW_TAG_IS_WALL }, { "optgroup", PW_TAG_BLOCK, 0 },
	{ "option", PW_TAG_BLOCK, PW_TAG_ENDS_ITSELF }, { "output", PW_TAG_INLINE, 0 },
	{ "p", PW_TAG_BLOCK, PW_TAG_ENDS_ITSELF }, { "param", PW_TAG_INLINE, PW_TAG_IS_VOID },
	{ "path", PW_TAG_INLINE, 0 }, { "picture", PW_TAG_INLINE, 0 }, { "pre", PW_TAG_BLOCK, 0 },
	{ "progress", PW_TAG_INLINE, 0 }, { "q", PW_TAG_INLINE, 0 }, { "rb", PW_TAG_INLINE, 0 },
	{ "rect", PW_TAG_INLINE, 0 }, { "rp", PW_TAG_INLINE, 0 }, { "rt", PW_TAG_INLINE, 0 },
	{ "ruby", PW_TAG_INLINE, 0 }, { "s", PW_TAG_INLINE, 0 }, { "samp", PW_TAG_INLINE, 0 },
	{ "script", PW_TAG_SCRIPT, 0 }, { "search", PW_TAG_BLOCK, 0 }, { "section", PW_TAG_BLOCK, 0 },
	{ "select", PW_TAG_INLINE, 0 }, { "slot", PW_TAG_INLINE, 0 }, { "small", PW_TAG_INLINE, 0 },
	{ "source", PW_TAG_INLINE, PW_TAG_IS_VOID }, { "span", PW_TAG_INLINE, PW_TAG_IS_PAIR },
	{ "strike", PW_TAG_INLINE, 0 }, { "strong", PW_TAG_INLINE, 0 }, { "style", PW_TAG_STYLE, 0 },
	{ "sub", PW_TAG_INLINE, 0 }, { "summary", PW_TAG_BLOCK, 0 }, { "sup", PW_TAG_INLINE, 0 },
	{ "svg", PW_TAG_INLINE, 0 }, { "symbol", PW_TAG_INLINE, 0 },
	{ "table", PW_TAG_BLOCK, PW_TAG_IS_WALL | PW_TAG_IS_PAIR }, { "tbody", PW_TAG_BLOCK, 0 },
	{ "td", PW_TAG_CELL, PW_TAG_ENDS_ITSELF | PW_TAG_IS_WALL }, { "template", PW_TAG_INLINE, 0 },
	{ "text", PW_TAG_INLINE, 0 }, { "textarea", PW_TAG_BLOCK, 0 }, { "tfoot", PW_TAG_BLOCK, 0 },
	{ "th", PW_TAG_CELL, PW_TAG_ENDS_ITSELF | PW_TAG_IS_WALL }, { "thead", PW_TAG_BLOCK, 0 },
	{ "time", PW_TAG_INLINE, 0 }, { "title", PW_TAG_TITLE, 0 }, { "tr", PW_TAG_BLOCK, PW_TAG_ENDS_ITSELF },
	{ "track", PW_TAG_INLINE, PW_TAG_IS_VOID }, { "tspan", PW_TAG_INLINE, 0 }, { "tt", PW_TAG_INLINE, 0 },
	{ "u", PW_TAG_INLINE, 0 }, { "ul", PW_TAG_BLOCK, PW_TAG_IS_WALL }, { "use", PW_TAG_INLINE, 0 },
	{ "var", PW_TAG_INLINE, 0 }, { "video", PW_TAG_INLINE, 0 }, { "wbr", PW_TAG_INLINE, PW_TAG_IS_VOID },
	{ "xmp", PW_TAG_BLOCK, 0 },
};
/* clang-format on */

_Static_assert(PW_LEN(tags) <= PW_TAGS_MAX, "counted by index elsewhere");

const struct pw_tag *pw_tag_find(struct pw_str name)
{
	char lower[NAME_MAX_LEN + 1] = { 0 };
	size_t low = 0, high = PW_LEN(tags);

	if (name.len == 0 || name.len > NAME_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < name.len; i++)
		if ((lower[i] = pw_lower(name.at[i])) == '\0')
			return NULL;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(lower, tags[middle].name);

		if (order == 0)
			return &tags[middle];
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

size_t pw_tag_index(const struct pw_tag *tag)
{
	return (size_t)(tag - tags);
}
