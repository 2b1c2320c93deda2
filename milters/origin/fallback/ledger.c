#include "origin/fallback/ledger.h"

#include <stdatomic.h>
#include <string.h>

#include "core/map.h"

enum { EMPTY, UNDER_WAY, IN_DOUBT };

/* clang-format off */
struct ledger_head {
	char magic[8];
	uint32_t slot_bytes, slots;
	uint8_t key[LEDGER_KEY_BYTES];
	uint8_t unused[16];
};
struct ledger_slot {
	_Atomic uint32_t state; /* written last, when the rest stands */
	uint32_t check;         /* of all that follows */
	int64_t at_ms;
	struct ledger_key key;
	uint8_t id[LEDGER_ID_BYTES];
	uint32_t rcpt_count;    /* more than the array holds: the entry stays */
	uint32_t rcpts[LEDGER_RCPTS_MAX];
};
/* clang-format on */

_Static_assert(sizeof(struct ledger_head) == 64, "part of the file's format");
_Static_assert(sizeof(struct ledger_slot) == 128, "part of the file's format");

static const char magic[8] = { 'P', 'W', 'D', 'O', 'U', 'B', 'T', '1' };

size_t ledger_bytes(size_t slots)
{
	return sizeof(struct ledger_head) + slots * sizeof(struct ledger_slot);
}

static void lay_out(struct ledger *out, void *block, size_t bytes)
{
	*out = (struct ledger){ .head = block,
		                .count = (bytes - sizeof(struct ledger_head)) /
		                         sizeof(struct ledger_slot) };
	out->slots = (struct ledger_slot *)(void *)(out->head + 1);
}

static uint32_t check_of(const struct ledger *ledger, const struct ledger_slot *slot)
{
	const char *from = (const char *)&slot->at_ms;

	return (uint32_t)pw_siphash(
		ledger->head->key,
		(struct pw_str){ from,
	                         sizeof(*slot) - offsetof(struct ledger_slot, at_ms) });
}

static uint32_t state_of(const struct ledger_slot *slot)
{
	return atomic_load_explicit(&slot->state, memory_order_acquire);
}

static void become(struct ledger *ledger, struct ledger_slot *slot, uint32_t state)
{
	ledger->doubts -= state_of(slot) == IN_DOUBT;
	ledger->doubts += state == IN_DOUBT;
	atomic_store_explicit(&slot->state, state, memory_order_release);
}

void ledger_format(struct ledger *out, void *block, size_t bytes, const uint8_t *key)
{
	memset(block, 0, bytes);
	lay_out(out, block, bytes);
	memcpy(out->head->key, key, LEDGER_KEY_BYTES);
	out->head->slot_bytes = sizeof(struct ledger_slot);
	out->head->slots = (uint32_t)out->count;
	memcpy(out->head->magic, magic, sizeof(magic));
}

enum pw_status ledger_attach(struct ledger *out, void *block, size_t bytes)
{
	struct ledger ledger;

	if (bytes < ledger_bytes(1))
		return PW_ERR_SYNTAX;
	lay_out(&ledger, block, bytes);
	if (memcmp(ledger.head->magic, magic, sizeof(magic)) != 0 ||
	    ledger.head->slot_bytes != sizeof(struct ledger_slot) ||
	    ledger.head->slots != ledger.count || bytes != ledger_bytes(ledger.count))
		return PW_ERR_SYNTAX;
	for (size_t i = 0; i < ledger.count; i++) {
		struct ledger_slot *slot = &ledger.slots[i];
		uint32_t state = state_of(slot);

		if (state == EMPTY)
			continue;
		atomic_store(&slot->state, EMPTY);
		if (state <= IN_DOUBT && slot->check == check_of(&ledger, slot))
			become(&ledger, slot, IN_DOUBT);
	}
	*out = ledger;
	return PW_OK;
}

const uint8_t *ledger_secret(const struct ledger *ledger)
{
	return ledger->head->key;
}

/* In doubt, and its day not over. A clock that stepped back makes it wait longer. */
static bool is_live(struct ledger *ledger, struct ledger_slot *slot, int64_t now_ms)
{
	if (state_of(slot) != IN_DOUBT)
		return false;
	if (slot->at_ms >= now_ms - LEDGER_AGE_MS)
		return true;
	become(ledger, slot, EMPTY);
	return false;
}

