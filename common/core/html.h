/* HTML as a reader sees it: visible text, links, and the tricks played. No tree is
 * needed, and malformation is evidence: the tokenizer is our own, iterative, and takes
 * one pass (HTML 13.2.5 where that decides what is seen). */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

#define PW_LINKS_MAX 500      /* links kept a message */
#define PW_LINK_SHOWN_MAX 300 /* bytes of an anchor's text kept */
#define PW_HTML_STEPS_MAX ((uint64_t)64 * 1024 * 1024) /* work for one part */
#define PW_HTML_GROWTH 3 /* visible text is at most so many times as long as HTML */

struct pw_link {
	struct pw_str url;   /* entities decoded, base applied */
	struct pw_str shown; /* text of the anchor; empty for a bare link */
	bool is_image;       /* src of a picture */
	bool is_anchor;      /* from HTML */
	bool is_bare;        /* a domain in the text: the scheme is ours */
	bool is_form;        /* where a form is sent to */
	bool is_frame;       /* what a frame shows */
	bool has_image;      /* an anchor around a picture */
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
	unsigned forms, password_fields, inputs, scripts, refreshes, frames, bases;
	unsigned tiny_chars, hidden_chars, same_colour_chars, visible_chars;
	unsigned visible_words, hidden_words; /* hidden: in any of the three ways */
	unsigned preheader_words; /* those of hidden_words before the first visible one */
	unsigned mso_words;       /* hidden from one mailer alone: visible here */
	unsigned cut_words;       /* something invisible between two letters */
	unsigned letter_entities; /* ASCII letters written as numbers */
	unsigned unknown_tags, comments;
	unsigned data_links, data_pages; /* data: of any kind; of kinds that are pages */
	unsigned remote_images, data_images, tracking_images;
	unsigned image_area;            /* square pixels that are said */
	unsigned stray_ends, open_ends; /* paired elements without the other half */
	unsigned script_moves;          /* scripts that lead elsewhere */
	unsigned script_decoders;       /* scripts that unpack something */
	unsigned long_run;              /* longest run of base64 in scripts and data: */
	bool has_title;
	bool is_cut;    /* by PW_HTML_STEPS_MAX, or text was full */
	uint64_t steps; /* bytes and table rows looked at */
};

/* Append the visible text of html (UTF-8; what is none becomes U+FFFD), lines parted by
 * LF. What no reader sees is left out and counted; text in the colour of its background
 * is kept: what is behind it may be a picture. Links go to links (NULL: nowhere; slices
 * in arena), counts to facts.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_html_read(struct pw_buf *text, struct pw_links *links,
                                          struct pw_html_facts *facts,
                                          struct pw_arena *arena, struct pw_str html);
