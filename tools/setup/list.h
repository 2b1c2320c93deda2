/* Postfix's lists as texts: words and { groups } between blanks and commas. What is not
 * touched stays as it was written. Pure. */
#pragma once

#include "core/buf.h"

enum setup_place {
	SETUP_FIRST,
	SETUP_LAST,
	SETUP_BEFORE_END, /* before the first word behind which nothing is looked at */
};

/* Does an item say that, be it inside of a group? */
bool setup_list_names(struct pw_str list, struct pw_str what);
/* The list with item in it; as it is if it names key already.
 *
 * item  words and groups, separators included */
void setup_list_add(struct pw_buf *out, struct pw_str list, struct pw_str item,
                    struct pw_str key, enum setup_place place);
/* The list with item in place of old, wherever it stands. */
void setup_list_exchange(struct pw_buf *out, struct pw_str list, struct pw_str old,
                         struct pw_str item);
/* The list without those items for which is_unwanted says true. */
void setup_list_without(struct pw_buf *out, struct pw_str list,
                        bool (*is_unwanted)(struct pw_str item, const void *arg),
                        const void *arg);
/* smtpd_relay_restrictions with a certain refusal of strange destinations: a temporary
 * one becomes final, and one that is missing, or comes after `permit`, is put in. */
void setup_list_close_relay(struct pw_buf *out, struct pw_str list);
