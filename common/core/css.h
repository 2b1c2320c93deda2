/* Style sheets, as much of them as hides text: declarations, and rules of one simple
 * selector (a tag, a class, an id, or a tag with one of them). */
#pragma once

#include "core/arena.h"

#define PW_CSS_RULES_MAX 256 /* of one sheet; further ones are passed over */
#define PW_CSS_CLASSES_MAX 8 /* of one element */
#define PW_CSS_NONE (-1)     /* a colour that is not known */
#define PW_CSS_CLEAR (-2)    /* transparent */
#define PW_CSS_FAR (-50000)  /* hundredths of a pixel: out of sight */

enum pw_css_property {
	PW_CSS_COLOUR,     /* 0xrrggbb, or one of the above */
	PW_CSS_BACKGROUND, /* the same; NONE: a picture */
	PW_CSS_FONT_SIZE,  /* hundredths of a pixel; below 0: -1 - percent of the parent's
	                    */
	PW_CSS_DISPLAY,    /* 0 = none */
	PW_CSS_VISIBILITY, /* 0 = hidden */
	PW_CSS_OPACITY,    /* thousandths */
	PW_CSS_OVERFLOW,   /* 0 = hidden */
	PW_CSS_WIDTH,      /* hundredths of a pixel, or INT32_MAX */
	PW_CSS_HEIGHT,
	PW_CSS_MAX_WIDTH,
	PW_CSS_MAX_HEIGHT,
	PW_CSS_INDENT,
	PW_CSS_LEFT,
	PW_CSS_TOP,
	PW_CSS_MSO_HIDE, /* 0 = all */
	PW_CSS_PROPERTIES
};

/* What a list of declarations sets. */
struct pw_css {
	uint32_t set; /* bit 1 << enum pw_css_property */
	int32_t value[PW_CSS_PROPERTIES];
};

/* "color:red;font-size:0": add what it sets to css. */
void pw_css_read(struct pw_css *css, struct pw_str declarations);
/* Lay what over sets onto css. */
void pw_css_lay(struct pw_css *css, const struct pw_css *over);
/* A colour of CSS or of HTML ("red", "#f00", "ff0000", "rgb(255, 0, 0)"). */
int32_t pw_css_colour(struct pw_str s);
/* Can eyes not tell the two colours apart? False when one is not known. */
bool pw_css_is_alike(int32_t a, int32_t b);

struct pw_css_sheet; /* the rules of all <style> of a page */

/* Add a <style>'s text; *sheet (NULL at first) lives in arena, names are borrowed. Rules
 * within @media and the like are passed over: they are for other screens.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_css_sheet_read(struct pw_css_sheet **sheet,
                                               struct pw_arena *arena,
                                               struct pw_str text);
/* Lay what the sheet (may be NULL) says of an element onto css. classes: with blanks. */
void pw_css_sheet_apply(const struct pw_css_sheet *sheet, struct pw_css *css,
                        struct pw_str tag, struct pw_str classes, struct pw_str id);
