/* Markup of HTML, one piece at a time (core/html.c only). */
#pragma once

#include "core/str.h"

#define PW_HTML_ATTRIBUTES_MAX 100 /* of one tag; further ones are passed over */

enum pw_html_piece { PW_HTML_START, PW_HTML_END, PW_HTML_COMMENT };

enum pw_html_attribute {
	PW_HTML_ACTION,
	PW_HTML_BACKGROUND,
	PW_HTML_BGCOLOR,
	PW_HTML_CLASS,
	PW_HTML_COLOR,
	PW_HTML_CONTENT,
	PW_HTML_DATA,
	PW_HTML_FORMACTION,
	PW_HTML_HEIGHT,
	PW_HTML_HIDDEN_ATTRIBUTE,
	PW_HTML_HREF,
	PW_HTML_HTTP_EQUIV,
	PW_HTML_ID,
	PW_HTML_SIZE,
	PW_HTML_SRC,
	PW_HTML_STYLE,
	PW_HTML_TEXT,
	PW_HTML_TYPE,
	PW_HTML_WIDTH,
	PW_HTML_XLINK_HREF,
	PW_HTML_ATTRIBUTES
};

struct pw_html_token {
	enum pw_html_piece piece;
	struct pw_str name;                      /* as written; empty for a comment */
	uint32_t has;                            /* bit 1 << enum pw_html_attribute */
	struct pw_str value[PW_HTML_ATTRIBUTES]; /* raw; those that has says */
};

/* Take the markup at the start of s, which begins with '<': the bytes it takes, all of s
 * when it never ends; 0 when it is text. */
size_t pw_html_token_get(struct pw_html_token *out, struct pw_str s);
/* Raw value, empty when the attribute is not there. */
struct pw_str pw_html_token_value(const struct pw_html_token *token,
                                  enum pw_html_attribute attribute);
/* Bytes before "</name" in s, case ignored; all of s when it never comes. */
size_t pw_html_raw_text(struct pw_str s, struct pw_str name);
