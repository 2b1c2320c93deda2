#include "mail/own_maps.h"

#include <stdlib.h>
#include <string.h>

#include "core/map.h"
#include "mail/checks.h"

#define ARENA_BYTES ((size_t)512 * 1024 * 1024)

enum property {
	PROPERTY_CLIENT,
	PROPERTY_NAME,
	PROPERTY_HELO,
	PROPERTY_SENDER,
	PROPERTY_FROM,
	PROPERTY_RECIPIENT,
	PROPERTIES
};

struct list {
	unsigned symbol;
	enum property property;
	bool wants_auth;
};

/* Lists that have the same entry. */
struct member {
	const struct list *list;
	struct member *next;
};

/* All entries are in one table, whose keys begin with the property: what a message costs
 * does not depend on how many lists there are. Networks are asked for once a length of
 * prefix that occurs. */
struct pw_own_maps {
	struct pw_arena *arena;
	struct pw_map *lists;   /* by name */
	struct pw_map *entries; /* struct member */
	bool has_bits[2][129];  /* IPv4, IPv6 */
};

/* ---- making */

enum pw_status pw_own_maps_new(struct pw_own_maps **out)
{
	/* Admins write the entries themselves: nobody gains from colliding ones. */
	static const uint8_t seed[16] = "postward-maps";
	PW_AUTO(pw_own_maps_free) struct pw_own_maps *maps = calloc(1, sizeof(*maps));
	enum pw_status r;

	if (maps == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_arena_new(&maps->arena, ARENA_BYTES)) != PW_OK ||
	    (r = pw_map_new(&maps->lists, seed, PW_OWN_MAPS_MAX)) != PW_OK ||
	    (r = pw_map_new(&maps->entries, seed, PW_OWN_MAP_ENTRIES_MAX)) != PW_OK)
		return r;
	*out = PW_TAKE(maps);
	return PW_OK;
}

void pw_own_maps_free(struct pw_own_maps **maps)
{
	if (*maps == NULL)
		return;
	pw_map_free(&(*maps)->lists);
	pw_map_free(&(*maps)->entries);
	pw_arena_free(&(*maps)->arena);
	free(*maps);
	*maps = NULL;
}

static enum pw_status read_property(enum property *out, struct pw_str word)
{
	static const char *const words[PROPERTIES] = {
		[PROPERTY_CLIENT] = "client", [PROPERTY_NAME] = "name",
		[PROPERTY_HELO] = "helo",     [PROPERTY_SENDER] = "sender",
		[PROPERTY_FROM] = "from",     [PROPERTY_RECIPIENT] = "recipient",
	};

	for (int p = 0; p < PROPERTIES; p++)
		if (pw_str_eq(word, pw_str_from(words[p]))) {
			*out = (enum property)p;
			return PW_OK;
		}
	return PW_ERR_SYNTAX;
}

static enum pw_status make_list(struct list *out, const struct pw_weights *weights,
                                struct pw_str name, struct pw_str property,
                                struct pw_buf *why_out)
{
	if (pw_weights_find(weights, name, &out->symbol) != PW_OK) {
		pw_buf_printf(why_out, "more than %d symbols", PW_OWN_SYMBOLS_MAX);
		return PW_ERR_LIMIT;
	}
	if (out->symbol < PW_SYMBOLS) {
		pw_buf_puts(why_out, PW_STR("a built-in symbol has that name"));
		return PW_ERR_SYNTAX;
	}
	if (read_property(&out->property, property) != PW_OK) {
		pw_buf_puts(why_out, PW_STR("no such property"));
		return PW_ERR_SYNTAX;
	}
	return PW_OK;
}

enum pw_status pw_own_maps_add(struct pw_own_maps *maps, const struct pw_weights *weights,
                               struct pw_str name, struct pw_str property,
                               bool wants_auth, struct pw_buf *why_out)
{
	struct list *list = pw_arena_alloc(maps->arena, sizeof(*list));
	enum pw_status r;

	if (list == NULL)
		return PW_ERR_NOMEM;
	if ((r = make_list(list, weights, name, property, why_out)) != PW_OK ||
	    (r = pw_arena_copy(maps->arena, name, &name)) != PW_OK)
		return r;
	list->wants_auth = wants_auth;
	return pw_map_put(maps->lists, name, list);
}

static void put_key(struct pw_buf *out, enum property property, struct pw_str text)
{
	pw_buf_putc(out, (char)('0' + property));
	pw_buf_put_lower(out, text);
}

/* Host bits cleared. */
static void put_net_key(struct pw_buf *out, struct pw_ip ip, unsigned bits)
{
	size_t bytes = ip.family == PW_IP_V4 ? 4 : 16;

	pw_buf_putc(out, (char)('0' + PROPERTY_CLIENT));
	pw_buf_putc(out, (char)ip.family);
	pw_buf_putc(out, (char)bits);
	for (size_t i = 0; i < bytes && i * 8 < bits; i++) {
		unsigned left = bits - (unsigned)i * 8;
		unsigned mask = left >= 8 ? 0xff : 0xff00u >> left;

		pw_buf_putc(out, (char)(ip.bytes[i] & mask));
	}
}

static enum pw_status put_entry_key(struct pw_buf *out, struct pw_own_maps *maps,
                                    enum property property, struct pw_str entry)
{
	struct pw_net net;
	enum pw_status r;

