/* What the numbers of a mailbox and its limits mean: is there room for a message, which
 * limits Dovecot is to keep, is it time for a warning. Pure. */
#pragma once

#include "policyd/usage.h"

/* A mailbox's limits and what it holds; a limit of 0 is none. */
struct usage_room {
	int64_t quota_bytes, used_bytes;
	int64_t quota_messages, used_messages;
	int64_t domain_quota_bytes, domain_used_bytes; /* the sum of its mailboxes */
	int64_t grace_percent; /* what a delivery may go over quota_bytes */
};

/* 0 = unlimited */
struct usage_limits {
	int64_t bytes, messages, grace_bytes;
};

void usage_room_of(struct usage_room *out, struct usage *usage,
                   const struct catalog *catalog, const struct catalog_entry *mailbox);

/* Must a message of size bytes be refused? Size 0 (not said) asks for one byte. */
bool usage_is_full(const struct usage_room *room, int64_t size_bytes);

/* What Dovecot is to keep. A domain's limit becomes one of the mailbox: what the others
 * leave over, in whole MiB so that it does not change with each message of theirs; never
 * 0. */
struct usage_limits usage_limits_of(const struct usage_room *room);

/* How much of its own limit of bytes the mailbox uses, 0..100; 0 where it has none. */
int64_t usage_percent(const struct usage_room *room);

/* The warning to send now, NULL = none: the highest one reached, unless the user had it
 * or a higher one since the usage was last below. *warned_percent becomes the percent of
 * the highest warning reached. */
const struct catalog_warning *usage_warning(const struct catalog_quotas *quotas,
                                            int64_t percent, int64_t *warned_percent);
