#include "policyd/resolve.h"

#include <string.h>

/* ---- one step */

/* Put local and domain together. False: too long. */
static bool join(struct resolve_step *out, struct pw_str local, struct pw_str domain)
{
	if (local.len + 1 + domain.len > sizeof(out->room))
		return false;
	memcpy(out->room, local.at, local.len);
	out->room[local.len] = '@';
	memcpy(out->room + local.len + 1, domain.at, domain.len);
	out->onward = (struct pw_str){ out->room, local.len + 1 + domain.len };
	return true;
}

/* Does the catalog hold an alias or mailbox of that name? A name alone, as quotas bring
 * it, is none. */
static bool take(struct resolve_step *out, const struct catalog *catalog,
                 struct pw_str name)
{
	const struct catalog_entry *entry = catalog_find(catalog, name);

	if (entry == NULL || (entry->destinations == NULL && !entry->is_mailbox))
		return false;
	out->entry = entry;
	return true;
}

static bool take_base(struct resolve_step *out, const struct catalog *catalog,
                      struct pw_str address)
{
	PW_AUTO(pw_buf_done) struct pw_buf base = { 0 };

	/* most addresses have none: no memory for them */
	if (pw_str_find(address, catalog_delimiter(catalog)) == address.len)
		return false;
	return pw_address_put_base(&base, address, catalog_delimiter(catalog)) &&
	       take(out, catalog, pw_buf_str(&base));
}

/* In a domain with mailboxes. */
static bool step_at_home(struct resolve_step *out, const struct catalog *catalog,
                         struct pw_str address, size_t at)
{
	if (take(out, catalog, address) || take_base(out, catalog, address))
		return true;
	out->is_catch_all = true;
	return take(out, catalog, pw_str_sub(address, at, address.len));
}

bool resolve_step(struct resolve_step *out, const struct catalog *catalog,
                  struct pw_str address)
{
	size_t at = pw_str_rfind(address, '@');
	struct pw_str domain = pw_str_sub(address, at + 1, address.len), target;
	struct resolve_step there;

	out->entry = there.entry = NULL;
	out->is_catch_all = there.is_catch_all = false;
	out->onward = (struct pw_str){ NULL, 0 };
	if (at == 0 || !catalog_domain(catalog, domain, &target))
		return false;
	if (target.len == 0)
		return step_at_home(out, catalog, address, at);
	if (!join(out, pw_str_sub(address, 0, at), target) ||
	    !step_at_home(&there, catalog, out->onward, at))
		return false;
	out->is_catch_all = there.is_catch_all;
	return true;
}

static bool names_itself(const struct catalog_entry *entry,
                         const struct catalog_destination *to)
{
	return entry->is_mailbox && pw_str_eq(to->address, entry->address);
}

const struct catalog_entry *resolve_mailbox(const struct catalog_entry *entry)
{
	const struct catalog_destination *to = entry->destinations;

	if (to == NULL)
		return entry->is_mailbox ? entry : NULL;
	while (to != NULL && !names_itself(entry, to))
		to = to->next;
	return to != NULL ? entry : NULL;
}

/* ---- the whole way, depth first, each address once */

struct walk {
	const struct catalog *catalog;
	/* A mailbox, or an address that is not ours (mailbox NULL). */
	void (*end)(void *arg, struct pw_str address,
	            const struct catalog_entry *mailbox);
	void *arg;
	struct pw_arena *arena; /* names in other domains; NULL = none yet */
	struct hop {
		struct pw_str address;
		bool keeps; /* it has a mailbox: to come back here is no circle */
	} path[RESOLVE_DEPTH_MAX + 1];
	struct pw_str met[RESOLVE_FAN_OUT_MAX];
	size_t met_count;
	bool is_by_catch_all;
	bool is_over; /* a circle, too deep, or too many: nothing after it counts */
	enum pw_status status;
};

/* Is address new, and may the walk go there? */
static bool enter(struct walk *w, struct pw_str address, size_t depth)
{
	for (size_t i = 0; i < depth && !w->is_over; i++)
		w->is_over = !w->path[i].keeps && pw_str_eq(w->path[i].address, address);
	for (size_t i = 0; i < w->met_count && !w->is_over; i++)
		if (pw_str_eq(w->met[i], address))
			return false;
	if (depth > RESOLVE_DEPTH_MAX || w->met_count == RESOLVE_FAN_OUT_MAX)
		w->is_over = true;
	if (w->is_over)
		return false;
	w->met[w->met_count++] = address;
	w->path[depth] = (struct hop){ address, false };
	return true;
}