	if (property != PROPERTY_CLIENT) {
		put_key(out, property, entry);
		return pw_buf_status(out);
	}
	if ((r = pw_net_parse(&net, entry)) != PW_OK)
		return PW_ERR_SYNTAX;
	put_net_key(out, net.ip, net.bits);
	maps->has_bits[net.ip.family == PW_IP_V6][net.bits] = true;
	return pw_buf_status(out);
}

enum pw_status pw_own_maps_put(struct pw_own_maps *maps, struct pw_str name,
                               struct pw_str entry)
{
	PW_AUTO(pw_buf_done) struct pw_buf key = { 0 };
	const struct list *list = pw_map_get(maps->lists, name);
	struct member *member;
	struct pw_str copy;
	enum pw_status r;

	if (list == NULL)
		return PW_ERR_NOTFOUND;
	if ((r = put_entry_key(&key, maps, list->property, entry)) != PW_OK ||
	    (r = pw_arena_copy(maps->arena, pw_buf_str(&key), &copy)) != PW_OK)
		return r;
	if ((member = pw_arena_alloc(maps->arena, sizeof(*member))) == NULL)
		return PW_ERR_NOMEM;
	member->list = list;
	member->next = pw_map_get(maps->entries, copy);
	return pw_map_put(maps->entries, copy, member);
}

/* ---- looking up */

static bool is_authentic(const struct pw_check *c, enum property property)
{
	if (c->auth == NULL)
		return false;
	if (property == PROPERTY_SENDER)
		return c->auth->has_spf && !c->auth->is_spf_helo &&
		       c->auth->spf.result == PW_SPF_PASS;
	return c->auth->dmarc.result == PW_DMARC_PASS;
}

static void fire(const struct pw_check *c, struct pw_str key, struct pw_str evidence)
{
	const struct member *m = pw_map_get(c->own_maps->entries, key);

	for (; m != NULL; m = m->next)
		if (!m->list->wants_auth || is_authentic(c, m->list->property))
			pw_hits_add(c->hits, m->list->symbol, 1000, evidence);
}

/* evidence is borrowed */
static void look_up(const struct pw_check *c, enum property property, struct pw_str text,
                    struct pw_str evidence)
{
	char room[PW_ADDRESS_MAX + 8];
	struct pw_buf key = PW_BUF_IN(room);

	put_key(&key, property, text);
	if (pw_buf_status(&key) == PW_OK)
		fire(c, pw_buf_str(&key), evidence);
	pw_buf_done(&key);
}

/* "example.org" is that alone, ".example.org" what is below it. */
static void look_up_domain(const struct pw_check *c, enum property property,
                           struct pw_str domain)
{
	struct pw_str rest = domain;

	if (domain.len == 0 || domain.len > PW_DOMAIN_MAX)
		return;
	look_up(c, property, domain, domain);
	for (size_t dot = pw_str_find(rest, '.'); dot < rest.len;
	     dot = pw_str_find(rest, '.')) {
		rest = pw_str_sub(rest, dot, rest.len);
		look_up(c, property, rest, domain);
		rest = pw_str_sub(rest, 1, rest.len);
	}
}

static void look_up_mailbox(const struct pw_check *c, enum property property,
                            const struct pw_mailbox *mailbox)
{
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 }, base = { 0 };
	struct pw_str evidence;

	if (mailbox->domain.len == 0)
		return;
	pw_address_put(&address, mailbox);
	if (pw_arena_copy(c->arena, pw_buf_str(&address), &evidence) != PW_OK)
		return;
	look_up(c, property, evidence, evidence);
	if (property == PROPERTY_RECIPIENT && pw_address_put_base(&base, evidence, '+'))
		look_up(c, property, pw_buf_str(&base), evidence);
	look_up_domain(c, property, mailbox->domain);
}

static void look_up_client(const struct pw_check *c)
{
	struct pw_ip ip = pw_ip_unmap(c->envelope->origin.address);
	bool is_v6 = ip.family == PW_IP_V6;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_str evidence;

	if (ip.family == PW_IP_NONE)
		return;
	pw_ip_put(&text, ip);
	if (pw_arena_copy(c->arena, pw_buf_str(&text), &evidence) != PW_OK)
		return;
	for (unsigned bits = 0; bits <= (is_v6 ? 128 : 32); bits++) {
		char room[32];
		struct pw_buf key = PW_BUF_IN(room);

		if (!c->own_maps->has_bits[is_v6][bits])
			continue;
		put_net_key(&key, ip, bits);
		if (pw_buf_status(&key) == PW_OK)
			fire(c, pw_buf_str(&key), evidence);
		pw_buf_done(&key);
	}
}

void pw_check_own_maps(const struct pw_check *c)
{
	const struct pw_envelope *e = c->envelope;

	if (c->own_maps == NULL || pw_map_count(c->own_maps->entries) == 0)
		return;
	look_up_client(c);
	if (e->origin.name_state == PW_NAME_KNOWN)
		look_up_domain(c, PROPERTY_NAME, e->origin.name);
	look_up_domain(c, PROPERTY_HELO, e->origin.helo);
	if (e->has_sender)
		look_up_mailbox(c, PROPERTY_SENDER, &e->sender);
	if (c->message->has_from)
		look_up_mailbox(c, PROPERTY_FROM, &c->message->from);
	for (size_t i = 0; i < e->recipient_count; i++)
		look_up_mailbox(c, PROPERTY_RECIPIENT, &e->recipients[i]);
}
