/* The learning hook: a message its user copies or moves into Junk is spam, out of Junk it
 * is ham. Mail programs that know no MOVE copy and expunge; the copy is what counts.
 *
 * The message is read while the copy is made, held until the transaction commits (a COPY
 * that fails teaches nothing) and sent to the learn socket on the event loop, behind the
 * client's back. Whatever goes wrong with it, the client hears nothing of it. */
#include "hooks.h"

#include "lib.h"

#include "array.h"
#include "ioloop.h"
#include "istream-crlf.h"
#include "istream.h"
#include "mail-storage-hooks.h"
#include "mail-storage-private.h"
#include "mail-user.h"
#include "module-context.h"

#include "dovecot-plugins/compat.h"

#include "client.h"
#include "lesson.h"

#define LEARN_SOCKET_DEFAULT "/run/postward/learn.sock"

struct learn_user {
	union mail_user_module_context module_ctx;
	struct compat_learn set;
};

struct learn_mailbox {
	union mailbox_module_context module_ctx;
};

struct learn_transaction {
	union mailbox_transaction_module_context module_ctx;
	struct learn_batch batch;
};

static MODULE_CONTEXT_DEFINE_INIT(user_module, &mail_user_module_register);
static MODULE_CONTEXT_DEFINE_INIT(storage_module, &mail_storage_module_register);

/* One connection a process: all its users share it. */
static struct learn_client *client;
static struct io *writable;
static bool is_away_logged;

static void send_queued(void *context ATTR_UNUSED)
{
	enum learn_progress progress;

	io_remove(&writable); /* sending may close the descriptor */
	progress = learn_client_send(client);
	if (progress == LEARN_WAIT) {
		/* the root loop: a nested one may end before */
		writable = io_add_to(io_loop_get_root(), learn_client_fd(client),
		                     IO_WRITE, send_queued, NULL);
	}
	if (progress == LEARN_AWAY && !is_away_logged) {
		i_warning("learn socket: nobody listens; lessons are dropped");
		is_away_logged = TRUE;
	}
}

static enum lesson_box box_of(struct mailbox *box)
{
	struct learn_user *user = MODULE_CONTEXT(box->storage->user, user_module);

	if (user == NULL)
		return LESSON_BOX_OTHER;
	if (mailbox_has_special_use(box, "\\Junk") ||
	    strcmp(box->vname, user->set.junk) == 0)
		return LESSON_BOX_JUNK;
	if (mailbox_has_special_use(box, "\\Trash") ||
	    strcmp(box->vname, user->set.trash) == 0)
		return LESSON_BOX_TRASH;
	return LESSON_BOX_OTHER;
}

/* The whole message with CRLF line ends; false if it cannot be read, or is larger than
 * out's limit. */
static bool read_message(struct mail *mail, struct pw_buf *out)
{
	struct istream *raw, *input;
	const unsigned char *data;
	size_t size;
	bool is_good;

	if (mail_get_stream(mail, NULL, NULL, &raw) < 0)
		return FALSE;
	input = i_stream_create_crlf(raw);
	while (pw_buf_status(out) == PW_OK &&
	       i_stream_read_more(input, &data, &size) > 0) {
		pw_buf_puts(out, (struct pw_str){ (const char *)data, size });
		i_stream_skip(input, size);
	}
	is_good = input->stream_errno == 0 && pw_buf_status(out) == PW_OK;
	i_stream_unref(&input);
	return is_good;
}

static struct learn_transaction *open_transaction(struct mailbox_transaction_context *t)
{
	struct learn_transaction *lt = MODULE_CONTEXT(t, storage_module);

	if (lt == NULL) {
		lt = i_new(struct learn_transaction, 1);
		MODULE_CONTEXT_SET(t, storage_module, lt);
	}
	return lt;
}

static void hold_lesson(struct mailbox_transaction_context *t, struct mail *mail,
                        enum pw_learn_verdict verdict)
{
	PW_AUTO(pw_buf_done) struct pw_buf message = { .max = PW_LEARN_SIZE_MAX };
	uoff_t size;

