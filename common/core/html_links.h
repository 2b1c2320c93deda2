/* Links of a page: attributes decoded, base applied, kept up to a limit (core/html.c
 * only). */
#pragma once

#include "core/html.h"

struct pw_html_links {
	struct pw_links *links; /* NULL: only counted */
	struct pw_html_facts *facts;
	struct pw_arena *arena;
	struct pw_str base;   /* of <base>, or empty */
	struct pw_str anchor; /* href of the open <a>, or empty */
	size_t anchor_start;  /* in the text */
	bool has_image;       /* the open <a> */
};

/* A raw attribute as text: entities decoded, line breaks dropped, trimmed and cut. */
PW_MUST_CHECK enum pw_status
pw_html_attribute_text(struct pw_arena *arena, struct pw_str raw, struct pw_str *out);
/* Note a link; raw is the attribute. like: which flags it has. */
PW_MUST_CHECK enum pw_status pw_html_link_add(struct pw_html_links *l, struct pw_str raw,
                                              struct pw_link like);
/* An <a> begins or ends; text is what was visible up to here. */
PW_MUST_CHECK enum pw_status pw_html_link_open(struct pw_html_links *l, struct pw_str raw,
                                               struct pw_str text);
PW_MUST_CHECK enum pw_status pw_html_link_close(struct pw_html_links *l,
                                                struct pw_str text);
/* Longest run of base64 letters in s, if longer than that of the facts. */
void pw_html_note_run(struct pw_html_facts *facts, struct pw_str s);
