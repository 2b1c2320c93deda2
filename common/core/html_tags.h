/* The elements of HTML (core/html.c and its helpers only). */
#pragma once

#include "core/str.h"

enum pw_tag_kind {
	PW_TAG_INLINE,
	PW_TAG_BLOCK, /* parts lines of text */
	PW_TAG_CELL,  /* parts words */
	PW_TAG_SKIP,  /* its text is not shown */
	PW_TAG_ANCHOR,
	PW_TAG_IMG,
	PW_TAG_FORM,
	PW_TAG_INPUT,
	PW_TAG_META,
	PW_TAG_SCRIPT,
	PW_TAG_STYLE,
	PW_TAG_TITLE,
	PW_TAG_BASE,
	PW_TAG_FRAME
};

/* Flags. */
#define PW_TAG_IS_VOID 1     /* has no end tag */
#define PW_TAG_ENDS_ITSELF 2 /* ends where the next of its kind begins */
#define PW_TAG_IS_WALL 4     /* what is open outside is not ended from inside */
#define PW_TAG_IS_PAIR 8     /* mailers always end it */

struct pw_tag {
	const char *name;
	unsigned char kind; /* enum pw_tag_kind */
	unsigned char flags;
};

/* NULL for an unknown one; name in any case. */
const struct pw_tag *pw_tag_find(struct pw_str name);
/* Position in the table: 0..PW_TAGS_MAX - 1. */
size_t pw_tag_index(const struct pw_tag *tag);
#define PW_TAGS_MAX 160
