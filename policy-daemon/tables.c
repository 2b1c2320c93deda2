#include "policyd/tables.h"

#include "policyd/resolve.h"

/* What an address that is not in the catalog is: in another domain it is no concern of
 * ours, and what our domains are the first table says. */
static enum tables_answer missing(const struct tables_world *world, struct pw_str address)
{
	size_t at = pw_str_rfind(address, '@');
	struct pw_str domain = pw_str_sub(address, at + 1, address.len), target;

	return world->is_fresh || !catalog_domain(world->catalog, domain, &target)
	               ? TABLES_NOT_FOUND
	               : TABLES_NOT_SURE;
}

static void put_value(struct pw_buf *out, size_t before, struct pw_str value)
{
	if (out->len > before)
		pw_buf_putc(out, ',');
	pw_buf_puts(out, value);
}

/* virtual_mailbox_domains: the domain itself. */
static enum tables_answer find_domain(struct pw_buf *out,
                                      const struct tables_world *world, struct pw_str key)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	struct pw_str target;

	if (key.len > 1 && key.at[key.len - 1] == '.')
		key.len--;
	pw_buf_put_lower(&name, key);
	if (pw_buf_status(&name) != PW_OK)
		return TABLES_NO_MEMORY;
	if (!catalog_domain(world->catalog, pw_buf_str(&name), &target))
		return world->is_fresh || world->is_foreign_sure ? TABLES_NOT_FOUND
		                                                 : TABLES_NOT_SURE;
	pw_buf_puts(out, pw_buf_str(&name));
	return TABLES_FOUND;
}

/* virtual_mailbox_maps: the mailbox. What leads on to others is in the next table. */
static enum tables_answer
find_mailbox(struct pw_buf *out, const struct tables_world *world, struct pw_str address)
{
	const struct catalog_entry *mailbox;
	struct resolve_step step;

	if (!resolve_step(&step, world->catalog, address) || step.is_catch_all)
		return missing(world, address);
	if (step.entry == NULL)
		return TABLES_NOT_FOUND;
	mailbox = resolve_mailbox(step.entry);
	if (mailbox == NULL)
		return TABLES_NOT_FOUND;
	if (mailbox->is_refused)
		return missing(world, address);
	pw_buf_puts(out, mailbox->address);
	return TABLES_FOUND;
}

/* virtual_alias_maps: all ends. A catch-all may be in the way of a mailbox that is newer
 * than the catalog. */
static enum tables_answer find_alias(struct pw_buf *out, const struct tables_world *world,
                                     struct pw_str address)
{
	struct resolve_step step;
	struct resolve_ends ends;
	size_t before = out->len;

	if (!resolve_step(&step, world->catalog, address))
		return missing(world, address);
	if (step.entry != NULL && step.entry->destinations == NULL)
		return TABLES_NOT_FOUND;
	if (resolve_ends(&ends, world->catalog, address) != PW_OK)
		return TABLES_NO_MEMORY;
	if (!ends.is_alias)
		return TABLES_NOT_FOUND;
	if (ends.count == 0 || (ends.is_by_catch_all && !world->is_fresh))
		return missing(world, address);
	for (size_t i = 0; i < ends.count; i++)
		put_value(out, before, ends.at[i]);
	return TABLES_FOUND;
}

/* An address is whose own it is: as it stands, its base, and the same in the domain that
 * its domain stands for. Then patterns give it: itself, its base, its "@domain". */
struct owners {
	const struct catalog *catalog;
	struct pw_str names[4], patterns[3];
	size_t name_count, pattern_count;
	struct pw_buf *out;
	size_t before;
};

/* Whoever may send as itself has that address. */
static bool is_own(const struct owners *o, struct pw_str name)
{
	return pw_owner_may_send(catalog_owner(o->catalog), name, name);
}

/* Has the login been told as an owner, or with one of the first so many patterns? */
static bool is_told(const struct owners *o, size_t pattern_count, struct pw_str login)
{
	const struct catalog_sender *sender;

	for (size_t i = 0; i < o->name_count; i++)
		if (pw_str_eq(o->names[i], login) && is_own(o, login))
			return true;
	for (size_t i = 0; i < pattern_count; i++)
		for (sender = catalog_senders(o->catalog, o->patterns[i]); sender != NULL;
		     sender = sender->next)
			if (pw_str_eq(sender->login, login))
				return true;
	return false;
}