	if (mail_get_physical_size(mail, &size) < 0 || size > PW_LEARN_SIZE_MAX ||
	    !read_message(mail, &message))
		return;
	(void)learn_client_hold(client, &open_transaction(t)->batch, verdict,
	                        pw_str_from(t->box->storage->user->username),
	                        pw_buf_str(&message));
}

static int learn_copy(struct mail_save_context *ctx, struct mail *mail)
{
	struct mailbox_transaction_context *t = ctx->transaction;
	struct learn_mailbox *box = MODULE_CONTEXT_REQUIRE(t->box, storage_module);
	bool is_new = ctx->saving; /* a delivery that saves from another's copy */
	enum pw_learn_verdict verdict;

	if (box->module_ctx.super.copy(ctx, mail) < 0)
		return -1;
	if (!is_new && lesson_of_move(box_of(mail->box), box_of(t->box), &verdict))
		hold_lesson(t, mail, verdict);
	return 0;
}

static int learn_commit(struct mailbox_transaction_context *t,
                        struct mail_transaction_commit_changes *changes_r)
{
	struct learn_mailbox *box = MODULE_CONTEXT_REQUIRE(t->box, storage_module);
	struct learn_transaction *lt = MODULE_CONTEXT(t, storage_module);
	int r = box->module_ctx.super.transaction_commit(t, changes_r);

	if (lt == NULL)
		return r;
	if (r < 0) {
		learn_client_forget(client, &lt->batch);
	} else {
		learn_client_queue(client, &lt->batch);
		send_queued(NULL);
	}
	i_free(lt);
	return r;
}

static void learn_rollback(struct mailbox_transaction_context *t)
{
	struct learn_mailbox *box = MODULE_CONTEXT_REQUIRE(t->box, storage_module);
	struct learn_transaction *lt = MODULE_CONTEXT(t, storage_module);

	box->module_ctx.super.transaction_rollback(t);
	if (lt == NULL)
		return;
	learn_client_forget(client, &lt->batch);
	i_free(lt);
}

static void on_mailbox(struct mailbox *box)
{
	struct mailbox_vfuncs *v = box->vlast;
	struct learn_mailbox *ours;

	if (MODULE_CONTEXT(box->storage->user, user_module) == NULL)
		return;
	ours = p_new(box->pool, struct learn_mailbox, 1);
	ours->module_ctx.super = *v;
	box->vlast = &ours->module_ctx.super;
	v->copy = learn_copy;
	v->transaction_commit = learn_commit;
	v->transaction_rollback = learn_rollback;
	MODULE_CONTEXT_SET(box, storage_module, ours);
}

static bool open_client(const char *path)
{
	if (client != NULL || learn_client_new(&client, path) == PW_OK)
		return TRUE;
	i_error("learn socket: its path is too long: %s", path);
	return FALSE;
}

static void on_user(struct mail_user *user)
{
	struct compat_learn set = { LEARN_SOCKET_DEFAULT, "", "" };
	struct learn_user *ours;

	if (!compat_learn_settings(user, &set) || !open_client(set.socket))
		return;
	ours = p_new(user->pool, struct learn_user, 1);
	ours->set = set;
	MODULE_CONTEXT_SET(user, user_module, ours);
}

static struct mail_storage_hooks hooks = {
	.mail_user_created = on_user,
	.mailbox_allocated = on_mailbox,
};

void hooks_register(struct module *module)
{
	mail_storage_hooks_add(module, &hooks);
}

static void log_losses(void)
{
	struct learn_counts counts = learn_client_counts(client);
	uint64_t unsent = learn_client_queued(client);

	if (counts.away + counts.full + unsent == 0)
		return;
	i_warning("learn socket: lessons sent=%" PRIu64 ", dropped=%" PRIu64
	          " (nobody listened: %" PRIu64 ", reader too slow: %" PRIu64 ")",
	          counts.sent, counts.away + counts.full + unsent, counts.away,
	          counts.full + unsent);
}

void hooks_unregister(void)
{
	mail_storage_hooks_remove(&hooks);
	if (client == NULL)
		return;
	io_remove(&writable);
	(void)learn_client_send(client);
	log_losses();
	learn_client_free(&client);
}
