/* Quota backend `postward`: usage is counted by Dovecot's own `count` backend, limits
 * come from policyd and usage is told to it as an absolute number, over its usage socket.
 *
 * No drift without locks, and without waiting: each count carries the time it began, and
 * policyd keeps the one that began last. Whoever changes a mailbox counts after that, so
 * of all counts the last to begin has seen every change, whichever way the reports took.
 *
 * policyd away never hurts mail: the last known limits stay (at the start of a session
 * what the userdb says), the newest count is kept and told later. */
#include "backend.h"

#include "lib.h"

#include "array.h"
#include "ioloop.h"
#include "llist.h"
#include "mail-storage-hooks.h"
#include "mail-user.h"
#include "quota-private.h"
#include "time-util.h"

#include "dovecot-plugins/compat.h"

#include "link.h"
#include "owner.h"

#define USAGE_SOCKET_DEFAULT "/run/postward/usage.sock"
#define REPORT_DELAY_MS 250  /* changes within it make one count and one report */
#define REPORT_AGAIN_MS 5000 /* after counting failed */

/* What hangs on a quota root (in its pool). */
struct publisher {
	struct publisher *prev, *next;
	struct quota_root *root;
	struct usage_entry *entry; /* NULL: policyd cannot be asked about this user */
	struct timeout *to;
	struct timeval owner_at; /* the tick of `owner` */
	uint64_t owner_bytes, owner_messages;
	bool is_dirty;    /* changed, or not what policyd was told: to be counted */
	bool is_counting; /* counting closes mailboxes: do not recurse */
};

static unsigned int module_id;
static struct publisher *publishers;
static MODULE_CONTEXT_DEFINE_INIT(postward_user_module, &mail_user_module_register);

static struct publisher *publisher_of(struct quota_root *root)
{
	struct publisher *const *p = array_idx(&root->quota_module_contexts, module_id);

	return *p;
}

/* ---- limits */

static void apply_limits(struct publisher *p)
{
	if (p->entry == NULL || !p->entry->has_limits)
		return; /* what Dovecot was configured with stays */
	p->root->bytes_limit = p->entry->limits.bytes;
	p->root->count_limit = p->entry->limits.messages;
	compat_quota_limits_changed(p->root, p->entry->limits.grace_bytes);
}

/* policyd has said something. */
static void on_changed(void)
{
	for (struct publisher *p = publishers; p != NULL; p = p->next)
		apply_limits(p);
}

/* ---- usage */

static void publish_in(struct publisher *p, unsigned int delay_ms);

/* Is this the owner of a mailbox that another user works in? */
static bool is_somebody_else(const struct quota_root *root)
{
	return root->quota->user->autocreated;
}

static int count_now(struct quota_root *root, uint64_t *bytes_r, uint64_t *messages_r,
                     enum quota_get_result *result_r, const char **error_r)
{
	*result_r = QUOTA_GET_RESULT_INTERNAL_ERROR;
	return is_somebody_else(root)
	               ? owner_count(root, bytes_r, messages_r, error_r)
	               : quota_count(root, bytes_r, messages_r, result_r, error_r);
}

/* Count, and put it into the book. A count that fails is tried again. */
static bool count(struct publisher *p)
{
	struct usage_count found = { .began_us = usage_clock_us() };
	enum quota_get_result result;
	uint64_t bytes, messages;
	const char *error;

	if (count_now(p->root, &bytes, &messages, &result, &error) <= 0)
		return false;
	found.bytes = usage_clamp(bytes);
	found.messages = usage_clamp(messages);
	usage_book_count(p->entry, &found);
	return true;
}

static void publish(struct publisher *p)
{
	timeout_remove(&p->to);
	if (!p->is_dirty || p->is_counting || p->root->recounting || p->entry == NULL)
		return;
	p->is_counting = true;
	p->is_dirty = !count(p);
	p->is_counting = false;
	if (p->is_dirty)
		publish_in(p, REPORT_AGAIN_MS);
	link_turn();
}

/* The root loop: a nested one may end before the timer does. */
static void publish_in(struct publisher *p, unsigned int delay_ms)
{
	p->is_dirty = true;
	if (p->to == NULL)
		p->to = timeout_add_short_to(io_loop_get_root(), delay_ms, publish, p);
}

/* A count made for another reason that is not what policyd was told (in this session it
 * may have been told nothing yet) heals what an earlier report that got lost left behind.
 */
static void compare_with_told(struct publisher *p, const char *name, uint64_t value)
{
	bool is_bytes = strcmp(name, QUOTA_NAME_STORAGE_BYTES) == 0;
	const struct usage_count *last = &p->entry->count;

	if (last->began_us == 0 ||
	    (is_bytes ? last->bytes : last->messages) != usage_clamp(value))
		publish_in(p, REPORT_DELAY_MS);
}

/* ---- the end of a user: the last moment at which its mailboxes can be counted, and
 * those of others that the user worked in; when they end theirs are gone already */

