/* Inside core: tag lists of stamps, as text without blanks; core/stamp.h is what others
 * use. Pure text: no key is needed, nothing is believed. */
#pragma once

#include "core/stamp.h"

/* Room for whatever a list holds, without folds. */
#define PW_STAMP_TEXT_MAX (PW_STAMP_MAX - 300)

/* Which tags: all of a stamp but the MAC's value ("...;m="), or the facts alone. */
enum pw_stamp_tags { PW_STAMP_TAGS, PW_CLIENT_TAGS };

/* Append the list. Errors  PW_ERR_LIMIT (a login too long), PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_stamp_text_put(struct pw_buf *out,
                                               const struct pw_stamp *stamp,
                                               enum pw_stamp_tags tags);
/* Read it; every tag stands there once, in its order.
 *
 * id_out   the key's, PW_STAMP_TAGS only
 * mac_out  what follows "m=", PW_STAMP_TAGS only
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_NOMEM
 * Owner   texts live in arena */
PW_MUST_CHECK enum pw_status
pw_stamp_text_parse(struct pw_stamp *out, struct pw_arena *arena, struct pw_str text,
                    enum pw_stamp_tags tags, struct pw_str *id_out,
                    struct pw_str *mac_out);
/* Append text, blanks after semicolons, folded with CRLF TAB before column 77.
 *
 * name  of the field, which is before it in the first line */
void pw_stamp_text_fold(struct pw_buf *out, struct pw_str name, struct pw_str text);
