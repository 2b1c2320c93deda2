/* What styles do to text: which elements are open and how text looks in them (core/html.c
 * only). */
#pragma once

#include "core/css.h"
#include "core/html_tags.h"

#define PW_HTML_DEPTH_MAX 256 /* open elements remembered; deeper ones are counted */

/* How text is seen. */
enum pw_html_sight {
	PW_HTML_VISIBLE,
	PW_HTML_SAME_COLOUR, /* as its background */
	PW_HTML_TINY,        /* at most two pixels high */
	PW_HTML_HIDDEN
};

struct pw_html_look {
	int32_t colour, background; /* 0xrrggbb or PW_CSS_NONE */
	int32_t font_size;          /* hundredths of a pixel */
	int32_t opacity_milli;
	bool is_gone;      /* with all that is in it */
	bool is_invisible; /* what is in it may be visible again */
	bool is_clear;     /* transparent letters */
	bool is_mso_hidden;
};

struct pw_html_style {
	struct {
		const struct pw_tag *tag;
		struct pw_html_look look; /* outside of it */
	} open[PW_HTML_DEPTH_MAX];
	size_t depth, deeper;
	uint16_t counts[PW_TAGS_MAX]; /* open ones of each tag */
	struct pw_html_look look;     /* of the text here */
};

void pw_html_style_init(struct pw_html_style *style);
/* An element opens that looks so. Elements that end themselves (p, li, td) end an open
 * one of their kind. Returns how many elements were looked at. */
size_t pw_html_style_start(struct pw_html_style *style, const struct pw_tag *tag,
                           const struct pw_css *css);
/* An element ends: those that were open in it with it; *ended is how many of these were
 * paired ones, -1 when no such element was open. Returns how many were looked at. */
size_t pw_html_style_end(struct pw_html_style *style, const struct pw_tag *tag,
                         int *ended);
enum pw_html_sight pw_html_style_sight(const struct pw_html_style *style);
/* Paired elements that are still open. */
unsigned pw_html_style_open_pairs(const struct pw_html_style *style);
