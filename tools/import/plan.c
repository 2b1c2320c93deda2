#include "tools/import/plan.h"

#include "core/address.h"
#include "tools/import/value.h"

#define PLAN_MAX ((size_t)1024 * 1024 * 1024)
#define NAMES_MAX 10000000

static const char *const kind_texts[IMPORT_KINDS] = {
	[IMPORT_DOMAIN] = "domain",
	[IMPORT_ALIAS_DOMAIN] = "alias domain",
	[IMPORT_USER] = "mailbox",
	[IMPORT_ALIAS] = "alias",
	[IMPORT_PERMISSION] = "sender permission",
};

enum pw_status import_plan_init(struct import_plan *plan, const uint8_t seed[16])
{
	enum pw_status r;

	*plan = (struct import_plan){ 0 };
	for (size_t i = 0; i < IMPORT_KINDS; i++)
		plan->ends[i] = &plan->rows[i];
	plan->skipped.end = &plan->skipped.first;
	plan->locked.end = &plan->locked.first;
	if ((r = pw_arena_new(&plan->arena, PLAN_MAX)) != PW_OK ||
	    (r = pw_map_new(&plan->users, seed, NAMES_MAX)) != PW_OK)
		return r;
	return pw_map_new(&plan->domains, seed, NAMES_MAX);
}

void import_plan_done(struct import_plan *plan)
{
	pw_map_free(&plan->domains);
	pw_map_free(&plan->users);
	pw_arena_free(&plan->arena);
}

const char *import_kind_text(enum import_kind kind)
{
	return kind_texts[kind];
}

static void keep_status(struct import_plan *plan, enum pw_status r)
{
	if (plan->status == PW_OK)
		plan->status = r;
}

void import_note(struct import_plan *plan, struct import_notes *notes,
                 struct import_place place, struct pw_str what, struct pw_str why)
{
	struct import_note *note = pw_arena_alloc(plan->arena, sizeof(*note));

	if (note == NULL) {
		keep_status(plan, PW_ERR_NOMEM);
		return;
	}
	*note = (struct import_note){ place, import_copy(plan, what),
		                      import_copy(plan, why), NULL };
	*notes->end = note;
	notes->end = &note->next;
	notes->count++;
}

void import_skip(struct import_plan *plan, struct import_place place, struct pw_str what,
                 const char *why)
{
	import_note(plan, &plan->skipped, place, what, pw_str_from(why));
}

/* A domain, an address, or @domain where a pattern may stand. */
static bool put_name(struct pw_buf *out, struct pw_str text, bool is_domain,
                     bool may_be_pattern)
{
	text = pw_str_trim(text);
	if (may_be_pattern && text.len > 0 && text.at[0] == '@') {
		pw_buf_putc(out, '@');
		text = pw_str_sub(text, 1, text.len);
		is_domain = true;
	}
	if (!is_domain)
		return pw_address_normalise(out, text) == PW_OK;
	if (text.len > 1 && text.at[text.len - 1] == '.')
		text.len--;
	if (!pw_domain_is_valid(text))
		return false;
	pw_buf_put_lower(out, text);
	return true;
}

static bool is_domain_kind(enum import_kind kind)
{
	return kind == IMPORT_DOMAIN || kind == IMPORT_ALIAS_DOMAIN;
}

static bool take_name(struct import_plan *plan, struct import_place place,
                      struct pw_str text, bool is_domain, bool may_be_pattern,
                      struct pw_str *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };

	if (!put_name(&name, text, is_domain, may_be_pattern)) {
		import_skip(plan, place, text,
		            is_domain ? "is no domain name" : "is no mail address");
		return false;
	}
	keep_status(plan, pw_buf_status(&name));
	*out = import_copy(plan, pw_buf_str(&name));
	return plan->status == PW_OK;
}

static struct pw_map *map_of(const struct import_plan *plan, enum import_kind kind)
{
	return kind == IMPORT_USER     ? plan->users
	       : kind == IMPORT_DOMAIN ? plan->domains
	                               : NULL;
}

/* Mailboxes and domains are known by their name. */
static bool remember(struct import_plan *plan, struct import_row *row)
{
	struct pw_map *map = map_of(plan, row->kind);

	if (map == NULL)
		return true;
	if (pw_map_get(map, row->values[0]) != NULL) {
		import_skip(plan, row->place, row->values[0], "is there twice");
		return false;
	}
	keep_status(plan, pw_map_put(map, row->values[0], row));
	return plan->status == PW_OK;
}

struct import_row *import_add(struct import_plan *plan, enum import_kind kind,
                              struct import_place place, struct pw_str name,
                              struct pw_str other)
{
	struct import_row *row = pw_arena_alloc(plan->arena, sizeof(*row));
	bool is_domain = is_domain_kind(kind);

