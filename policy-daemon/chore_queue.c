#include "policyd/chore_queue.h"

#include <stdlib.h>

#include "core/map.h"

/* Pauses between tries: the second column is doubled up to the third. */
static const struct patience {
	int64_t total_ms, pause_ms, pause_max_ms;
} patience[CHORE_KINDS] = {
	[CHORE_KICK] = { CHORE_KICK_MS, 500, 2000 },
	[CHORE_WARN] = { CHORE_WARN_MS, 2000, 60000 },
};

/* A binary heap: no chore is due before its parent. */
struct chore_queue {
	struct chore **heap;
	size_t count, room;
	size_t counts[CHORE_KINDS];
	struct pw_map
		*kicks; /* login -> its kick, where that waits for the first round */
};

enum pw_status chore_new(struct chore **out, enum chore_kind kind, struct pw_str login)
{
	PW_AUTO(chore_free) struct chore *chore = calloc(1, sizeof(*chore));

	if (chore == NULL)
		return PW_ERR_NOMEM;
	chore->kind = kind;
	pw_buf_puts(&chore->login, login);
	if (pw_buf_status(&chore->login) != PW_OK)
		return pw_buf_status(&chore->login);
	*out = PW_TAKE(chore);
	return PW_OK;
}

void chore_free(struct chore **chore)
{
	if (*chore == NULL)
		return;
	pw_buf_done(&(*chore)->login);
	pw_buf_done(&(*chore)->subject);
	pw_buf_done(&(*chore)->text);
	free(*chore);
	*chore = NULL;
}

enum pw_status chore_queue_new(struct chore_queue **out, const uint8_t seed[16])
{
	PW_AUTO(chore_queue_free) struct chore_queue *queue = calloc(1, sizeof(*queue));
	enum pw_status r;

	if (queue == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_map_new(&queue->kicks, seed, CHORE_WAITING_MAX + 1)) != PW_OK)
		return r;
	*out = PW_TAKE(queue);
	return PW_OK;
}

void chore_queue_free(struct chore_queue **queue)
{
	struct chore_queue *q = *queue;

	if (q == NULL)
		return;
	for (size_t i = 0; i < q->count; i++)
		chore_free(&q->heap[i]);
	free(q->heap);
	pw_map_free(&q->kicks);
	free(q);
	*queue = NULL;
}

/* ---- the heap */

static void exchange(struct chore_queue *queue, size_t a, size_t b)
{
	struct chore *chore = queue->heap[a];

	queue->heap[a] = queue->heap[b];
	queue->heap[b] = chore;
}

static bool is_before(const struct chore_queue *queue, size_t a, size_t b)
{
	return queue->heap[a]->due_ms < queue->heap[b]->due_ms;
}

static void rise(struct chore_queue *queue, size_t i)
{
	while (i > 0 && is_before(queue, i, (i - 1) / 2)) {
		exchange(queue, i, (i - 1) / 2);
		i = (i - 1) / 2;
	}
}

static void sink(struct chore_queue *queue, size_t i)
{
	for (;;) {
		size_t first = i, left = 2 * i + 1;

		if (left < queue->count && is_before(queue, left, first))
			first = left;
		if (left + 1 < queue->count && is_before(queue, left + 1, first))
			first = left + 1;
		if (first == i)
			return;
		exchange(queue, i, first);
		i = first;
	}
}

static enum pw_status make_room(struct chore_queue *queue)
{
	size_t room = queue->room != 0 ? queue->room * 2 : 16;
	struct chore **heap;

	if (queue->count < queue->room)
		return PW_OK;
	if ((heap = reallocarray(queue->heap, room, sizeof(struct chore *))) == NULL)
		return PW_ERR_NOMEM;
	queue->heap = heap;
	queue->room = room;
	return PW_OK;
}

/* ---- in and out */

static bool is_first_kick(const struct chore *chore)
{
	return chore->kind == CHORE_KICK && !chore->is_again;
}

enum pw_status chore_queue_put(struct chore_queue *queue, struct chore **chore)
{
	PW_AUTO(chore_free) struct chore *c = PW_TAKE(*chore);
	struct pw_str login = pw_buf_str(&c->login);
	struct chore *waiting;
	enum pw_status r;

	if (is_first_kick(c) && (waiting = pw_map_get(queue->kicks, login)) != NULL) {
		waiting->first_try_ms = waiting->tries = 0;
		return PW_OK;
	}
	if (queue->counts[c->kind] >= CHORE_WAITING_MAX && !pw_str_eq(login, PW_STR("*")))
		return PW_ERR_LIMIT;
	if ((r = make_room(queue)) != PW_OK ||
	    (is_first_kick(c) && (r = pw_map_put(queue->kicks, login, c)) != PW_OK))
		return r;
	queue->counts[c->kind]++;
	queue->heap[queue->count++] = PW_TAKE(c);
	rise(queue, queue->count - 1);
	return PW_OK;
}

struct chore *chore_queue_take(struct chore_queue *queue, int64_t *due_ms_out,
                               int64_t now_ms)
{
	struct chore *chore = queue->count > 0 ? queue->heap[0] : NULL;

	*due_ms_out = chore != NULL ? chore->due_ms : INT64_MAX;
	if (chore == NULL || chore->due_ms > now_ms)
		return NULL;
	queue->heap[0] = queue->heap[--queue->count];
	sink(queue, 0);
	queue->counts[chore->kind]--;
	if (is_first_kick(chore))
		pw_map_take(queue->kicks, pw_buf_str(&chore->login));
	return chore;
}

size_t chore_queue_count(const struct chore_queue *queue, enum chore_kind kind)
{
	return queue->counts[kind];
}

bool chore_may_retry(struct chore *chore, int64_t now_ms)
{
	const struct patience *p = &patience[chore->kind];
	int64_t pause_ms = p->pause_ms;

	if (chore->first_try_ms == 0)
		chore->first_try_ms = now_ms;
	for (int i = 0; i < chore->tries && pause_ms < p->pause_max_ms; i++)
		pause_ms *= 2;
	if (pause_ms > p->pause_max_ms)
		pause_ms = p->pause_max_ms;
	chore->tries++;
	chore->due_ms = now_ms + pause_ms;
	return chore->due_ms - chore->first_try_ms <= p->total_ms;
}
