/* The milter of role inner: believes stamps of its own edges, takes out all others. */
#pragma once

#include "kit/kit.h"

/* Fill in what it needs of Postfix. The kit's user must be a struct daemon whose inner is
 * open before the first session. */
void verify_describe(struct kit_daemon *kit);
