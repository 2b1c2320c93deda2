/* Texts with @names@ in them. Pure. */
#pragma once

#include "core/buf.h"
#include "tools/setup/wish.h"

/* What stands for one @name@; NULL as value is the empty text. */
struct setup_name {
	const char *name, *value;
};

/* Put the values in. A name that is not known stays as it is. */
void setup_expand(struct pw_buf *out, struct pw_str text, const struct setup_name *names,
                  size_t count);
/* An address as it stands before a port: IPv6 in brackets. */
void setup_put_host(struct pw_buf *out, const char *address);
