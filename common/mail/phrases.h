/* Counted wording: the phrases of phrases.def, all found in one pass. */
#pragma once

#include "core/str.h"

enum pw_phrase_class {
	PW_PHRASES_REMOVE,
	PW_PHRASES_MARKETING,
	PW_PHRASES_ACCOUNT,
	PW_PHRASES_FEE,
	PW_PHRASES_LOAN,
	PW_PHRASES_RICH,
	PW_PHRASES_STOCK,
	PW_PHRASES_PHARMA,
	PW_PHRASES_ADULT,
	PW_PHRASES_OFFER,
	PW_PHRASES_FORM,
	PW_PHRASES_THREAT,
	PW_PHRASES_TECH,
	PW_PHRASE_CLASSES
};

struct pw_phrase_count {
	unsigned points;     /* of distinct phrases */
	struct pw_str first; /* one of them, static */
};

/* Count what is in text: lower case, single blanks. */
void pw_phrases_count(struct pw_phrase_count out[PW_PHRASE_CLASSES], struct pw_str text);
