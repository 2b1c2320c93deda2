/* What is to be asked and told about leases, in the order in which it goes: a batch of
 * what is told, a batch of questions, and so on. No question goes before what is to be
 * told about its key. What the database left out, because a row was locked, is told again
 * after a pause. Pure. */
#pragma once

#include "policyd/lease_book.h"

enum lease_note_kind {
	LEASE_QUESTION, /* to the database */
	LEASE_DELTA,
	LEASE_GRANT, /* and back */
	LEASE_UNHEARD,
	LEASE_LATER, /* the counter is locked, or the limit is gone */
	LEASE_DRY,   /* others need what is held of this key */
};

struct lease_note {
	struct lease_note *next;
	enum lease_note_kind kind;
	int64_t rule_id;
	union {
		struct lease_question question;
		struct lease_delta delta;
		struct lease_grant grant;
	};
	int64_t made_us; /* monotonic: what a delta's times count from */
	size_t who_len;
	char who[];
};
void lease_notes_free(struct lease_note **first);

struct lease_notes {
	struct lease_note *first, **last;
};
void lease_notes_init(struct lease_notes *notes);
void lease_notes_put(struct lease_notes *notes, struct lease_note *note);
/* All of from behind those of to. */
void lease_notes_move(struct lease_notes *to, struct lease_notes *from);

#define LEASE_QUEUE_SLOTS 4096
#define LEASE_LOCKED_MS 500

/* It does not move: its lists hold its address. */
struct lease_queue {
	struct lease_notes questions, deltas;
	struct lease_notes locked; /* deltas, until retry_ms */
	int64_t retry_ms;
	uint32_t owing[LEASE_QUEUE_SLOTS]; /* deltas not told yet, by a hash of the key */
};
void lease_queue_init(struct lease_queue *queue);
void lease_queue_put(struct lease_queue *queue, struct lease_note *note);
/* Take out at most max deltas; each comes back by lease_queue_told. */
void lease_queue_deltas(struct lease_queue *queue, struct lease_notes *out, size_t max,
                        int64_t now_ms);
/* The database took it, or left it out.
 *
 * Owner  note is freed, or the queue's again */
void lease_queue_told(struct lease_queue *queue, struct lease_note *note, bool is_locked,
                      int64_t now_ms);
/* Take out at most max questions that may go now. */
void lease_queue_questions(struct lease_queue *queue, struct lease_notes *out,
                           size_t max);
