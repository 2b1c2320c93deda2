/* Tag lists, "a=1; b=2" (RFC 6376 3.2): DKIM and ARC signatures, DKIM keys. */
#pragma once

#include "core/buf.h"

#define PW_TAGS_MAX 64

struct pw_tag {
	struct pw_str name,
		value; /* value without blanks at its ends, folds inside kept */
};

struct pw_taglist {
	size_t count;
	struct pw_tag tags[PW_TAGS_MAX];
};

/* Parse; the slices point into text. Tag names keep their case (they are case-sensitive).
 * One final ';' is allowed, a name twice is not.
 *
 * Errors  PW_ERR_SYNTAX; PW_ERR_LIMIT more than PW_TAGS_MAX tags */
PW_MUST_CHECK enum pw_status pw_taglist_parse(struct pw_taglist *out, struct pw_str text);
/* The value, or a slice with at == NULL when there is no such tag. */
struct pw_str pw_taglist_get(const struct pw_taglist *list, struct pw_str name);
/* The value without any blanks and folds, as b=, bh=, p=, h= are to be read. */
void pw_tag_put_packed(struct pw_buf *out, struct pw_str value);
/* Next item of a list parted by ':' ("From : To"), without blanks at its ends; false at
 * the end. Start with *rest = the value; an empty value has one empty item. */
bool pw_tag_next_item(struct pw_str *rest, struct pw_str *item_out);