static void tell(const struct owners *o)
{
	const struct catalog_sender *sender;

	for (size_t i = 0; i < o->name_count; i++)
		if (is_own(o, o->names[i]))
			put_value(o->out, o->before, o->names[i]);
	for (size_t i = 0; i < o->pattern_count; i++)
		for (sender = catalog_senders(o->catalog, o->patterns[i]); sender != NULL;
		     sender = sender->next)
			if (!is_told(o, i, sender->login))
				put_value(o->out, o->before, sender->login);
}

/* Add a name and its base, which goes into room. */
static void add_names(struct owners *o, struct pw_buf *room, struct pw_str name)
{
	o->names[o->name_count++] = name;
	if (pw_address_put_base(room, name, catalog_delimiter(o->catalog)))
		o->names[o->name_count++] = pw_buf_str(room);
}

/* smtpd_sender_login_maps: the logins whose address it is. */
static enum tables_answer
find_senders(struct pw_buf *out, const struct tables_world *world, struct pw_str address)
{
	PW_AUTO(pw_buf_done) struct pw_buf base = { 0 }, renamed = { 0 }, third = { 0 };
	size_t at = pw_str_rfind(address, '@');
	struct owners o = { .catalog = world->catalog, .out = out, .before = out->len };
	struct pw_str target;

	add_names(&o, &base, address);
	for (size_t i = 0; i < o.name_count; i++)
		o.patterns[o.pattern_count++] = o.names[i];
	o.patterns[o.pattern_count++] = pw_str_sub(address, at, address.len);
	if (catalog_domain(o.catalog, pw_str_sub(address, at + 1, address.len),
	                   &target) &&
	    target.len > 0) {
		pw_buf_puts(&renamed, pw_str_sub(address, 0, at + 1));
		pw_buf_puts(&renamed, target);
		add_names(&o, &third, pw_buf_str(&renamed));
	}
	if (pw_buf_status(&base) != PW_OK || pw_buf_status(&renamed) != PW_OK ||
	    pw_buf_status(&third) != PW_OK)
		return TABLES_NO_MEMORY;
	tell(&o);
	return out->len > o.before ? TABLES_FOUND : missing(world, address);
}

/* clang-format off */
static const struct table {
	struct pw_str name;
	bool is_of_addresses;
	enum tables_answer (*find)(struct pw_buf *out, const struct tables_world *world,
	                           struct pw_str key);
} tables[] = {
	{ { "domains", 7 },   false, find_domain },
	{ { "mailboxes", 9 }, true,  find_mailbox },
	{ { "aliases", 7 },   true,  find_alias },
	{ { "senders", 7 },   true,  find_senders },
};
/* clang-format on */

/* What is no address is in no table: a domain, a user's name, "@domain". */
static enum tables_answer find(struct pw_buf *out, const struct tables_world *world,
                               const struct table *table, struct pw_str key)
{
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };
	enum pw_status r = PW_OK;

	if (world->catalog == NULL)
		return TABLES_NO_DATA;
	if (!table->is_of_addresses)
		return table->find(out, world, key);
	if ((r = pw_address_normalise(&address, key)) == PW_OK)
		return table->find(out, world, pw_buf_str(&address));
	return r == PW_ERR_NOMEM ? TABLES_NO_MEMORY : TABLES_NOT_FOUND;
}

enum tables_answer tables_look_up(struct pw_buf *out, const struct tables_world *world,
                                  struct pw_str table, struct pw_str key)
{
	enum tables_answer answer = TABLES_NO_TABLE;

	for (size_t i = 0; i < PW_LEN(tables) && answer == TABLES_NO_TABLE; i++)
		if (pw_str_eq(table, tables[i].name))
			answer = find(out, world, &tables[i], key);
	return pw_buf_status(out) == PW_OK ? answer : TABLES_NO_MEMORY;
}
