/* Whatever lines come, each answer is one of the protocol's few with the user in its one
 * field, what is remembered stays in its range, only a mailbox we know is remembered, and
 * nothing is news twice. */
#include <stdlib.h>

#include "policyd/usage_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pw_str ann = { "ann@example.test", 16 };

static bool is_line(struct pw_str line)
{
	static const struct pw_str words[] = {
		{ "limit", 5 }, { "unknown", 7 }, { "told", 4 }, { "fail", 4 }
	};
	static const size_t fields[] = { 4, 1, 2, 1 };
	struct pw_str word = pw_str_cut(&line, '\t');
	size_t count = 0;

	while (line.at != NULL) {
		(void)pw_str_cut(&line, '\t');
		count++;
	}
	for (size_t i = 0; i < PW_LEN(words); i++)
		if (pw_str_eq(word, words[i]))
			return count == fields[i];
	return false;
}

static void check_lines(struct pw_str text)
{
	while (text.len > 0) {
		size_t len = pw_str_find(text, '\n');

		if (len == text.len || !is_line(pw_str_sub(text, 0, len)))
			abort();
		text = pw_str_sub(text, len + 1, text.len);
	}
}

static void check_remembered(struct usage *usage)
{
	const struct usage_entry *entry;

	while ((entry = usage_next_changed(usage)) != NULL)
		if (!pw_str_eq(entry->user, ann) || entry->count.bytes < 0 ||
		    entry->count.messages < 0 || entry->count.bytes > USAGE_NUMBER_MAX ||
		    entry->count.messages > USAGE_NUMBER_MAX ||
		    entry->count.began_us > 1000)
			abort();
}

static void talk(struct usage_world *world, struct usage_watches *watches,
                 struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	while (text.at != NULL) {
		pw_buf_reset(&out);
		if (usage_line_answer(&out, pw_str_cut(&text, '\n'), watches, world) !=
		            PW_OK &&
		    out.len != 0)
			abort();
		check_lines(pw_buf_str(&out));
		pw_buf_reset(&out);
		if (usage_line_news(&out, watches, world) != PW_OK)
			abort();
		check_lines(pw_buf_str(&out));
		pw_buf_reset(&out);
		if (usage_line_news(&out, watches, world) != PW_OK || out.len != 0)
			abort();
		check_remembered(world->usage);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[16] = { 1 };
	PW_AUTO(catalog_free) struct catalog *catalog = NULL;
	PW_AUTO(usage_free) struct usage *usage = NULL;
	PW_AUTO(usage_watches_done) struct usage_watches watches = { NULL, 0 };
	struct usage_world world = { NULL, size % 2 == 0, NULL, 1000 };
	const struct pw_str quota[] = {
		ann,         PW_STR("0"), PW_STR("0"),       PW_STR("9"),
		PW_STR("0"), PW_STR("0"), PW_STR("5000000"), PW_STR("t")
	};

	if (catalog_new(&catalog, seed, '+') != PW_OK ||
	    usage_new(&usage, seed) != PW_OK ||
	    catalog_add(catalog, CATALOG_ADDRESSES,
	                (struct pw_str[]){ ann, PW_STR("mailbox") }) != PW_OK ||
	    catalog_add(catalog, CATALOG_QUOTAS, quota) != PW_OK)
		abort();
	world.catalog = catalog;
	world.usage = usage;
	usage_rebase(usage, catalog);
	talk(&world, &watches, (struct pw_str){ (const char *)data, size });
	return 0;
}
