/* Inside the wire: packets of an MTA, read as they come. */
#pragma once

#include "kit/wire/context.h"

/* The head of the next packet: its command and how many bytes follow.
 *
 * Returns false at the end of the connection, or when it makes no sense. */
bool kit_input_head(SMFICTX *ctx, char *command_out, size_t *len_out);
/* All len bytes of a packet, in one piece; borrowed until the next call. Returns NULL
 * when they do not come. */
char *kit_input_all(SMFICTX *ctx, size_t len);
/* Some of at most len bytes; empty when none come. Borrowed until the next call. */
struct pw_str kit_input_some(SMFICTX *ctx, size_t len);
/* Give back what one long packet needed. */
void kit_input_shrink(SMFICTX *ctx);
