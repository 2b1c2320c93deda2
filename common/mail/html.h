/* HTML as a reader sees it: visible text, links, and the tricks played (own tokenizer: no
 * tree is needed, and malformation is evidence). */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

#define PW_LINKS_MAX 500 /* links kept a message */

struct pw_link {
	struct pw_str url;   /* entities decoded */
	struct pw_str shown; /* text of the anchor; empty for a bare link */
	bool is_image;       /* src of a picture */
	bool is_anchor;      /* from HTML */
	bool is_bare;        /* a domain in the text: the scheme is ours */
};

struct pw_links {
	struct pw_link at[PW_LINKS_MAX];
	size_t count;
	size_t seen; /* further ones too */
};

/* Counts over all HTML of a message. */
struct pw_html_facts {
	unsigned parts;
	unsigned tags, images, linked_images, anchors;
	unsigned colours, big_fonts, tables;
	unsigned forms, password_fields, scripts, refreshes;
	unsigned tiny_chars, hidden_chars, same_colour_chars, visible_chars;
	unsigned cut_words;       /* a comment or an unknown tag between two letters */
	unsigned letter_entities; /* ASCII letters written as numbers */
	unsigned unknown_tags;
	unsigned data_links;
	bool has_title;
};

/* Append the visible text of html, blocks parted by LF. Links go to links (slices in
 * arena), counts to facts. */
void pw_html_read(struct pw_buf *text, struct pw_links *links,
                  struct pw_html_facts *facts, struct pw_arena *arena,
                  struct pw_str html);
