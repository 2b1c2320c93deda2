/* Quota backend `postward`: usage is counted by Dovecot's own `count` backend, limits
 * come from policyd and usage is published to it as an absolute number, over its usage
 * socket.
 *
 * No drift without locks: count, report, count again, until both counts agree. The last
 * to report always looks again, and whoever changes the mailbox later reports too.
 *
 * policyd away never hurts mail: the last known limit stays (at the start of a session
 * the quota_rule of the userdb), the report is tried again. */
#include "backend.h"

#include "lib.h"

#include "array.h"
#include "ioloop.h"
#include "mail-user.h"
#include "quota-private.h"

#include "dovecot-plugins/compat.h"

#include "client.h"

#define USAGE_SOCKET_DEFAULT "/run/postward/usage.sock"
#define LIMIT_FRESH_MS 2000  /* a changed limit is seen in open sessions after this */
#define REPORT_DELAY_MS 250  /* changes within it make one report */
#define REPORT_AGAIN_MS 5000 /* after a report failed */
#define REPORT_ROUNDS_MAX 8  /* of a mailbox that changes all the time; then later */

/* What hangs on a quota root (in its pool). */
struct publisher {
	struct quota_root *root;
	struct timeout *to;
	int64_t limit_until_ms;
	struct usage_numbers sent;
	bool has_sent;
	bool is_dirty;     /* policyd may not know the usage */
	bool is_reporting; /* counting closes mailboxes, which flushes: do not recurse */
};

static unsigned int module_id;
/* One connection a process: all its roots share it. */
static struct usage_client *client;
static bool is_away_logged;

static struct publisher *publisher_of(struct quota_root *root)
{
	struct publisher *const *p = array_idx(&root->quota_module_contexts, module_id);

	return *p;
}

/* Ask policyd; true if it answered `ok`. Tells the log once that it is away, and back. */
static bool ask(struct quota_root *root, const struct pw_buf *request,
                struct usage_numbers *limit_out)
{
	enum usage_verdict verdict;
	enum pw_status r;

	if ((r = pw_buf_status(request)) == PW_OK)
		r = usage_client_ask(client, pw_buf_str(request), &verdict, limit_out);
	if (r != PW_OK && !is_away_logged)
		e_warning(root->backend.event,
		          "usage socket: %s; last known limits stay, usage is reported "
		          "later",
		          pw_status_text(r));
	if (r == PW_OK && is_away_logged)
		e_info(root->backend.event, "usage socket: back");
	is_away_logged = r != PW_OK;
	return r == PW_OK && verdict == USAGE_OK;
}

static void refresh_limits(struct quota_root *root)
{
	PW_AUTO(pw_buf_done) struct pw_buf request = { 0 };
	struct publisher *p = publisher_of(root);
	struct usage_numbers limit;
	int64_t now_ms = usage_clock_ms();

	if (now_ms < p->limit_until_ms)
		return;
	p->limit_until_ms = now_ms + LIMIT_FRESH_MS;
	if (usage_put_limit(&request, pw_str_from(root->quota->user->username)) !=
	            PW_OK ||
	    !ask(root, &request, &limit))
		return; /* what we know stays */
	root->bytes_limit = limit.bytes;
	root->count_limit = limit.messages;
}

/* Report until the count taken after the report equals the one reported. */
static bool report(struct publisher *p)
{
	PW_AUTO(pw_buf_done) struct pw_buf request = { 0 };
	enum quota_get_result result;
	uint64_t bytes, messages, again_bytes, again_messages;
	const char *error;

	if (quota_count(p->root, &bytes, &messages, &result, &error) <= 0)
		return false;
	for (unsigned int round = 0; round < REPORT_ROUNDS_MAX; round++) {
		pw_buf_reset(&request);
		if (usage_put_usage(&request, pw_str_from(p->root->quota->user->username),
		                    bytes, messages) != PW_OK ||
		    !ask(p->root, &request, NULL) ||
		    quota_count(p->root, &again_bytes, &again_messages, &result,
		                &error) <= 0)
			return false;
		p->sent = (struct usage_numbers){ (int64_t)bytes, (int64_t)messages };
		p->has_sent = true;
		if (bytes == again_bytes && messages == again_messages)
			return true;
		bytes = again_bytes;
		messages = again_messages;
	}
	return false;
}

