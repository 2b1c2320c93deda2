#include "policyd/usage.h"

#include <stdlib.h>
#include <string.h>

#include "core/map.h"

struct entry {
	struct usage_entry public;
	char user[];
};

struct usage {
	struct pw_map *entries;
	struct usage_entry *changed;
};

enum pw_status usage_new(struct usage **out, const uint8_t seed[16])
{
	PW_AUTO(usage_free) struct usage *usage = calloc(1, sizeof(*usage));
	enum pw_status r;

	if (usage == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_map_new(&usage->entries, seed, USAGE_USERS_MAX)) != PW_OK)
		return r;
	*out = PW_TAKE(usage);
	return PW_OK;
}

void usage_free(struct usage **usage)
{
	struct pw_str key;
	void *entry;
	size_t pos = 0;

	if (*usage == NULL)
		return;
	if ((*usage)->entries != NULL)
		while (pw_map_next((*usage)->entries, &pos, &key, &entry))
			free(entry);
	pw_map_free(&(*usage)->entries);
	free(*usage);
	*usage = NULL;
}

static enum pw_status insert(struct usage *usage, struct entry **out, struct pw_str user)
{
	struct entry *entry = calloc(1, sizeof(*entry) + user.len + 1);
	enum pw_status r;

	if (entry == NULL)
		return PW_ERR_NOMEM;
	if (user.len > 0)
		memcpy(entry->user, user.at, user.len);
	entry->public.user = (struct pw_str){ entry->user, user.len };
	if ((r = pw_map_put(usage->entries, entry->public.user, entry)) != PW_OK) {
		free(entry);
		return r;
	}
	*out = entry;
	return PW_OK;
}

static int64_t clamp(int64_t n)
{
	if (n < 0)
		return 0;
	return n > USAGE_NUMBER_MAX ? USAGE_NUMBER_MAX : n;
}

enum pw_status usage_set(struct usage *usage, struct pw_str user, int64_t bytes,
                         int64_t messages)
{
	struct entry *entry = pw_map_get(usage->entries, user);
	enum pw_status r;

	if (entry == NULL && (r = insert(usage, &entry, user)) != PW_OK)
		return r;
	entry->public.bytes = clamp(bytes);
	entry->public.messages = clamp(messages);
	if (!entry->public.is_changed) {
		entry->public.is_changed = true;
		entry->public.next_changed = usage->changed;
		usage->changed = &entry->public;
	}
	return PW_OK;
}

const struct usage_entry *usage_find(const struct usage *usage, struct pw_str user)
{
	const struct entry *entry = pw_map_get(usage->entries, user);

	return entry != NULL ? &entry->public : NULL;
}

const struct usage_entry *usage_next_changed(struct usage *usage)
{
	struct usage_entry *entry = usage->changed;

	if (entry != NULL) {
		usage->changed = entry->next_changed;
		entry->is_changed = false;
	}
	return entry;
}