/* A name that outlives its step. */
static enum pw_status keep(struct walk *w, struct pw_str *name)
{
	enum pw_status r = w->arena == NULL ? pw_arena_new(&w->arena, 0) : PW_OK;

	return r == PW_OK ? pw_arena_copy(w->arena, *name, name) : r;
}

static void visit(struct walk *w, struct pw_str address, size_t depth);

static void visit_renamed(struct walk *w, struct pw_str name, size_t depth)
{
	if ((w->status = keep(w, &name)) != PW_OK)
		w->is_over = true;
	else
		visit(w, name, depth);
}

static void visit_entry(struct walk *w, const struct catalog_entry *entry, size_t depth)
{
	const struct catalog_entry *mailbox = resolve_mailbox(entry);

	if (mailbox != NULL) {
		w->path[depth].keeps =
			pw_str_eq(mailbox->address, w->path[depth].address);
		w->end(w->arg, mailbox->address, mailbox);
	}
	for (const struct catalog_destination *to = entry->destinations;
	     to != NULL && !w->is_over; to = to->next)
		if (!names_itself(entry, to))
			visit(w, to->address, depth + 1);
}

static void visit(struct walk *w, struct pw_str address, size_t depth)
{
	size_t at = pw_str_rfind(address, '@');
	struct pw_str target;
	struct resolve_step step;

	if (!enter(w, address, depth))
		return;
	if (!resolve_step(&step, w->catalog, address)) {
		if (!catalog_domain(w->catalog, pw_str_sub(address, at + 1, address.len),
		                    &target))
			w->end(w->arg, address, NULL);
		return;
	}
	w->is_by_catch_all |= step.is_catch_all;
	if (step.entry == NULL)
		visit_renamed(w, step.onward, depth + 1);
	else
		visit_entry(w, step.entry, depth);
}

/* The large arrays stay as they are: most walks are one step. */
static void walk(struct walk *w, const struct catalog *catalog, struct pw_str address)
{
	w->catalog = catalog;
	w->arena = NULL;
	w->met_count = 0;
	w->is_by_catch_all = w->is_over = false;
	w->status = PW_OK;
	visit(w, address, 0);
	pw_arena_free(&w->arena);
}

/* ---- what callers want of it */

static void add_mailbox(void *arg, struct pw_str address,
                        const struct catalog_entry *mailbox)
{
	struct resolve_result *out = arg;

	(void)address;
	if (mailbox == NULL) {
		out->is_elsewhere = true;
		return;
	}
	for (size_t i = 0; i < out->count; i++)
		if (out->mailboxes[i] == mailbox)
			return;
	if (out->count < RESOLVE_MAILBOXES_MAX)
		out->mailboxes[out->count++] = mailbox;
	else
		out->is_cut = true;
}

void resolve(struct resolve_result *out, const struct catalog *catalog,
             struct pw_str address)
{
	struct walk w;

	out->count = 0;
	out->is_cut = out->is_elsewhere = false;
	w.end = add_mailbox;
	w.arg = out;
	walk(&w, catalog, address);
	out->is_cut |= w.is_over;
}

static void add_end(void *arg, struct pw_str address, const struct catalog_entry *mailbox)
{
	struct resolve_ends *out = arg;

	if (mailbox != NULL && mailbox->is_refused)
		return;
	for (size_t i = 0; i < out->count; i++)
		if (pw_str_eq(out->at[i], address))
			return;
	if (out->count < RESOLVE_FAN_OUT_MAX)
		out->at[out->count++] = address;
}

/* Does a step lead on to another address? */
static bool leads_on(const struct resolve_step *step)
{
	const struct catalog_destination *to;

	if (step->entry == NULL)
		return true;
	for (to = step->entry->destinations; to != NULL; to = to->next)
		if (!names_itself(step->entry, to))
			return true;
	return false;
}

enum pw_status resolve_ends(struct resolve_ends *out, const struct catalog *catalog,
                            struct pw_str address)
{
	struct resolve_step first;
	struct walk w;

	out->count = 0;
	out->is_alias = resolve_step(&first, catalog, address) && leads_on(&first);
	w.end = add_end;
	w.arg = out;
	walk(&w, catalog, address);
	out->is_by_catch_all = w.is_by_catch_all;
	return w.status;
}
