/* Which deliveries of stamped messages have been here: a table in one block of memory, a
 * mapped file in practice, so that it outlives the process. Pure: no file, lock, clock.
 *
 * Its size is fixed. Where it cannot tell (an entry had to make room, the file was lost)
 * it says so: stamps made before `horizon` may have been here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base.h"
#include "core/status.h"

#define REPLAY_KEY 16   /* bytes that name a delivery */
#define REPLAY_DIGEST 8 /* bytes of its message's digest */
#define REPLAY_KEEP_S ((int64_t)8 * 86400)

enum replay_verdict {
	REPLAY_NEW,    /* was not here */
	REPLAY_SAME,   /* was here, the same message: a reply was lost, or a replay */
	REPLAY_UNSURE, /* may have been here */
	REPLAY_OTHER,  /* was here with another message */
};

struct replay_entry {
	uint8_t key[REPLAY_KEY];
	uint8_t digest[REPLAY_DIGEST];
	int64_t at_s; /* when the stamp was made */
};

struct replay_table {
	struct replay_head *head;
	struct replay_slot *slots;
	size_t buckets;
};

/* Bytes of a block for so many entries, a multiple of 8. */
size_t replay_table_bytes(size_t entries);
/* Make an empty table of a block. seed: 16 random bytes */
void replay_table_format(struct replay_table *out, void *block, size_t bytes,
                         const uint8_t *seed, int64_t horizon_s);
/* Take over a block another process left.
 *
 * boot_s  when the machine was started; by the wall clock, so it differs by what that was
 *         set in the meantime: a few seconds are nothing
 * now_s   becomes the horizon if the machine went down while the table was open: what was
 *         written last may not have reached the disk
 *
 * Errors  PW_ERR_SYNTAX this is no table of that size */
PW_MUST_CHECK enum pw_status replay_table_attach(struct replay_table *out, void *block,
                                                 size_t bytes, int64_t boot_s,
                                                 int64_t now_s);
/* The table is in use from here on; or all of it is about to be on disk. */
void replay_table_open(struct replay_table *table, int64_t boot_s);
void replay_table_close(struct replay_table *table);

enum replay_verdict replay_table_look(const struct replay_table *table,
                                      const struct replay_entry *entry, int64_t now_s);
/* Remember. If nothing is free the oldest of its bucket goes, and the horizon moves.
 *
 * Returns false if one went before its time. */
bool replay_table_put(struct replay_table *table, const struct replay_entry *entry,
                      int64_t now_s);
