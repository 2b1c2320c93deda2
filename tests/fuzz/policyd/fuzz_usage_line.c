/* Whatever line comes, the answer is one of the protocol's few, what is remembered stays
 * in its range, and only a mailbox we know is remembered. */
#include <stdlib.h>

#include "policyd/usage_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pw_str ann = { "ann@example.test", 16 };

static bool is_answer(struct pw_str text)
{
	return pw_str_eq(text, PW_STR("ok\n")) || pw_str_eq(text, PW_STR("unknown\n")) ||
	       pw_str_eq(text, PW_STR("fail\n")) ||
	       pw_str_eq(text, PW_STR("ok\t5000\t0\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[16] = { 1 };
	PW_AUTO(catalog_free) struct catalog *catalog = NULL;
	PW_AUTO(usage_free) struct usage *usage = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct usage_world world = { NULL, size % 2 == 0, NULL };
	const struct usage_entry *entry;
	enum pw_status r;

	if (catalog_new(&catalog, seed, '+') != PW_OK ||
	    usage_new(&usage, seed) != PW_OK ||
	    catalog_add(catalog, CATALOG_ADDRESSES,
	                (struct pw_str[]){ ann, PW_STR("mailbox") }) != PW_OK ||
	    catalog_add(catalog, CATALOG_QUOTAS,
	                (struct pw_str[]){ ann, PW_STR("5000"), PW_STR("0") }) != PW_OK)
		abort();
	world.catalog = catalog;
	world.usage = usage;
	r = usage_line_answer(&out, (struct pw_str){ (const char *)data, size }, &world);
	if (r == PW_OK ? !is_answer(pw_buf_str(&out)) : out.len != 0)
		abort();
	if ((entry = usage_next_changed(usage)) == NULL)
		return 0;
	if (!pw_str_eq(entry->user, ann) || entry->bytes < 0 || entry->messages < 0 ||
	    entry->bytes > USAGE_NUMBER_MAX || entry->messages > USAGE_NUMBER_MAX)
		abort();
	return 0;
}
