/* Keys as WireGuard has them: X25519 in base64. */
#pragma once

#include "tools/edge/kit.h"

/* Make the keys of both ends.
 *
 * Errors  PW_ERR_CRYPTO
 * Owner   caller wipes */
PW_MUST_CHECK enum pw_status edge_keys_make(struct edge_keys *out);
