#include "policyd/posting.h"

#include <stdlib.h>

#include "core/arena.h"
#include "core/map.h"
#include "policyd/resolve.h"

struct posting {
	struct pw_arena *arena;
	struct pw_map *rights; /* alias -> struct posting_right */
};

enum pw_status posting_new(struct posting **out, const uint8_t seed[16])
{
	PW_AUTO(posting_free) struct posting *posting = calloc(1, sizeof(*posting));
	enum pw_status r;

	if (posting == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_arena_new(&posting->arena, SIZE_MAX / 2)) != PW_OK ||
	    (r = pw_map_new(&posting->rights, seed, POSTING_ROWS_MAX)) != PW_OK)
		return r;
	*out = PW_TAKE(posting);
	return PW_OK;
}

void posting_free(struct posting **posting)
{
	if (*posting == NULL)
		return;
	pw_map_free(&(*posting)->rights);
	pw_arena_free(&(*posting)->arena);
	free(*posting);
	*posting = NULL;
}

/* ---- building */

static const struct pw_str levels[] = {
	[POSTING_DOMAIN] = { "domain", 6 },
	[POSTING_MEMBERS] = { "members", 7 },
	[POSTING_MODERATORS] = { "moderators", 10 },
};

static enum pw_status read_level(struct pw_str text, enum posting_level *out)
{
	for (size_t i = 0; i < PW_LEN(levels); i++)
		if (pw_str_eq(levels[i], text)) {
			*out = (enum posting_level)i;
			return PW_OK;
		}
	return PW_ERR_SYNTAX;
}

static enum pw_status add_moderators(struct posting *posting, struct pw_str lines,
                                     struct posting_right *right)
{
	while (lines.len > 0) {
		struct pw_str who = pw_str_cut(&lines, '\n');
		struct posting_moderator *moderator =
			pw_arena_alloc(posting->arena, sizeof(*moderator));

		if (moderator == NULL ||
		    pw_arena_copy(posting->arena, who, &moderator->who) != PW_OK)
			return PW_ERR_NOMEM;
		moderator->next = right->moderators;
		right->moderators = moderator;
	}
	return PW_OK;
}

enum pw_status posting_add(struct posting *posting, const struct pw_str *fields)
{
	struct posting_right *right = pw_arena_alloc(posting->arena, sizeof(*right));
	enum pw_status r;

	if (right == NULL)
		return PW_ERR_NOMEM;
	right->trusts_sender = pw_str_eq(fields[3], PW_STR("t"));
	right->is_dry_run = pw_str_eq(fields[5], PW_STR("t"));
	if (pw_str_find(fields[0], '@') == fields[0].len)
		return PW_ERR_SYNTAX;
	if ((r = read_level(fields[1], &right->level)) != PW_OK ||
	    (r = pw_str_to_int64(fields[6], INT64_MIN, INT64_MAX, &right->id)) != PW_OK ||
	    (r = pw_arena_copy(posting->arena, fields[0], &right->alias)) != PW_OK ||
	    (r = pw_arena_copy(posting->arena, fields[4], &right->text)) != PW_OK ||
	    (r = add_moderators(posting, fields[2], right)) != PW_OK)
		return r;
	return pw_map_put(posting->rights, right->alias, right);
}

bool posting_is_empty(const struct posting *posting)
{
	return pw_map_count(posting->rights) == 0;
}

const struct posting_right *posting_find(const struct posting *posting,
                                         struct pw_str address)
{
	return pw_map_get(posting->rights, address);
}

/* ---- asking */

static struct pw_str domain_of(struct pw_str address)
{
	return pw_str_sub(address, pw_str_rfind(address, '@') + 1, address.len);
}

static bool is_moderator(const struct posting_right *right, struct pw_str who)
{
	struct pw_str at_domain = pw_str_sub(who, pw_str_rfind(who, '@'), who.len);

	for (const struct posting_moderator *m = right->moderators; m != NULL;
	     m = m->next)
		if (pw_str_eq(m->who, who) || pw_str_eq(m->who, at_domain))
			return true;
	return false;
}

/* An alias domain is another name of its target. */
static bool is_of_domain(const struct posting_right *right, const struct catalog *catalog,
                         struct pw_str who)
{
	struct pw_str domain = domain_of(who), target;

	if (catalog_domain(catalog, domain, &target) && target.len > 0)
		domain = target;
	return pw_str_eq(domain, domain_of(right->alias));
}

/* Walks what an alias names, as far as it is written out: remote members, and addresses
 * that stand for mailboxes in another way, are met by their names. */
struct walk {
	const struct catalog *catalog;
	struct pw_str who;
	size_t steps;
};

static bool is_named(struct walk *walk, struct pw_str address, unsigned int depth)
{
	const struct catalog_entry *entry = catalog_find(walk->catalog, address);

	if (entry == NULL || depth > RESOLVE_DEPTH_MAX)
		return false;
	for (const struct catalog_destination *to = entry->destinations; to != NULL;
	     to = to->next) {
		if (pw_str_eq(to->address, walk->who))
			return true;
		/* out of steps: nobody is refused for what cannot be known */
		if (++walk->steps > POSTING_STEPS_MAX)
			return true;
		if (!pw_str_eq(to->address, address) &&
		    is_named(walk, to->address, depth + 1))
			return true;
	}
	return false;
}

static bool is_member(const struct posting_right *right, const struct catalog *catalog,
                      struct pw_str who)
{
	struct walk walk = { catalog, who, 0 };
	struct resolve_result found;

	resolve(&found, catalog, right->alias);
	for (size_t i = 0; i < found.count; i++)
		if (pw_str_eq(found.mailboxes[i]->address, who))
			return true;
	return is_named(&walk, right->alias, 0);
}

static bool may(const struct posting_right *right, const struct catalog *catalog,
                struct pw_str who)
{
	if (who.len == 0)
		return false;
	if (is_moderator(right, who))
		return true;
	switch (right->level) {
	case POSTING_DOMAIN:
		return is_of_domain(right, catalog, who);
	case POSTING_MEMBERS:
		return is_member(right, catalog, who);
	case POSTING_MODERATORS:
		break;
	}
	return false;
}

bool posting_may(const struct posting_right *right, const struct catalog *catalog,
                 const struct posting_writer *writer)
{
	if (writer->login.len == 0 && !right->trusts_sender)
		return false;
	return may(right, catalog, writer->login) || may(right, catalog, writer->sender);
}
