/* Text of our tables as mdoc(7): every byte comes out as it stands there, whatever it
 * would mean to mandoc or groff. */
#pragma once

#include "core/buf.h"

/* Bytes that are special or that a formatter would replace by prettier ones. */
void mdoc_put_escaped(struct pw_buf *out, struct pw_str text);

/* A paragraph of words: lines that are not too long, a sentence begins a line. */
void mdoc_put_prose(struct pw_buf *out, struct pw_str text);

/* `.Ql "text" tail`: one macro with one argument, then what follows it, such as ",". */
void mdoc_put_macro(struct pw_buf *out, const char *macro, struct pw_str text,
                    const char *tail);
