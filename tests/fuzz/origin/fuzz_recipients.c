/* Any bytes are refused or loaded; what was loaded comes out of its own file again, entry
 * for entry. The check value is made right, or no input would get beyond it. */
#include <stdlib.h>
#include <string.h>

#include "core/map.h"
#include "origin/fallback/recipients.h"

#define NOW_S 1800000000
#define AGE_S ((int64_t)1 << 40)
#define HEAD (8 + RECIPIENTS_KEY_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input with a check value that fits. */
static void put_checked(struct pw_buf *out, struct pw_str bytes)
{
	uint64_t check;

	pw_buf_puts(out, bytes);
	if (bytes.len < HEAD)
		return;
	check = pw_siphash((const uint8_t *)bytes.at + 8, bytes);
	for (int i = 0; i < 8; i++)
		pw_buf_putc(out, (char)(check >> (8 * i) & 0xff));
}

static int order(const void *a, const void *b)
{
	return memcmp(a, b, RECIPIENTS_ENTRY_BYTES);
}

static void dump_sorted(struct pw_buf *out, const struct recipients *table)
{
	recipients_dump(out, table, AGE_S, NOW_S);
	if (pw_buf_status(out) != PW_OK)
		abort();
	qsort(out->at + HEAD, (out->len - HEAD - 8) / RECIPIENTS_ENTRY_BYTES,
	      RECIPIENTS_ENTRY_BYTES, order);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[RECIPIENTS_KEY_BYTES] = "a key";
	PW_AUTO(recipients_done) struct recipients first, second;
	PW_AUTO(pw_buf_done)
	struct pw_buf file = { 0 }, again = { 0 }, once = { 0 }, twice = { 0 };
	struct pw_str bytes = { (const char *)data, size };

	recipients_init(&first, key, 64);
	recipients_init(&second, key, 64);
	if (recipients_load(&first, bytes, NOW_S) != PW_OK) {
		put_checked(&file, bytes);
		if (recipients_load(&first, pw_buf_str(&file), NOW_S) != PW_OK)
			return 0;
	}
	if (first.count > 64)
		abort();
	recipients_dump(&again, &first, AGE_S, NOW_S);
	if (recipients_load(&second, pw_buf_str(&again), NOW_S) != PW_OK ||
	    second.count != first.count)
		abort();
	dump_sorted(&once, &first);
	dump_sorted(&twice, &second);
	if (once.len != twice.len || memcmp(once.at, twice.at, once.len - 8) != 0)
		abort();
	(void)recipients_has(&first, bytes, AGE_S, NOW_S);
	return 0;
}