static size_t find_room(struct ledger *ledger)
{
	size_t oldest = LEDGER_NONE;

	for (size_t n = 0; n < ledger->count; n++) {
		size_t i = (ledger->next + n) % ledger->count;
		uint32_t state = state_of(&ledger->slots[i]);

		if (state == EMPTY)
			return i;
		if (state == IN_DOUBT &&
		    (oldest == LEDGER_NONE ||
		     ledger->slots[i].at_ms < ledger->slots[oldest].at_ms))
			oldest = i;
	}
	return oldest;
}

size_t ledger_enter(struct ledger *ledger, const struct ledger_key *key,
                    const uint8_t *id, const uint32_t *rcpts, size_t rcpt_count,
                    int64_t now_ms)
{
	size_t i = find_room(ledger);
	struct ledger_slot *slot;

	if (i == LEDGER_NONE)
		return LEDGER_NONE;
	slot = &ledger->slots[i];
	become(ledger, slot, EMPTY);
	slot->at_ms = now_ms;
	slot->key = *key;
	memcpy(slot->id, id, LEDGER_ID_BYTES);
	memset(slot->rcpts, 0, sizeof(slot->rcpts));
	slot->rcpt_count = rcpt_count > LEDGER_RCPTS_MAX ? LEDGER_RCPTS_MAX + 1
	                                                 : (uint32_t)rcpt_count;
	for (size_t n = 0; n < rcpt_count && n < LEDGER_RCPTS_MAX; n++)
		slot->rcpts[n] = rcpts[n];
	slot->check = check_of(ledger, slot);
	become(ledger, slot, UNDER_WAY);
	ledger->next = (i + 1) % ledger->count;
	return i;
}

void ledger_doubt(struct ledger *ledger, size_t slot)
{
	become(ledger, &ledger->slots[slot], IN_DOUBT);
}

void ledger_clear(struct ledger *ledger, size_t slot)
{
	become(ledger, &ledger->slots[slot], EMPTY);
}

bool ledger_has_sender(struct ledger *ledger, const struct ledger_key *key,
                       int64_t now_ms)
{
	for (size_t i = 0; ledger->doubts > 0 && i < ledger->count; i++)
		if (is_live(ledger, &ledger->slots[i], now_ms) &&
		    memcmp(ledger->slots[i].key.sender, key->sender,
		           sizeof(key->sender)) == 0)
			return true;
	return false;
}

bool ledger_has_header(struct ledger *ledger, const struct ledger_key *key,
                       int64_t now_ms)
{
	for (size_t i = 0; ledger->doubts > 0 && i < ledger->count; i++)
		if (is_live(ledger, &ledger->slots[i], now_ms) &&
		    memcmp(ledger->slots[i].key.header, key->header,
		           sizeof(key->header)) == 0)
			return true;
	return false;
}

static bool is_same(const struct ledger_slot *slot, const struct ledger_key *key)
{
	return memcmp(slot->key.whole, key->whole, sizeof(key->whole)) == 0;
}

bool ledger_find(struct ledger *ledger, const struct ledger_key *key, uint8_t *id_out,
                 int64_t now_ms)
{
	for (size_t i = 0; ledger->doubts > 0 && i < ledger->count; i++) {
		struct ledger_slot *slot = &ledger->slots[i];

		if (!is_live(ledger, slot, now_ms) || !is_same(slot, key))
			continue;
		memcpy(id_out, slot->id, LEDGER_ID_BYTES);
		return true;
	}
	return false;
}

/* Take one recipient off an entry that knows all of its own. */
static void settle_one(struct ledger_slot *slot, uint32_t rcpt)
{
	for (uint32_t i = 0; i < slot->rcpt_count; i++) {
		if (slot->rcpts[i] != rcpt)
			continue;
		slot->rcpts[i] = slot->rcpts[--slot->rcpt_count];
		slot->rcpts[slot->rcpt_count] = 0;
		return;
	}
}

void ledger_settle(struct ledger *ledger, const struct ledger_key *key,
                   const uint32_t *rcpts, size_t rcpt_count)
{
	for (size_t i = 0; ledger->doubts > 0 && i < ledger->count; i++) {
		struct ledger_slot *slot = &ledger->slots[i];

		if (state_of(slot) != IN_DOUBT || !is_same(slot, key) ||
		    slot->rcpt_count > LEDGER_RCPTS_MAX)
			continue;
		become(ledger, slot, EMPTY); /* not whole while it changes */
		for (size_t n = 0; n < rcpt_count; n++)
			settle_one(slot, rcpts[n]);
		slot->check = check_of(ledger, slot);
		if (slot->rcpt_count > 0)
			become(ledger, slot, IN_DOUBT);
	}
}
