/* SPF macros (RFC 7208 7): syntax check and expansion. Part of the SPF machine. */
#pragma once

#include "core/buf.h"
#include "core/str.h"

enum pw_spf_macro_kind {
	PW_SPF_MACRO_DOMAIN, /* domain-spec: no c, r, t; ends in a macro or ".toplabel" */
	PW_SPF_MACRO_STRING, /* macro-string: value of an unknown modifier */
	PW_SPF_MACRO_TEXT,   /* explain-string: blanks too */
};

/* Values by letter: values->by_letter['d' - 'a']. */
struct pw_spf_macro_values {
	struct pw_str by_letter[26];
};

/* Is spec well formed as kind? RFC 7208 7.1 */
bool pw_spf_macro_is_valid(struct pw_str spec, enum pw_spf_macro_kind kind);
/* Does spec expand this letter (given in lower case)? */
bool pw_spf_macro_uses(struct pw_str spec, char letter);
/* Append the expansion of spec, which must be valid as one of the kinds. RFC 7208 7.3 */
void pw_spf_macro_expand(struct pw_buf *out, struct pw_str spec,
                         const struct pw_spf_macro_values *values);
