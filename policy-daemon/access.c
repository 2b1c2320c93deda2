#include "policyd/access.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/map.h"

/* Longest who and longest pattern looked at. */
#define NAME_MAX_LEN 512

struct access {
	struct pw_arena *arena;
	struct pw_map *entries; /* who LF kind pattern -> struct access_entry */
	struct pw_map *whos;    /* who -> itself */
	bool has_bits[2][129];  /* prefix lengths there are, IPv4 and IPv6 */
};

struct key {
	char at[2 * NAME_MAX_LEN + 2];
	size_t len;
};

/* The first byte of a pattern in a key. */
enum kind {
	KIND_SENDER = 's',
	KIND_RECIPIENT = 'r',
	KIND_NETWORK = 'n',
	KIND_NAME = 'c'
};

enum pw_status access_new(struct access **out, const uint8_t seed[16])
{
	PW_AUTO(access_free) struct access *access = calloc(1, sizeof(*access));
	enum pw_status r;

	if (access == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_arena_new(&access->arena, SIZE_MAX / 2)) != PW_OK ||
	    (r = pw_map_new(&access->entries, seed, ACCESS_ROWS_MAX)) != PW_OK ||
	    (r = pw_map_new(&access->whos, seed, ACCESS_ROWS_MAX)) != PW_OK)
		return r;
	*out = PW_TAKE(access);
	return PW_OK;
}

void access_free(struct access **access)
{
	if (*access == NULL)
		return;
	pw_map_free(&(*access)->whos);
	pw_map_free(&(*access)->entries);
	pw_arena_free(&(*access)->arena);
	free(*access);
	*access = NULL;
}

/* ---- keys */

static void key_put(struct key *key, struct pw_str s)
{
	if (s.len > 0)
		memcpy(key->at + key->len, s.at, s.len);
	key->len += s.len;
}

static struct pw_str key_make(struct key *key, struct pw_str who, enum kind kind,
                              struct pw_str pattern)
{
	key->len = 0;
	key_put(key, who);
	key_put(key, PW_STR("\n"));
	key->at[key->len++] = (char)kind;
	key_put(key, pattern);
	return (struct pw_str){ key->at, key->len };
}

/* A network as bytes: family, prefix length, address without its host bits. */
struct net_text {
	char at[2 + sizeof(((struct pw_ip *)0)->bytes)];
};

static struct pw_str net_pattern(struct net_text *room, struct pw_ip ip, size_t bits)
{
	size_t whole = bits / 8;

	memset(room->at, 0, sizeof(room->at));
	room->at[0] = (char)ip.family;
	room->at[1] = (char)bits;
	memcpy(room->at + 2, ip.bytes, whole);
	if (bits % 8 != 0)
		room->at[2 + whole] =
			(char)(ip.bytes[whole] & (uint8_t)(0xff00u >> (bits % 8)));
	return (struct pw_str){ room->at, sizeof(room->at) };
}

static size_t family_place(struct pw_ip ip)
{
	return ip.family == PW_IP_V6;
}

/* ---- building */

static const struct {
	struct pw_str name;
	enum kind kind;
} kinds[] = {
	{ { "sender", 6 }, KIND_SENDER },
	{ { "recipient", 9 }, KIND_RECIPIENT },
	{ { "network", 7 }, KIND_NETWORK },
	{ { "client_name", 11 }, KIND_NAME },
};

static enum pw_status read_kind(struct pw_str text, enum kind *out)
{
	for (size_t i = 0; i < PW_LEN(kinds); i++)
		if (pw_str_eq(kinds[i].name, text)) {
			*out = kinds[i].kind;
			return PW_OK;
		}
	return PW_ERR_SYNTAX;
}

static bool is_true(struct pw_str field)
{
	return pw_str_eq(field, PW_STR("t"));
}

static enum pw_status read_entry(const struct pw_str *fields, struct access_entry *out)
{
	enum pw_status r;

