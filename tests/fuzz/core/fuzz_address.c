/* Property: a normal form is its own normal form and that of the parsed address, and a
 * From mailbox survives being written and read again. */
#include <stdlib.h>

#include "core/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void check_normal(struct pw_str input)
{
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf twice = { 0 };

	if (pw_address_normalise(&once, input) != PW_OK)
		return;
	must(pw_address_normalise(&twice, pw_buf_str(&once)) == PW_OK);
	must(pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)));
}

static void check_parsed(struct pw_str input)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf normal = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf parsed = { 0 };
	enum pw_status r = pw_address_normalise(&normal, input);
	struct pw_mailbox box;

	must(pw_arena_new(&arena, 0) == PW_OK);
	must(pw_address_parse(&box, arena, input) == r);
	if (r != PW_OK)
		return;
	pw_address_put(&parsed, &box);
	must(pw_str_eq(pw_buf_str(&normal), pw_buf_str(&parsed)));
}

static void check_from(struct pw_str input)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_mailbox box, again;

	must(pw_arena_new(&arena, 0) == PW_OK);
	if (pw_from_mailbox(&box, arena, input) != PW_OK)
		return;
	pw_address_put(&text, &box);
	must(pw_from_mailbox(&again, arena, pw_buf_str(&text)) == PW_OK);
	must(pw_str_eq(box.local, again.local) && pw_str_eq(box.domain, again.domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str input = { (const char *)data, size };

	check_normal(input);
	check_parsed(input);
	check_from(input);
	return 0;
}
