#include "policyd/resolve.h"

#include <string.h>

#include "core/address.h"

static void add_mailbox(struct resolve_result *out, const struct catalog_entry *entry)
{
	for (size_t i = 0; i < out->count; i++)
		if (out->mailboxes[i] == entry)
			return;
	if (out->count < RESOLVE_MAILBOXES_MAX)
		out->mailboxes[out->count++] = entry;
	else
		out->is_cut = true;
}

static void follow(struct resolve_result *out, const struct catalog *catalog,
                   struct pw_str address, unsigned int depth);

/* An alias names addresses; naming itself means the mailbox of that name. */
static bool take_entry(struct resolve_result *out, const struct catalog *catalog,
                       struct pw_str address, unsigned int depth)
{
	const struct catalog_entry *entry = catalog_find(catalog, address);

	if (entry == NULL)
		return false;
	if (entry->destinations == NULL) {
		if (entry->is_mailbox)
			add_mailbox(out, entry);
		return entry->is_mailbox;
	}
	for (const struct catalog_destination *to = entry->destinations; to != NULL;
	     to = to->next) {
		if (!pw_str_eq(to->address, address))
			follow(out, catalog, to->address, depth + 1);
		else if (entry->is_mailbox)
			add_mailbox(out, entry);
	}
	return true;
}

/* Put local and "@domain" together; local parts that must be quoted are not put apart
 * here, since all text is in normal form. False: too long. */
static bool join(char room[PW_ADDRESS_MAX + 1], struct pw_str local, struct pw_str domain,
                 struct pw_str *out)
{
	if (local.len + 1 + domain.len > PW_ADDRESS_MAX)
		return false;
	memcpy(room, local.at, local.len);
	room[local.len] = '@';
	memcpy(room + local.len + 1, domain.at, domain.len);
	*out = (struct pw_str){ room, local.len + 1 + domain.len };
	return true;
}

static void follow(struct resolve_result *out, const struct catalog *catalog,
                   struct pw_str address, unsigned int depth)
{
	size_t at = pw_str_rfind(address, '@');
	struct pw_str local = pw_str_sub(address, 0, at), base = local, target;
	struct pw_str domain = pw_str_sub(address, at + 1, address.len), other;
	char room[PW_ADDRESS_MAX + 1];

	if (depth > RESOLVE_DEPTH_MAX || ++out->steps > RESOLVE_STEPS_MAX) {
		out->is_cut = true;
		return;
	}
	if (local.len == 0)
		return;
	if (take_entry(out, catalog, address, depth))
		return;
	if (catalog_delimiter(catalog) != '\0' && local.at[0] != '"')
		base = pw_address_base(local, catalog_delimiter(catalog));
	if (base.len < local.len && join(room, base, domain, &other) &&
	    take_entry(out, catalog, other, depth))
		return;
	if (catalog_domain(catalog, domain, &target) && target.len > 0) {
		if (join(room, local, target, &other))
			follow(out, catalog, other, depth + 1);
		return;
	}
	take_entry(out, catalog, pw_str_sub(address, at, address.len), depth);
}

void resolve(struct resolve_result *out, const struct catalog *catalog,
             struct pw_str address)
{
	*out = (struct resolve_result){ .count = 0 };
	follow(out, catalog, address, 0);
}