	*out = (struct access_entry){
		.is_allow = pw_str_eq(fields[4], PW_STR("allow")),
		.is_dry_run = is_true(fields[10]),
		.is_for_logins = is_true(fields[6]),
		.skips_greylist = is_true(fields[7]),
		.skips_limits = is_true(fields[8]),
	};
	if (!out->is_allow && !pw_str_eq(fields[4], PW_STR("deny")))
		return PW_ERR_SYNTAX;
	if ((r = pw_str_to_int64(fields[0], INT64_MIN, INT64_MAX, &out->id)) != PW_OK)
		return r;
	return fields[9].at == NULL
	               ? PW_OK
	               : pw_str_to_int64(fields[9], 1, INT64_MAX, &out->expires_ms);
}

/* The pattern as keys have it. */
static enum pw_status read_pattern(struct access *access, struct net_text *room,
                                   enum kind kind, struct pw_str *pattern)
{
	struct pw_net net;
	enum pw_status r;

	if (pattern->len == 0 || pattern->len > NAME_MAX_LEN)
		return PW_ERR_SYNTAX;
	if (kind != KIND_NETWORK)
		return PW_OK;
	if ((r = pw_net_parse(&net, *pattern)) != PW_OK)
		return r;
	access->has_bits[family_place(net.ip)][net.bits] = true;
	*pattern = net_pattern(room, net.ip, net.bits);
	return PW_OK;
}

static enum pw_status note_who(struct access *access, struct pw_str who)
{
	struct pw_str copy;
	enum pw_status r;

	if (pw_map_get(access->whos, who) != NULL)
		return PW_OK;
	if ((r = pw_arena_copy(access->arena, who, &copy)) != PW_OK)
		return r;
	return pw_map_put(access->whos, copy, access);
}

static enum pw_status insert(struct access *access, struct pw_str key,
                             const struct access_entry *entry, struct pw_str text)
{
	struct access_entry *copy = pw_arena_alloc(access->arena, sizeof(*copy));
	enum pw_status r;

	if (copy == NULL)
		return PW_ERR_NOMEM;
	*copy = *entry;
	copy->next = pw_map_get(access->entries, key);
	if ((r = pw_arena_copy(access->arena, text, &copy->text)) != PW_OK ||
	    (r = pw_arena_copy(access->arena, key, &key)) != PW_OK)
		return r;
	return pw_map_put(access->entries, key, copy);
}

enum pw_status access_add(struct access *access, const struct pw_str *fields)
{
	struct pw_str who = fields[1], pattern = fields[3];
	struct access_entry entry;
	struct net_text room;
	struct key key;
	enum kind kind;
	enum pw_status r;

	if (who.len == 0 || who.len > NAME_MAX_LEN)
		return PW_ERR_SYNTAX;
	if ((r = read_kind(fields[2], &kind)) != PW_OK ||
	    (r = read_entry(fields, &entry)) != PW_OK ||
	    (r = read_pattern(access, &room, kind, &pattern)) != PW_OK ||
	    (r = note_who(access, who)) != PW_OK)
		return r;
	return insert(access, key_make(&key, who, kind, pattern), &entry, fields[5]);
}

bool access_is_empty(const struct access *access)
{
	return pw_map_count(access->entries) == 0;
}

/* ---- asking */

/* What the entries of one nearness say. */
struct found {
	const struct access_question *question;
	const struct access *access;
	int64_t now_ms;
	const struct access_entry *allow, *deny, *dry_run;
	bool skips_greylist, skips_limits;
};

static void note_entry(struct found *found, const struct access_entry *entry)
{
	if ((found->question->is_login && !entry->is_for_logins) ||
	    (entry->expires_ms != 0 && entry->expires_ms <= found->now_ms))
		return;
	if (entry->is_allow) {
		found->allow = entry;
		found->skips_greylist |= entry->skips_greylist;
		found->skips_limits |= entry->skips_limits;
	} else if (entry->is_dry_run) {
		found->dry_run = entry;
	} else {
		found->deny = entry;
	}
}

