/* Counting the mailboxes of somebody else: of the owner of a shared mailbox, while
 * another user works in it. */
#pragma once

#include "lib.h"

struct quota_root;

/* Bytes and messages of all that counts for root, whatever the present user may see of
 * it. The stock count shows what ACLs let that user see: nearly nothing, often.
 *
 * Returns as quota_count: 1, 0 when called while counting, -1 (error_r). */
int owner_count(struct quota_root *root, uint64_t *bytes_r, uint64_t *messages_r,
                const char **error_r);