	if (row == NULL) {
		keep_status(plan, PW_ERR_NOMEM);
		return NULL;
	}
	row->place = place;
	row->kind = kind;
	if (!take_name(plan, place, name, is_domain, kind == IMPORT_ALIAS,
	               &row->values[0]))
		return NULL;
	if (kind != IMPORT_DOMAIN && kind != IMPORT_USER &&
	    !take_name(plan, place, other, is_domain, kind == IMPORT_PERMISSION,
	               &row->values[1]))
		return NULL;
	if (!remember(plan, row))
		return NULL;
	*plan->ends[kind] = row;
	plan->ends[kind] = &row->next;
	return row;
}

struct import_row *import_find_user(const struct import_plan *plan, struct pw_str email)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };

	return put_name(&name, email, false, false)
	               ? pw_map_get(plan->users, pw_buf_str(&name))
	               : NULL;
}

/* Behind the last @; of @domain and of addresses. */
static struct pw_str domain_of(struct pw_str name)
{
	return pw_str_sub(name, pw_str_rfind(name, '@') + 1, name.len);
}

static void need_domain(struct import_plan *plan, const struct import_row *row)
{
	struct pw_str domain = domain_of(row->values[0]);

	if (pw_map_get(plan->domains, domain) == NULL)
		(void)import_add(plan, IMPORT_DOMAIN, row->place, domain,
		                 (struct pw_str){ NULL, 0 });
}

static struct import_row *find_alias_domain(const struct import_plan *plan,
                                            struct pw_str name)
{
	struct import_row *row = plan->rows[IMPORT_ALIAS_DOMAIN];

	while (row != NULL && !pw_str_eq(row->values[0], name))
		row = row->next;
	return row;
}

static bool is_alias_domain(const struct import_plan *plan, struct pw_str name)
{
	return find_alias_domain(plan, name) != NULL;
}

static void make_up_domains(struct import_plan *plan)
{
	const struct import_row *row;

	for (row = plan->rows[IMPORT_USER]; row != NULL; row = row->next)
		need_domain(plan, row);
	for (row = plan->rows[IMPORT_ALIAS]; row != NULL; row = row->next)
		if (!is_alias_domain(plan, domain_of(row->values[0])))
			need_domain(plan, row);
	for (row = plan->rows[IMPORT_ALIAS_DOMAIN]; row != NULL; row = row->next)
		if (pw_map_get(plan->domains, row->values[ALIAS_DOMAIN_TARGET]) == NULL &&
		    !is_alias_domain(plan, row->values[ALIAS_DOMAIN_TARGET]))
			(void)import_add(plan, IMPORT_DOMAIN, row->place,
			                 row->values[ALIAS_DOMAIN_TARGET],
			                 (struct pw_str){ NULL, 0 });
}

/* Take out the rows of a kind that are not to stay. */
static void filter(struct import_plan *plan, enum import_kind kind,
                   bool (*stays)(struct import_plan *plan, const struct import_row *row))
{
	struct import_row **at = &plan->rows[kind];

	while (*at != NULL) {
		if (stays(plan, *at))
			at = &(*at)->next;
		else
			*at = (*at)->next;
	}
	plan->ends[kind] = at;
}

static bool has_mailboxes(const struct import_plan *plan, struct pw_str domain)
{
	const struct import_row *row = plan->rows[IMPORT_USER];

	while (row != NULL && !pw_str_eq(domain_of(row->values[0]), domain))
		row = row->next;
	return row != NULL;
}

static bool alias_domain_stays(struct import_plan *plan, const struct import_row *row)
{
	if (!has_mailboxes(plan, row->values[0]))
		return true;
	import_skip(
		plan, row->place, row->values[0],
		"has mailboxes of its own, so it stays a domain and is no alias domain");
	return false;
}

/* PostfixAdmin lists an alias domain among its domains too: switched off in one of the
 * two places is off. */
static bool domain_stays(struct import_plan *plan, const struct import_row *row)
{
	struct import_row *alias = find_alias_domain(plan, row->values[0]);

	if (alias != NULL && pw_str_eq(row->values[DOMAIN_ENABLED], import_bool(false)))
		alias->values[ALIAS_DOMAIN_ENABLED] = import_bool(false);
	return alias == NULL;
}

static bool alias_stays(struct import_plan *plan, const struct import_row *row)
{
	if (!is_alias_domain(plan, domain_of(row->values[0])))
		return true;
	import_skip(
		plan, row->place, row->values[0],
		"is in an alias domain, which has no addresses of its own: mail goes to "
		"the same name in its target");
	return false;
}

void import_settle(struct import_plan *plan)
{
	filter(plan, IMPORT_ALIAS_DOMAIN, alias_domain_stays);
	if (!plan->has_domain_list)
		make_up_domains(plan);
	filter(plan, IMPORT_DOMAIN, domain_stays);
	filter(plan, IMPORT_ALIAS, alias_stays);
}
