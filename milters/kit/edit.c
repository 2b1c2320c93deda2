#include "kit/edit.h"

#include <stdlib.h>

#include "kit/foreign.h"

/* Does a have to be carried out before b? Deletes go last to first, so that the count of
 * what is before them still holds. Inserts of one index go in reverse: each pushes the
 * ones before it down; a higher index first for the same reason. Adds keep their order.
 */
static bool goes_before(const struct kit_edit *a, const struct kit_edit *b,
                        size_t place_a, size_t place_b)
{
	static const int rank[] = { [KIT_DELETE] = 0, [KIT_INSERT] = 1, [KIT_ADD] = 2 };

	if (rank[a->kind] != rank[b->kind])
		return rank[a->kind] < rank[b->kind];
	if (a->kind == KIT_ADD)
		return place_a < place_b;
	if (a->index != b->index)
		return a->index > b->index;
	return place_a > place_b;
}

void kit_edit_order(size_t *order_out, const struct kit_edit *edits, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t at = i;

		for (; at > 0; at--) { /* insertion sort: a plan has a handful of edits */
			size_t before = order_out[at - 1];

			if (!goes_before(&edits[i], &edits[before], i, before))
				break;
			order_out[at] = before;
		}
		order_out[at] = i;
	}
}

/* What Postfix wants: the blank after the colon is ours when it was negotiated, folds
 * are LF, and a stray CR must not reach the header. */
static enum pw_status put_value(struct pw_buf *out, const struct kit_session *s,
                                const char *value)
{
	pw_buf_reset(out);
	if (s->leading_space)
		pw_buf_putc(out, ' ');
	for (const char *p = value; *p; p++)
		if (*p != '\r')
			pw_buf_putc(out, *p);
	return pw_buf_status(out);
}

static enum pw_status apply_one(struct kit_session *s, const struct kit_edit *edit,
                                struct pw_buf *value)
{
	char *name = kit_foreign(edit->name);
	enum pw_status r;
	int result;

	if (edit->kind == KIT_DELETE) {
		result = smfi_chgheader(s->ctx, name, edit->index, NULL);
	} else {
		if ((r = put_value(value, s, edit->value)) != PW_OK)
			return r;
		result = edit->kind == KIT_ADD
		                 ? smfi_addheader(s->ctx, name, value->at)
		                 : smfi_insheader(s->ctx, edit->index, name, value->at);
	}
	return result == MI_SUCCESS ? PW_OK : PW_ERR_IO;
}

static void order_free(size_t **order)
{
	free(*order);
}

enum pw_status kit_apply(struct kit_session *s, const struct kit_edit *edits,
                         size_t count)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	PW_AUTO(order_free) size_t *order = calloc(count + 1, sizeof(*order));
	enum pw_status r;

	if (!order)
		return PW_ERR_NOMEM;
	kit_edit_order(order, edits, count);
	for (size_t i = 0; i < count; i++)
		if ((r = apply_one(s, &edits[order[i]], &value)) != PW_OK)
			return r;
	return PW_OK;
}
