/* Recipients the inner server has accepted: a bounded table of keyed hashes, with a file
 * format. Pure: no address can be read back out of the table or the file. */
#pragma once

#include "core/buf.h"

#define RECIPIENTS_KEY_BYTES 16
#define RECIPIENTS_ENTRY_BYTES 12 /* of the file */
#define RECIPIENTS_MOST 1000000

/* All zero but the key and max is an empty table. */
struct recipients {
	uint8_t key[RECIPIENTS_KEY_BYTES];
	size_t max; /* 1..RECIPIENTS_MOST: then the oldest of a few make room */
	size_t count;
	bool is_changed; /* since the last dump */
	/* the table's own: */
	struct recipients_slot *slots;
	size_t mask, hand;
};

/* key: RECIPIENTS_KEY_BYTES of random */
void recipients_init(struct recipients *table, const uint8_t *key, size_t max);
void recipients_done(struct recipients *table);

/* address in normal form (core/address.h). now_s: seconds since the epoch.
 *
 * Errors  PW_ERR_NOMEM: nothing changed */
PW_MUST_CHECK enum pw_status recipients_put(struct recipients *table,
                                            struct pw_str address, int64_t now_s);
void recipients_drop(struct recipients *table, struct pw_str address);
/* Was it put within the last age_s seconds? A clock that stepped back counts as now. */
bool recipients_has(const struct recipients *table, struct pw_str address, int64_t age_s,
                    int64_t now_s);

/* Append the file: a magic word, the key, the entries no older than age_s, and a check
 * value. Status: of the buffer. */
void recipients_dump(struct pw_buf *out, const struct recipients *table, int64_t age_s,
                     int64_t now_s);
/* Replace a table's content and key by a file's. Of more than max entries some are left
 * out; instants to come count as now.
 *
 * Errors  PW_ERR_SYNTAX (not such a file, or not whole), PW_ERR_NOMEM: the table is as
 *         it was */
PW_MUST_CHECK enum pw_status recipients_load(struct recipients *table, struct pw_str file,
                                             int64_t now_s);