static void look(struct found *found, struct pw_str who, enum kind kind,
                 struct pw_str pattern)
{
	const struct access_entry *entry;
	struct key key;

	if (pattern.len == 0 || pattern.len > NAME_MAX_LEN)
		return;
	entry = pw_map_get(found->access->entries, key_make(&key, who, kind, pattern));
	for (; entry != NULL; entry = entry->next)
		note_entry(found, entry);
}

/* "@.example.org" for an address at it, or at any domain below it. */
static void look_suffixes(struct found *found, struct pw_str who, enum kind kind,
                          struct pw_str domain)
{
	char room[2 + NAME_MAX_LEN] = "@.";

	while (domain.len > 0 && domain.len <= NAME_MAX_LEN - 2) {
		memcpy(room + 2, domain.at, domain.len);
		look(found, who, kind, (struct pw_str){ room, 2 + domain.len });
		pw_str_cut(&domain, '.');
	}
}

static void look_address(struct found *found, struct pw_str who, enum kind kind,
                         struct pw_str address)
{
	size_t at = pw_str_rfind(address, '@');

	look(found, who, kind, address);
	look(found, who, kind, pw_str_sub(address, at, address.len));
	look_suffixes(found, who, kind, pw_str_sub(address, at + 1, address.len));
}

static void look_network(struct found *found, struct pw_str who, struct pw_ip ip)
{
	size_t most = ip.family == PW_IP_V4 ? 32 : 128;
	struct net_text room;

	if (ip.family == PW_IP_NONE)
		return;
	for (size_t bits = 0; bits <= most; bits++)
		if (found->access->has_bits[family_place(ip)][bits])
			look(found, who, KIND_NETWORK, net_pattern(&room, ip, bits));
}

static void look_name(struct found *found, struct pw_str who, struct pw_str name)
{
	while (name.len > 0) {
		look(found, who, KIND_NAME, name);
		pw_str_cut(&name, '.');
	}
}

/* Everything the lists of one who say. */
static void look_who(struct found *found, struct pw_str who)
{
	const struct access_question *question = found->question;

	if (who.len == 0 || pw_map_get(found->access->whos, who) == NULL)
		return;
	if (question->sender.len == 0)
		look(found, who, KIND_SENDER, PW_STR("<>"));
	else
		look_address(found, who, KIND_SENDER, question->sender);
	for (size_t i = 0; i < question->address_count; i++)
		look_address(found, who, KIND_RECIPIENT, question->addresses[i]);
	look_network(found, who, question->client);
	look_name(found, who, question->client_name);
}

/* Take over what one nearness says. True: it has decided. */
static bool take(struct access_judgement *out, const struct found *found)
{
	out->skips_greylist |= found->skips_greylist;
	out->skips_limits |= found->skips_limits;
	if (found->allow != NULL)
		return true;
	if (out->dry_run == NULL)
		out->dry_run = found->dry_run;
	out->deny = found->deny;
	return found->deny != NULL;
}

void access_judge(struct access_judgement *out, const struct access *access,
                  const struct access_question *question, int64_t now_wall_ms)
{
	static const struct pw_str everybody[] = { { "*", 1 } };
	const struct {
		const struct pw_str *whos;
		size_t count;
	} nearness[] = { { question->addresses, question->address_count },
		         { question->at_domains, question->at_domain_count },
		         { everybody, 1 } };

	*out = (struct access_judgement){ .deny = NULL };
	for (size_t i = 0; i < PW_LEN(nearness); i++) {
		struct found found = { .question = question,
			               .access = access,
			               .now_ms = now_wall_ms };

		for (size_t k = 0; k < nearness[i].count; k++)
			look_who(&found, nearness[i].whos[k]);
		if (take(out, &found))
			break;
	}
}
