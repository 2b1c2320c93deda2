/* The milter protocol, spoken by ourselves: libmilter's functions as <libmilter/mfapi.h>
 * declares them, as far as the kit calls them. libmilter hands every packet, a header
 * field say, from one thread to another; here a connection has one thread, which reads as
 * much as there is. */
#pragma once

#include <stdbool.h>

#include <libmilter/mfapi.h>

#include "core/base.h"
#include "core/status.h"

/* Serve connections to fd, which listens, in threads that inherit the
 * caller's signal mask, until the process ends. calls is borrowed for ever.
 *
 * Errors  PW_ERR_IO */
PW_MUST_CHECK enum pw_status kit_wire_start(const struct smfiDesc *calls, int fd);
/* For xxfi_close: was the MTA gone when it was to be told the last message's verdict? */
bool kit_wire_is_unheard(const SMFICTX *ctx);
