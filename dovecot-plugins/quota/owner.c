#include "owner.h"

#include "array.h"
#include "mailbox-list-iter.h"
#include "quota-private.h"

#include "dovecot-plugins/compat.h"

struct sum {
	uint64_t bytes, messages;
};

static int count_box(struct quota_root *root, struct mailbox *box, struct sum *sum,
                     const char **error_r)
{
	struct mailbox_metadata metadata;
	struct mailbox_status status;
	enum mail_error kind;
	const char *error;

	if ((box->storage->class_flags & MAIL_STORAGE_CLASS_FLAG_NOQUOTA) != 0 ||
	    compat_quota_ignores(root, box))
		return 0;
	if (mailbox_get_metadata(box, MAILBOX_METADATA_VIRTUAL_SIZE, &metadata) == 0 &&
	    mailbox_get_status(box, STATUS_MESSAGES, &status) == 0) {
		sum->bytes += metadata.virtual_size;
		sum->messages += status.messages;
		return 0;
	}
	error = mailbox_get_last_internal_error(box, &kind);
	if (kind != MAIL_ERROR_TEMP && kind != MAIL_ERROR_INUSE)
		return 0; /* gone meanwhile */
	*error_r = t_strdup_printf("%s: %s", mailbox_get_vname(box), error);
	return -1;
}

static int count_name(struct quota_root *root, struct mail_namespace *ns,
                      const char *vname, struct sum *sum, const char **error_r)
{
	struct mailbox *box = mailbox_alloc(
		ns->list, vname, MAILBOX_FLAG_READONLY | MAILBOX_FLAG_IGNORE_ACLS);
	int r = count_box(root, box, sum, error_r);

	mailbox_free(&box);
	return r;
}

static int count_namespace(struct quota_root *root, struct mail_namespace *ns,
                           struct sum *sum, const char **error_r)
{
	struct mailbox_list_iterate_context *iter = mailbox_list_iter_init(
		ns->list, "*",
		MAILBOX_LIST_ITER_RAW_LIST | MAILBOX_LIST_ITER_SKIP_ALIASES |
			MAILBOX_LIST_ITER_RETURN_NO_FLAGS |
			MAILBOX_LIST_ITER_NO_AUTO_BOXES);
	const struct mailbox_info *info;
	int r = 0;

	while (r == 0 && (info = mailbox_list_iter_next(iter)) != NULL) {
		if ((info->flags & (MAILBOX_NONEXISTENT | MAILBOX_NOSELECT)) == 0)
			r = count_name(root, ns, info->vname, sum, error_r);
	}
	if (mailbox_list_iter_deinit(&iter) < 0) {
		*error_r = mailbox_list_get_last_internal_error(ns->list, NULL);
		r = -1;
	}
	return r;
}

int owner_count(struct quota_root *root, uint64_t *bytes_r, uint64_t *messages_r,
                const char **error_r)
{
	struct mail_namespace *const *namespaces;
	struct sum sum = { 0, 0 };
	unsigned int count;
	int r = 0;

	if (root->recounting)
		return 0;
	root->recounting = TRUE;
	namespaces = array_get(COMPAT_QUOTA_NAMESPACES(root), &count);
	for (unsigned int i = 0; i < count && r == 0; i++) {
		if (compat_quota_covers(root, namespaces[i]))
			r = count_namespace(root, namespaces[i], &sum, error_r);
	}
	root->recounting = FALSE;
	*bytes_r = sum.bytes;
	*messages_r = sum.messages;
	return r == 0 ? 1 : -1;
}
