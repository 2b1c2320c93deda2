#include "policyd/usage.h"

#include <stdlib.h>
#include <string.h>

#include "core/map.h"

/* Mailboxes we have heard of, of one domain. The sum is what they say now less what the
 * catalog says of the same: the catalog's own sum of the whole domain goes on top. */
struct domain {
	struct pw_str name;
	struct entry *first;
	uint64_t more;     /* bytes; wraps below zero */
	uint64_t rebasing; /* of the table when `more` was summed up */
	char text[];
};

struct entry {
	struct usage_entry public;
	struct domain *domain;
	struct entry *previous, *next; /* of the table */
	struct entry *domain_previous, *domain_next;
	char user[];
};

struct usage {
	struct pw_map *entries, *domains;
	const struct catalog *catalog;
	struct entry *first, *sweep_at;
	struct usage_entry *changed;
	uint64_t rebasing;
};

enum pw_status usage_new(struct usage **out, const uint8_t seed[16])
{
	PW_AUTO(usage_free) struct usage *usage = calloc(1, sizeof(*usage));
	enum pw_status r;

	if (usage == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_map_new(&usage->entries, seed, USAGE_USERS_MAX)) != PW_OK ||
	    (r = pw_map_new(&usage->domains, seed, USAGE_USERS_MAX)) != PW_OK)
		return r;
	*out = PW_TAKE(usage);
	return PW_OK;
}

static void free_values(struct pw_map *map)
{
	struct pw_str key;
	void *value;
	size_t pos = 0;

	while (map != NULL && pw_map_next(map, &pos, &key, &value))
		free(value);
}

void usage_free(struct usage **usage)
{
	if (*usage == NULL)
		return;
	free_values((*usage)->entries);
	free_values((*usage)->domains);
	pw_map_free(&(*usage)->entries);
	pw_map_free(&(*usage)->domains);
	free(*usage);
	*usage = NULL;
}

void usage_rebase(struct usage *usage, const struct catalog *catalog)
{
	usage->catalog = catalog;
	usage->rebasing++;
	usage->sweep_at = usage->first;
}

/* ---- sums of domains */

static uint64_t share_of(int64_t bytes)
{
	return (uint64_t)(bytes < CATALOG_SHARE_MAX ? bytes : CATALOG_SHARE_MAX);
}

/* What an entry adds to what the catalog says of its mailbox; a mailbox that is gone, as
 * an address for mail, adds nothing. */
static uint64_t more_of(const struct usage *usage, const struct entry *entry)
{
	const struct catalog_entry *mailbox =
		usage->catalog != NULL ? catalog_find(usage->catalog, entry->public.user)
				       : NULL;

	if (mailbox == NULL || !mailbox->is_mailbox)
		return 0;
	return share_of(entry->public.count.bytes) - share_of(mailbox->used_bytes);
}

static void sum_up(const struct usage *usage, struct domain *domain)
{
	if (domain->rebasing == usage->rebasing)
		return;
	domain->rebasing = usage->rebasing;
	domain->more = 0;
	for (struct entry *entry = domain->first; entry != NULL;
	     entry = entry->domain_next)
		domain->more += more_of(usage, entry);
}

int64_t usage_domain_bytes(struct usage *usage, const struct catalog_quota_domain *domain)
{
	struct domain *told = pw_map_get(usage->domains, domain->name);
	uint64_t sum = domain->used_bytes;

	if (told != NULL) {
		sum_up(usage, told);
		sum += told->more;
	}
	return (int64_t)sum > 0 ? (int64_t)sum : 0;
}

/* ---- entries */

static enum pw_status find_or_make_domain(struct usage *usage, struct domain **out,
                                          struct pw_str user)
{
	struct pw_str name = pw_str_sub(user, pw_str_rfind(user, '@') + 1, user.len);
	struct domain *domain = pw_map_get(usage->domains, name);
	enum pw_status r;

	if (domain == NULL) {
		if ((domain = calloc(1, sizeof(*domain) + name.len + 1)) == NULL)
			return PW_ERR_NOMEM;
		memcpy(domain->text, name.len > 0 ? name.at : "", name.len);
		domain->name = (struct pw_str){ domain->text, name.len };
		if ((r = pw_map_put(usage->domains, domain->name, domain)) != PW_OK) {
			free(domain);
			return r;
		}
	}
	*out = domain;
	return PW_OK;
}

