#include "origin/fallback/recipients.h"

#include <stdlib.h>
#include <string.h>

#include "core/map.h"

/* Open addressing with linear probing, at most half full; removal shifts the run back, so
 * there are no tombstones. */
struct recipients_slot {
	uint64_t hash; /* 0 = empty */
	uint32_t seen_s;
};

#define SLOTS_FIRST ((size_t)256)
#define EVICTION_LOOKS 16 /* entries compared when one has to go */
#define CHECK_BYTES 8

static const char magic[8] = { 'P', 'W', 'R', 'C', 'P', 'T', '0', '1' };

void recipients_init(struct recipients *table, const uint8_t *key, size_t max)
{
	*table = (struct recipients){ .max = max };
	memcpy(table->key, key, RECIPIENTS_KEY_BYTES);
}

void recipients_done(struct recipients *table)
{
	free(table->slots);
	pw_wipe(table->key, sizeof(table->key));
	*table = (struct recipients){ 0 };
}

static uint64_t hash_of(const struct recipients *table, struct pw_str address)
{
	uint64_t hash = pw_siphash(table->key, address);

	return hash ? hash : 1;
}

/* Instants are 32 bits: good until 2106. */
static uint32_t instant(int64_t now_s)
{
	if (now_s < 0)
		return 0;
	return now_s > UINT32_MAX ? UINT32_MAX : (uint32_t)now_s;
}

/* Where hash is, or the empty slot where it would be. */
static size_t find(const struct recipients *table, uint64_t hash)
{
	size_t i = (size_t)hash & table->mask;

	while (table->slots[i].hash && table->slots[i].hash != hash)
		i = (i + 1) & table->mask;
	return i;
}

static enum pw_status resize(struct recipients *table, size_t slots)
{
	struct recipients bigger = *table;

	bigger.slots = calloc(slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return PW_ERR_NOMEM;
	bigger.mask = slots - 1;
	bigger.hand = 0;
	for (size_t i = 0; table->slots && i <= table->mask; i++)
		if (table->slots[i].hash)
			bigger.slots[find(&bigger, table->slots[i].hash)] =
				table->slots[i];
	free(table->slots);
	*table = bigger;
	return PW_OK;
}

static void take_out(struct recipients *table, size_t hole)
{
	size_t i = hole;

	for (;;) {
		size_t home;

		i = (i + 1) & table->mask;
		if (!table->slots[i].hash)
			break;
		home = (size_t)table->slots[i].hash & table->mask;
		if (((i - home) & table->mask) < ((i - hole) & table->mask))
			continue; /* its home lies behind the hole */
		table->slots[hole] = table->slots[i];
		hole = i;
	}
	table->slots[hole].hash = 0;
	table->count--;
	table->is_changed = true;
}

/* The oldest of the next few, from where the last eviction ended. */
static void evict(struct recipients *table)
{
	size_t oldest = 0;

	for (size_t looked = 0; looked < EVICTION_LOOKS && looked < table->count;) {
		size_t i = table->hand++ & table->mask;

		if (!table->slots[i].hash)
			continue;
		if (looked++ == 0 || table->slots[i].seen_s < table->slots[oldest].seen_s)
			oldest = i;
	}
	take_out(table, oldest);
}

static enum pw_status put_hash(struct recipients *table, uint64_t hash, uint32_t seen_s)
{
	enum pw_status r;
	size_t i;

	if (!table->slots && (r = resize(table, SLOTS_FIRST)) != PW_OK)
		return r;
	i = find(table, hash);
	if (table->slots[i].hash) {
		if (table->slots[i].seen_s < seen_s) {
			table->slots[i].seen_s = seen_s;
			table->is_changed = true;
		}
		return PW_OK;
	}
	if (table->count >= table->max) {
		evict(table);
	} else if ((table->count + 1) * 2 > table->mask + 1) {
		if ((r = resize(table, (table->mask + 1) * 2)) != PW_OK)
			return r;
	}
	table->slots[find(table, hash)] = (struct recipients_slot){ hash, seen_s };
	table->count++;
	table->is_changed = true;
	return PW_OK;
}

enum pw_status recipients_put(struct recipients *table, struct pw_str address,
                              int64_t now_s)
{
	return put_hash(table, hash_of(table, address), instant(now_s));
}

void recipients_drop(struct recipients *table, struct pw_str address)
{
	size_t i;

	if (!table->slots)
		return;
	i = find(table, hash_of(table, address));
	if (table->slots[i].hash)
		take_out(table, i);
}

bool recipients_has(const struct recipients *table, struct pw_str address, int64_t age_s,
                    int64_t now_s)
{
	size_t i;

	if (!table->slots)
		return false;
	i = find(table, hash_of(table, address));
	return table->slots[i].hash && now_s - (int64_t)table->slots[i].seen_s <= age_s;
}

/* The file: magic, key, entries (hash, instant), check value; numbers little end first.
 */

static void put_number(struct pw_buf *out, uint64_t n, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		pw_buf_putc(out, (char)(n >> (8 * i) & 0xff));
}

static uint64_t number_at(struct pw_str file, size_t at, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n |= (uint64_t)(unsigned char)file.at[at + i] << (8 * i);
	return n;
}

void recipients_dump(struct pw_buf *out, const struct recipients *table, int64_t age_s,
                     int64_t now_s)
{
	size_t start = out->len;

	pw_buf_puts(out, (struct pw_str){ magic, sizeof(magic) });
	for (size_t i = 0; i < sizeof(table->key); i++)
		pw_buf_putc(out, (char)table->key[i]);
	for (size_t i = 0; table->slots && i <= table->mask; i++) {
		const struct recipients_slot *slot = &table->slots[i];

		if (!slot->hash || now_s - (int64_t)slot->seen_s > age_s)
			continue;
		put_number(out, slot->hash, 8);
		put_number(out, slot->seen_s, 4);
	}
	if (out->len > start)
		put_number(out,
		           pw_siphash(table->key, pw_str_sub(pw_buf_str(out), start,
		                                             out->len - start)),
		           CHECK_BYTES);
}

enum pw_status recipients_load(struct recipients *table, struct pw_str file,
                               int64_t now_s)
{
	const size_t head = sizeof(magic) + RECIPIENTS_KEY_BYTES;
	struct recipients loaded;
	enum pw_status r;
	size_t end;

	if (file.len < head + CHECK_BYTES ||
	    (file.len - head - CHECK_BYTES) % RECIPIENTS_ENTRY_BYTES != 0 ||
	    memcmp(file.at, magic, sizeof(magic)) != 0)
		return PW_ERR_SYNTAX;
	end = file.len - CHECK_BYTES;
	recipients_init(&loaded, (const uint8_t *)file.at + sizeof(magic), table->max);
	if (pw_siphash(loaded.key, pw_str_sub(file, 0, end)) !=
	    number_at(file, end, CHECK_BYTES)) {
		recipients_done(&loaded);
		return PW_ERR_SYNTAX;
	}
	for (size_t at = head; at < end; at += RECIPIENTS_ENTRY_BYTES) {
		uint64_t hash = number_at(file, at, 8);
		uint32_t seen_s = (uint32_t)number_at(file, at + 8, 4);

		if (!hash)
			continue;
		if (seen_s > instant(now_s))
			seen_s = instant(now_s);
		if ((r = put_hash(&loaded, hash, seen_s)) != PW_OK) {
			recipients_done(&loaded);
			return r;
		}
	}
	recipients_done(table);
	*table = loaded;
	table->is_changed = false;
	return PW_OK;
}
