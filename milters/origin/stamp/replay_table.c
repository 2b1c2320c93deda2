#include "origin/stamp/replay_table.h"

#include <string.h>

#include "core/map.h"

#define BUCKET 8
#define BOOT_SLACK_S 10

/* clang-format off */
struct replay_head {
	char magic[8];
	uint32_t slot_bytes, slots;
	uint8_t seed[16];
	int64_t horizon_s;
	int64_t boot_s; /* of the machine, when it was opened */
	uint32_t is_open;
	uint8_t unused[12];
};
/* One whose check is wrong is empty: its writer was killed, and had answered nobody. */
struct replay_slot {
	uint8_t key[REPLAY_KEY];
	uint8_t digest[REPLAY_DIGEST];
	uint32_t at_s;      /* 0 = never used; goes to the year 2106 */
	uint32_t check;     /* of all before */
};
/* clang-format on */

_Static_assert(sizeof(struct replay_head) == 64, "part of the file's format");
_Static_assert(sizeof(struct replay_slot) == 32, "part of the file's format");

static const char magic[8] = { 'P', 'W', 'R', 'E', 'P', 'L', 'A', '1' };

size_t replay_table_bytes(size_t entries)
{
	return sizeof(struct replay_head) + entries * sizeof(struct replay_slot);
}

static void lay_out(struct replay_table *out, void *block, size_t bytes)
{
	out->head = block;
	out->slots = (struct replay_slot *)(void *)(out->head + 1);
	out->buckets = (bytes - sizeof(struct replay_head)) /
	               (sizeof(struct replay_slot) * BUCKET);
}

void replay_table_format(struct replay_table *out, void *block, size_t bytes,
                         const uint8_t *seed, int64_t horizon_s)
{
	memset(block, 0, bytes);
	lay_out(out, block, bytes);
	out->head->slot_bytes = sizeof(struct replay_slot);
	out->head->slots = (uint32_t)(out->buckets * BUCKET);
	out->head->horizon_s = horizon_s;
	memcpy(out->head->seed, seed, sizeof(out->head->seed));
	memcpy(out->head->magic, magic, sizeof(magic));
}

static bool is_near(int64_t a, int64_t b)
{
	return a - b <= BOOT_SLACK_S && b - a <= BOOT_SLACK_S;
}

enum pw_status replay_table_attach(struct replay_table *out, void *block, size_t bytes,
                                   int64_t boot_s, int64_t now_s)
{
	struct replay_table table;

	if (bytes < replay_table_bytes(BUCKET))
		return PW_ERR_SYNTAX;
	lay_out(&table, block, bytes);
	if (memcmp(table.head->magic, magic, sizeof(magic)) != 0 ||
	    table.head->slot_bytes != sizeof(struct replay_slot) ||
	    table.head->slots != table.buckets * BUCKET ||
	    bytes != replay_table_bytes(table.head->slots))
		return PW_ERR_SYNTAX;
	if (table.head->is_open && !is_near(table.head->boot_s, boot_s) &&
	    table.head->horizon_s < now_s)
		table.head->horizon_s = now_s;
	*out = table;
	return PW_OK;
}

void replay_table_open(struct replay_table *table, int64_t boot_s)
{
	table->head->boot_s = boot_s;
	table->head->is_open = 1;
}

void replay_table_close(struct replay_table *table)
{
	table->head->is_open = 0;
}

static uint32_t check_of(const struct replay_table *table, const struct replay_slot *slot)
{
	struct pw_str bytes = { (const char *)slot, offsetof(struct replay_slot, check) };

	return (uint32_t)pw_siphash(table->head->seed, bytes);
}

static struct replay_slot *bucket_of(const struct replay_table *table,
                                     const struct replay_entry *entry)
{
	struct pw_str key = { (const char *)entry->key, REPLAY_KEY };

	return &table->slots[pw_siphash(table->head->seed, key) % table->buckets *
	                     BUCKET];
}

/* Stamps of the far future are not taken: a slot whose time is there is not whole. */
static bool is_live(const struct replay_table *table, const struct replay_slot *slot,
                    int64_t now_s)
{
	return slot->at_s != 0 && slot->at_s >= now_s - REPLAY_KEEP_S &&
	       slot->check == check_of(table, slot);
}

static struct replay_slot *find(const struct replay_table *table,
                                const struct replay_entry *entry, int64_t now_s)
{
	struct replay_slot *bucket = bucket_of(table, entry);

	for (size_t i = 0; i < BUCKET; i++)
		if (memcmp(bucket[i].key, entry->key, REPLAY_KEY) == 0 &&
		    is_live(table, &bucket[i], now_s))
			return &bucket[i];
	return NULL;
}

enum replay_verdict replay_table_look(const struct replay_table *table,
                                      const struct replay_entry *entry, int64_t now_s)
{
	const struct replay_slot *slot = find(table, entry, now_s);

	if (!slot)
		return entry->at_s <= table->head->horizon_s ? REPLAY_UNSURE : REPLAY_NEW;
	return memcmp(slot->digest, entry->digest, REPLAY_DIGEST) == 0 ? REPLAY_SAME
	                                                               : REPLAY_OTHER;
}

bool replay_table_put(struct replay_table *table, const struct replay_entry *entry,
                      int64_t now_s)
{
	struct replay_slot *bucket = bucket_of(table, entry);
	struct replay_slot *slot = find(table, entry, now_s), *oldest = bucket;
	bool is_forgotten = false;

	for (size_t i = 0; !slot && i < BUCKET; i++) {
		if (!is_live(table, &bucket[i], now_s))
			slot = &bucket[i];
		else if (bucket[i].at_s < oldest->at_s)
			oldest = &bucket[i];
	}
	if (!slot) {
		slot = oldest;
		is_forgotten = true;
		if (table->head->horizon_s < slot->at_s)
			table->head->horizon_s = slot->at_s;
	}
	memcpy(slot->key, entry->key, REPLAY_KEY);
	memcpy(slot->digest, entry->digest, REPLAY_DIGEST);
	slot->at_s = (uint32_t)entry->at_s;
	slot->check = check_of(table, slot);
	return !is_forgotten;
}
