/* Lists of banned clients. Properties: what is taken is sorted, has every address once,
 * and is written as a list that is taken and says the same; all times are in range. */
#include <stdint.h>
#include <stdlib.h>

#include "core/banlist.h"

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void check(const struct pw_banlist *list, struct pw_arena *arena)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_banlist again;
	size_t line;

	for (size_t i = 0; i < list->count; i++) {
		const struct pw_net net = pw_ban_net(list->at[i].net.ip);

		must(net.bits == list->at[i].net.bits &&
		     pw_ip_eq(net.ip, list->at[i].net.ip));
		must(list->at[i].seconds > 0 &&
		     list->at[i].seconds <= PW_BANLIST_SECONDS_MAX);
		must(i == 0 || pw_ip_cmp(list->at[i - 1].net.ip, list->at[i].net.ip) < 0);
		pw_ban_put(&text, &list->at[i]);
	}
	pw_banlist_put_end(&text, list->count);
	must(pw_banlist_parse(&again, arena, pw_buf_str(&text), &line) == PW_OK);
	must(again.count == list->count);
	for (size_t i = 0; i < list->count; i++)
		must(pw_ip_eq(again.at[i].net.ip, list->at[i].net.ip) &&
		     again.at[i].seconds == list->at[i].seconds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_banlist list;
	size_t line;

	must(pw_arena_new(&arena, 0) == PW_OK);
	if (pw_banlist_parse(&list, arena, (struct pw_str){ (const char *)data, size },
	                     &line) == PW_OK)
		check(&list, arena);
	return 0;
}