static void publish_in(struct publisher *p, unsigned int delay_ms);

static void publish(struct publisher *p)
{
	timeout_remove(&p->to);
	if (!p->is_dirty || p->is_reporting || p->root->recounting)
		return;
	p->is_reporting = true;
	p->is_dirty = !report(p);
	p->is_reporting = false;
	if (p->is_dirty)
		publish_in(p, REPORT_AGAIN_MS);
}

/* The root loop: a nested one may end before the timer does. */
static void publish_in(struct publisher *p, unsigned int delay_ms)
{
	p->is_dirty = true;
	if (p->to == NULL)
		p->to = timeout_add_short_to(io_loop_get_root(), delay_ms, publish, p);
}

static struct quota_root *backend_alloc(void)
{
	return quota_backend_count.v.alloc();
}

static int backend_init(struct quota_root *root, COMPAT_QUOTA_ARGS const char **error_r)
{
	struct publisher *p = p_new(root->pool, struct publisher, 1);
	const char *path = COMPAT_USAGE_SOCKET(root);

	if (client == NULL &&
	    usage_client_new(&client, path != NULL ? path : USAGE_SOCKET_DEFAULT) !=
	            PW_OK) {
		*error_r = "path of the usage socket is too long";
		return -1;
	}
	p->root = root;
	array_idx_set_i(&root->quota_module_contexts.arr, module_id, &p);
	compat_quota_use_vsizes(root);
	if (quota_backend_count.v.init(root, COMPAT_QUOTA_PASS_ARGS error_r) < 0)
		return -1;
	refresh_limits(root);
	return 0;
}

/* Too late to count: namespaces are gone. flush() came before, when mailboxes closed. */
static void backend_deinit(struct quota_root *root)
{
	timeout_remove(&publisher_of(root)->to);
	quota_backend_count.v.deinit(root);
}

/* Not every version asks. */
static int ATTR_UNUSED backend_init_limits(struct quota_root *root,
                                           const char **error_r ATTR_UNUSED)
{
	refresh_limits(root);
	return 0;
}

static const char *const *backend_get_resources(struct quota_root *root)
{
	return quota_backend_count.v.get_resources(root);
}

/* A count made for another reason that is not what policyd was told (in this session it
 * may have been told nothing yet) heals what an earlier report that got lost left behind.
 */
static void compare_with_sent(struct publisher *p, const char *name, uint64_t value)
{
	bool is_bytes = strcmp(name, QUOTA_NAME_STORAGE_BYTES) == 0;
	int64_t sent = is_bytes ? p->sent.bytes : p->sent.messages;

	if (!p->has_sent || (uint64_t)sent != value)
		publish_in(p, REPORT_DELAY_MS);
}

static enum quota_get_result backend_get_resource(struct quota_root *root,
                                                  const char *name, uint64_t *value_r,
                                                  const char **error_r)
{
	enum quota_get_result result;

	refresh_limits(root);
	result = quota_backend_count.v.get_resource(root, name, value_r, error_r);
	if (result == QUOTA_GET_RESULT_LIMITED)
		compare_with_sent(publisher_of(root), name, *value_r);
	return result;
}

static int backend_update(struct quota_root *root, struct quota_transaction_context *ctx,
                          const char **error_r)
{
	bool is_forced = ctx->recalculate == QUOTA_RECALCULATE_FORCED;

	if (quota_backend_count.v.update(root, ctx, error_r) < 0)
		return -1;
	publish_in(publisher_of(root), REPORT_DELAY_MS);
	if (is_forced) /* doveadm: it ends before the timer */
		publish(publisher_of(root));
	return 0;
}

static void backend_flush(struct quota_root *root)
{
	publish(publisher_of(root));
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
		.flush = backend_flush,
	},
};

void backend_register(void)
{
	module_id = quota_module_id++;
	quota_backend_register(&backend);
}

void backend_unregister(void)
{
	quota_backend_unregister(&backend);
	usage_client_free(&client);
}
