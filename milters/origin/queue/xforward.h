/* The originating client as Postfix's XFORWARD tells it
 * (XFORWARD_README), attribute by attribute, over as many commands as it takes. Pure. */
#pragma once

#include "core/origin.h"

#define XFORWARD_VALUE_MAX 255
/* For EHLO and LHLO. */
#define XFORWARD_OFFER "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"

struct xforward_value {
	char text[XFORWARD_VALUE_MAX + 1];
	size_t len;
};

/* All zero = nothing was told. */
struct xforward {
	bool is_told;           /* there was a command at all */
	bool is_local;          /* SOURCE=LOCAL: no client brought this message */
	bool name_is_temporary; /* the lookup of a name failed for now */
	struct pw_ip address;   /* unmapped; PW_IP_NONE = not told */
	uint16_t port;
	struct xforward_value name, helo, protocol, ident;
};

/* What follows the verb. Each value takes the place of what was told before; a value of
 * [UNAVAILABLE] is none.
 *
 * Errors  PW_ERR_SYNTAX  an attribute unknown or without value, text that is no xtext, an
 *                        address or port that is none; xforward is as before
 *         PW_ERR_LIMIT   a value over XFORWARD_VALUE_MAX, HELO and NAME excepted: those
 *                        are cut, for strangers choose them */
PW_MUST_CHECK enum pw_status xforward_take(struct xforward *xforward,
                                           struct pw_str attributes);
/* The client; slices are borrowed from xforward. XFORWARD knows of no TLS, login or PTR
 * that does not lead back. */
void xforward_origin(const struct xforward *xforward, struct pw_origin *out);
/* When Postfix took the message, as its queue id says (enable_long_queue_ids), seconds
 * since the epoch; 0 = not known. */
int64_t xforward_arrival_s(const struct xforward *xforward, int64_t now_s);
