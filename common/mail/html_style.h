/* What a style hides: enough CSS to see text that a reader does not (mail/html.c only).
 */
#pragma once

#include "mail/html.h"

#define PW_HTML_DEPTH 64 /* open elements whose style is remembered */

struct pw_html_look {
	int32_t colour, background; /* 0xrrggbb, -1 = not said */
	bool is_tiny, is_hidden;
};

struct pw_html_style {
	struct {
		const char *element;
		struct pw_html_look look;
	} open[PW_HTML_DEPTH];
	size_t depth;
	struct pw_html_look look; /* of the text here */
	int32_t last_colour;      /* to count changes */
};

void pw_html_style_init(struct pw_html_style *style);
/* An element opens; attributes are raw values, empty when absent. */
void pw_html_style_start(struct pw_html_style *style, const char *element,
                         struct pw_str css, struct pw_str colour,
                         struct pw_str background, struct pw_str size,
                         struct pw_html_facts *facts);
void pw_html_style_end(struct pw_html_style *style, const char *element);
/* One visible character of text. */
void pw_html_style_count(const struct pw_html_style *style, struct pw_html_facts *facts);
