/* The milter front end: a client's session with the edge's Postfix, relayed live. */
#pragma once

#include "kit/kit.h"

/* Fill in what the front end needs of Postfix: callbacks, verdicts, macros. The kit's
 * user must be a struct daemon. */
void milter_describe(struct kit_daemon *daemon);