static void link_entry(struct usage *usage, struct entry *entry, struct domain *domain)
{
	entry->domain = domain;
	entry->next = usage->first;
	entry->domain_next = domain->first;
	if (entry->next != NULL)
		entry->next->previous = entry;
	if (entry->domain_next != NULL)
		entry->domain_next->domain_previous = entry;
	usage->first = domain->first = entry;
}

static void drop_entry(struct usage *usage, struct entry *entry)
{
	*(entry->previous != NULL ? &entry->previous->next : &usage->first) = entry->next;
	*(entry->domain_previous != NULL ? &entry->domain_previous->domain_next
	                                 : &entry->domain->first) = entry->domain_next;
	if (entry->next != NULL)
		entry->next->previous = entry->previous;
	if (entry->domain_next != NULL)
		entry->domain_next->domain_previous = entry->domain_previous;
	(void)pw_map_take(usage->entries, entry->public.user);
	free(entry);
}

static enum pw_status insert(struct usage *usage, struct entry **out,
                             const struct catalog_entry *mailbox)
{
	struct pw_str user = mailbox->address;
	struct domain *domain;
	struct entry *entry;
	enum pw_status r;

	if ((r = find_or_make_domain(usage, &domain, user)) != PW_OK)
		return r;
	if ((entry = calloc(1, sizeof(*entry) + user.len + 1)) == NULL)
		return PW_ERR_NOMEM;
	memcpy(entry->user, user.len > 0 ? user.at : "", user.len);
	entry->public.user = (struct pw_str){ entry->user, user.len };
	entry->public.count.bytes = mailbox->used_bytes;
	entry->public.count.messages = mailbox->used_messages;
	entry->public.warned_percent = mailbox->warned_percent;
	if ((r = pw_map_put(usage->entries, entry->public.user, entry)) != PW_OK) {
		free(entry);
		return r;
	}
	link_entry(usage, entry, domain);
	*out = entry;
	return PW_OK;
}

static int64_t clamp(int64_t n)
{
	if (n < 0)
		return 0;
	return n > USAGE_NUMBER_MAX ? USAGE_NUMBER_MAX : n;
}

static void put_changed(struct usage *usage, struct usage_entry *entry)
{
	if (entry->is_changed)
		return;
	entry->is_changed = true;
	entry->next_changed = usage->changed;
	usage->changed = entry;
}

enum pw_status usage_set(struct usage *usage, const struct catalog_entry *mailbox,
                         const struct usage_count *count)
{
	struct entry *entry = pw_map_get(usage->entries, mailbox->address);
	struct usage_count *known;
	enum pw_status r;

	if (entry == NULL && (r = insert(usage, &entry, mailbox)) != PW_OK)
		return r;
	known = &entry->public.count;
	if (count->began_us < known->began_us)
		return PW_OK;
	sum_up(usage, entry->domain); /* with what was known */
	entry->domain->more -= share_of(known->bytes);
	*known = (struct usage_count){ clamp(count->bytes), clamp(count->messages),
		                       count->began_us };
	entry->domain->more += share_of(known->bytes);
	put_changed(usage, &entry->public);
	return PW_OK;
}

const struct usage_entry *usage_find(const struct usage *usage, struct pw_str user)
{
	const struct entry *entry = pw_map_get(usage->entries, user);

	return entry != NULL ? &entry->public : NULL;
}

struct usage_entry *usage_next_changed(struct usage *usage)
{
	struct usage_entry *entry = usage->changed;

	if (entry != NULL) {
		usage->changed = entry->next_changed;
		entry->is_changed = false;
	}
	return entry;
}

static bool is_gone(const struct usage *usage, const struct entry *entry)
{
	const struct catalog_entry *mailbox =
		catalog_find(usage->catalog, entry->public.user);

	return !entry->public.is_changed && (mailbox == NULL || !mailbox->is_mailbox);
}

void usage_sweep(struct usage *usage, size_t steps)
{
	struct entry *next;

	if (usage->catalog == NULL)
		return;
	for (; usage->sweep_at != NULL && steps > 0; usage->sweep_at = next, steps--) {
		next = usage->sweep_at->next;
		if (is_gone(usage, usage->sweep_at))
			drop_entry(usage, usage->sweep_at);
	}
}
