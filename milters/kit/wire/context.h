/* Inside the wire: one connection of an MTA. */
#pragma once

#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>

#include "core/buf.h"

#define WIRE_INPUT_BYTES ((size_t)8192)           /* read at once */
#define WIRE_PACKET_MAX ((size_t)1024 * 1024)     /* but for bodies, which stream */
#define WIRE_OUTPUT_MAX ((size_t)8 * 1024 * 1024) /* edits of one message */

/* Macros by the command they come before; what comes later in a transaction is forgotten
 * when an earlier command is seen. */
enum wire_stage {
	WIRE_CONNECT,
	WIRE_HELO,
	WIRE_MAIL,
	WIRE_RCPT,
	WIRE_DATA,
	WIRE_EOH,
	WIRE_EOM,
	WIRE_STAGES
};

struct smfi_str {
	int fd;
	const struct smfiDesc *calls;
	void *own;
	unsigned long mta_actions, actions, steps; /* offered; negotiated */
	bool is_negotiated, is_ending;
	bool has_message; /* since MAIL */
	bool is_unheard;              /* the verdict on a message could not be told */
	char *lists[WIRE_STAGES + 1]; /* by SMFIM_*: macros asked for */
	struct pw_buf macros[WIRE_STAGES];
	struct pw_buf reply; /* of smfi_setreply: "550 5.7.1 text" */
	struct pw_buf out;   /* to be written with the next verdict */
	/* input: bytes start..end of at are not taken yet */
	char *at;
	size_t room, start, end;
};

/* Serve one connection to its end; closes nothing. */
void kit_wire_serve(SMFICTX *ctx);
/* Append a packet to what is written next. */
void kit_wire_put(SMFICTX *ctx, char command, struct pw_str data);
/* Write out. Returns false if the MTA is gone. */
bool kit_wire_flush(SMFICTX *ctx);
