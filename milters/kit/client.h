/* The client of a session as Postfix's macros tell: with XCLIENT, the real one. */
#pragma once

#include "core/arena.h"
#include "core/origin.h"
#include "kit/kit.h"

/* Macros to ask for at connect. */
#define KIT_CLIENT_MACROS                                                                \
	"j {daemon_addr} {daemon_port} {client_name} {client_ptr} {client_resolve}"

/* Fill in address, port, names and server; call it at connect. Texts live in arena.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status kit_client(const struct kit_session *s,
                                        struct pw_arena *arena, struct pw_origin *out);
