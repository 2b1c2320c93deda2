/* Any block is refused or attached; an attached one can be worked with, and forgets
 * nothing that is in doubt when it is attached once more. */
#include <stdlib.h>
#include <string.h>

#include "core/map.h"
#include "origin/fallback/ledger.h"

#define SLOTS 8
#define SLOT_BYTES 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Head and check values as they have to be, or no input would get beyond them. */
static void make_right(char *block)
{
	uint8_t key[LEDGER_KEY_BYTES];
	struct ledger made;
	char *copy = malloc(ledger_bytes(SLOTS));

	if (!copy)
		abort();
	memcpy(key, block + 16, sizeof(key));
	ledger_format(&made, copy, ledger_bytes(SLOTS), key);
	memcpy(block, copy, ledger_bytes(0));
	free(copy);
	for (size_t i = 0; i < SLOTS; i++) {
		char *slot = block + ledger_bytes(i);
		uint32_t check = (uint32_t)pw_siphash(
			key, (struct pw_str){ slot + 8, SLOT_BYTES - 8 });

		memcpy(slot + 4, &check, sizeof(check));
	}
}

static void work_with(struct ledger *ledger)
{
	static const uint32_t rcpts[] = { 0, 1 };
	struct ledger_key key = { 0 };
	uint8_t id[LEDGER_ID_BYTES] = { 0 };
	size_t slot = ledger_enter(ledger, &key, id, rcpts, 2, 0);

	if (slot == LEDGER_NONE)
		abort(); /* what another process had under way is in doubt */
	ledger_doubt(ledger, slot);
	if (!ledger_find(ledger, &key, id, 0) || !ledger_has_sender(ledger, &key, 0) ||
	    !ledger_has_header(ledger, &key, 0))
		abort();
	ledger_settle(ledger, &key, rcpts, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *block = calloc(1, ledger_bytes(SLOTS));
	struct ledger ledger, again;
	size_t doubts;

	if (!block)
		abort();
	memcpy(block, data, size < ledger_bytes(SLOTS) ? size : ledger_bytes(SLOTS));
	if (ledger_attach(&ledger, block, ledger_bytes(SLOTS)) != PW_OK) {
		make_right(block);
		if (ledger_attach(&ledger, block, ledger_bytes(SLOTS)) != PW_OK)
			abort();
	}
	work_with(&ledger);
	doubts = ledger.doubts;
	if (ledger_attach(&again, block, ledger_bytes(SLOTS)) != PW_OK ||
	    again.doubts != doubts)
		abort();
	free(block);
	return 0;
}