static void user_deinit_pre(struct mail_user *user)
{
	union mail_user_module_context *ours =
		MODULE_CONTEXT_REQUIRE(user, postward_user_module);

	for (struct publisher *p = publishers; p != NULL; p = p->next)
		if (!user->autocreated &&
		    (p->root->quota->user == user || is_somebody_else(p->root)))
			publish(p);
	ours->super.deinit_pre(user);
}

static void user_created(struct mail_user *user)
{
	struct mail_user_vfuncs *v = user->vlast;
	union mail_user_module_context *ours =
		p_new(user->pool, union mail_user_module_context, 1);

	ours->super = *v;
	user->vlast = &ours->super;
	v->deinit_pre = user_deinit_pre;
	MODULE_CONTEXT_SET_SELF(user, postward_user_module, ours);
}

static struct mail_storage_hooks hooks = { .mail_user_created = user_created };

/* ---- the backend */

static struct quota_root *backend_alloc(void)
{
	return quota_backend_count.v.alloc();
}

static int backend_init(struct quota_root *root, COMPAT_QUOTA_ARGS const char **error_r)
{
	struct publisher *p = p_new(root->pool, struct publisher, 1);
	const char *path = COMPAT_USAGE_SOCKET(root);

	if (link_open(path != NULL ? path : USAGE_SOCKET_DEFAULT, on_changed) != PW_OK) {
		*error_r = "path of the usage socket is too long";
		return -1;
	}
	compat_quota_begin(root);
	if (quota_backend_count.v.init(root, COMPAT_QUOTA_PASS_ARGS error_r) < 0)
		return -1;
	p->root = root;
	array_idx_set_i(&root->quota_module_contexts.arr, module_id, &p);
	DLLIST_PREPEND(&publishers, p);
	p->entry = link_join(root->quota->user->username);
	apply_limits(p);
	return 0;
}

/* Too late to count: user_deinit_pre did. */
static void backend_deinit(struct quota_root *root)
{
	struct publisher *p = publisher_of(root);

	timeout_remove(&p->to);
	DLLIST_REMOVE(&publishers, p);
	if (p->entry != NULL)
		link_leave(p->entry);
	quota_backend_count.v.deinit(root);
}

/* 2.3 asks before each check. The session may have been busy since a limit changed. */
static int ATTR_UNUSED backend_init_limits(struct quota_root *root ATTR_UNUSED,
                                           const char **error_r ATTR_UNUSED)
{
	link_turn();
	return 0;
}

static const char *const *backend_get_resources(struct quota_root *root)
{
	return quota_backend_count.v.get_resources(root);
}

/* As the stock count, once a tick of the loop. */
static enum quota_get_result get_owner_resource(struct publisher *p, const char *name,
                                                uint64_t *value_r, const char **error_r)
{
	enum quota_get_result result;

	if (timeval_cmp(&p->owner_at, &ioloop_timeval) != 0) {
		if (count_now(p->root, &p->owner_bytes, &p->owner_messages, &result,
		              error_r) < 0)
			return result;
		p->owner_at = ioloop_timeval;
	}
	*value_r = strcmp(name, QUOTA_NAME_STORAGE_BYTES) == 0 ? p->owner_bytes
	                                                       : p->owner_messages;
	return QUOTA_GET_RESULT_LIMITED;
}

static enum quota_get_result backend_get_resource(struct quota_root *root,
                                                  const char *name, uint64_t *value_r,
                                                  const char **error_r)
{
	struct publisher *p = publisher_of(root);
	enum quota_get_result result =
		is_somebody_else(root) ? get_owner_resource(p, name, value_r, error_r)
				       : quota_backend_count.v.get_resource(
						 root, name, value_r, error_r);

	link_turn(); /* the limit is looked at next */
	if (result == QUOTA_GET_RESULT_LIMITED && p->entry != NULL)
		compare_with_told(p, name, *value_r);
	return result;
}

static int backend_update(struct quota_root *root, struct quota_transaction_context *ctx,
                          const char **error_r)
{
	struct publisher *p = publisher_of(root);

	if (quota_backend_count.v.update(root, ctx, error_r) < 0)
		return -1;
	p->owner_at.tv_sec = 0;
	publish_in(p, REPORT_DELAY_MS);
	return 0;
}

static const struct quota_backend backend = {
	.name = "postward",
	COMPAT_QUOTA_BACKEND_FIELDS
	.v = {
		.alloc = backend_alloc,
		.init = backend_init,
		.deinit = backend_deinit,
		COMPAT_QUOTA_LIMIT_VFUNC(backend_init_limits)
		.get_resources = backend_get_resources,
		.get_resource = backend_get_resource,
		.update = backend_update,
	},
};

void backend_register(struct module *module)
{
	module_id = quota_module_id++;
	quota_backend_register(&backend);
	mail_storage_hooks_add(module, &hooks);
}

void backend_unregister(void)
{
	mail_storage_hooks_remove(&hooks);
	quota_backend_unregister(&backend);
	link_close();
}
