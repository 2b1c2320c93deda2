#include "policyd/lease_queue.h"

#include <stdlib.h>

#include "core/map.h"

void lease_notes_init(struct lease_notes *notes)
{
	notes->first = NULL;
	notes->last = &notes->first;
}

void lease_notes_put(struct lease_notes *notes, struct lease_note *note)
{
	note->next = NULL;
	*notes->last = note;
	notes->last = &note->next;
}

static struct lease_note *pop(struct lease_notes *notes)
{
	struct lease_note *note = notes->first;

	notes->first = note->next;
	if (notes->first == NULL)
		notes->last = &notes->first;
	return note;
}

void lease_notes_move(struct lease_notes *to, struct lease_notes *from)
{
	if (from->first == NULL)
		return;
	*to->last = from->first;
	to->last = from->last;
	lease_notes_init(from);
}

void lease_notes_free(struct lease_note **first)
{
	while (*first != NULL) {
		struct lease_note *note = *first;

		*first = note->next;
		free(note);
	}
}

void lease_queue_init(struct lease_queue *queue)
{
	*queue = (struct lease_queue){ .retry_ms = 0 };
	lease_notes_init(&queue->questions);
	lease_notes_init(&queue->deltas);
	lease_notes_init(&queue->locked);
}

/* Two keys in one slot: the one merely waits for the other. */
static uint32_t *owing(struct lease_queue *queue, const struct lease_note *note)
{
	static const uint8_t seed[16] = { 0 };
	uint64_t hash = pw_siphash(seed, (struct pw_str){ note->who, note->who_len }) +
	                (uint64_t)note->rule_id;

	return &queue->owing[hash % LEASE_QUEUE_SLOTS];
}

void lease_queue_put(struct lease_queue *queue, struct lease_note *note)
{
	if (note->kind == LEASE_QUESTION) {
		lease_notes_put(&queue->questions, note);
		return;
	}
	++*owing(queue, note);
	lease_notes_put(&queue->deltas, note);
}

void lease_queue_deltas(struct lease_queue *queue, struct lease_notes *out, size_t max,
                        int64_t now_ms)
{
	if (now_ms >= queue->retry_ms)
		lease_notes_move(&queue->deltas, &queue->locked);
	for (size_t n = 0; n < max && queue->deltas.first != NULL; n++)
		lease_notes_put(out, pop(&queue->deltas));
}

void lease_queue_told(struct lease_queue *queue, struct lease_note *note, bool is_locked,
                      int64_t now_ms)
{
	if (!is_locked) {
		--*owing(queue, note);
		free(note);
		return;
	}
	if (queue->locked.first == NULL)
		queue->retry_ms = now_ms + LEASE_LOCKED_MS;
	lease_notes_put(&queue->locked, note);
}

void lease_queue_questions(struct lease_queue *queue, struct lease_notes *out, size_t max)
{
	struct lease_notes kept;
	size_t n = 0;

	lease_notes_init(&kept);
	while (queue->questions.first != NULL && n < max) {
		struct lease_note *note = pop(&queue->questions);
		bool may_go = *owing(queue, note) == 0;

		lease_notes_put(may_go ? out : &kept, note);
		n += may_go;
	}
	lease_notes_move(&kept, &queue->questions); /* those that wait stay in front */
	lease_notes_move(&queue->questions, &kept);
}
