/* What goes to the database about leases, and in which order. */
#include "../table.h"

#include <stdlib.h>
#include <string.h>

#include "policyd/lease_queue.h"

struct bed {
	struct lease_queue queue;
	struct lease_notes out;
};

static void put(struct bed *bed, enum lease_note_kind kind, int64_t rule_id,
                const char *who)
{
	struct lease_note *note = calloc(1, sizeof(*note) + strlen(who));

	assert_non_null(note);
	note->kind = kind;
	note->rule_id = rule_id;
	note->who_len = strlen(who);
	memcpy(note->who, who, note->who_len);
	lease_queue_put(&bed->queue, note);
}

static void begin(struct bed *bed)
{
	lease_queue_init(&bed->queue);
	lease_notes_init(&bed->out);
}

/* The notes that came out, "ann bob". */
static void check_out(const struct bed *bed, const char *want)
{
	char got[200] = "";

	for (const struct lease_note *note = bed->out.first; note != NULL;
	     note = note->next) {
		strncat(got, note->who, note->who_len);
		strcat(got, note->next != NULL ? " " : "");
	}
	assert_string_equal(got, want);
}

static void end(struct bed *bed)
{
	lease_notes_free(&bed->out.first);
	lease_notes_free(&bed->queue.questions.first);
	lease_notes_free(&bed->queue.deltas.first);
	lease_notes_free(&bed->queue.locked.first);
}

static void questions(struct bed *bed, size_t max, const char *want)
{
	lease_notes_free(&bed->out.first);
	lease_notes_init(&bed->out);
	lease_queue_questions(&bed->queue, &bed->out, max);
	check_out(bed, want);
}

static void goes_in_its_order_and_in_batches(void **state)
{
	struct bed bed;

	(void)state;
	begin(&bed);
	put(&bed, LEASE_QUESTION, 1, "ann");
	put(&bed, LEASE_QUESTION, 1, "bob");
	put(&bed, LEASE_QUESTION, 1, "eve");
	questions(&bed, 2, "ann bob");
	questions(&bed, 2, "eve");
	questions(&bed, 2, "");
	end(&bed);
}

static void a_question_waits_for_what_is_told_about_its_key(void **state)
{
	struct bed bed;
	struct lease_note *note;

	(void)state;
	begin(&bed);
	put(&bed, LEASE_DELTA, 1, "ann");
	put(&bed, LEASE_QUESTION, 1, "ann");
	put(&bed, LEASE_QUESTION, 2, "ann"); /* under another rule: another key */
	put(&bed, LEASE_QUESTION, 1, "bob");
	questions(&bed, 9, "ann bob");
	assert_int_equal(bed.out.first->rule_id, 2);
	lease_notes_free(&bed.out.first);
	lease_notes_init(&bed.out);
	lease_queue_deltas(&bed.queue, &bed.out, 9, 0);
	check_out(&bed, "ann");
	note = bed.out.first;
	lease_notes_init(&bed.out);
	questions(&bed, 9, ""); /* it is on its way */
	lease_queue_told(&bed.queue, note, false, 0);
	questions(&bed, 9, "ann");
	end(&bed);
}

static void what_was_locked_is_told_again_after_a_pause(void **state)
{
	struct bed bed;
	struct lease_note *note;

	(void)state;
	begin(&bed);
	put(&bed, LEASE_DELTA, 1, "ann");
	put(&bed, LEASE_DELTA, 1, "bob");
	lease_queue_deltas(&bed.queue, &bed.out, 1, 1000);
	check_out(&bed, "ann");
	note = bed.out.first;
	lease_notes_init(&bed.out);
	lease_queue_told(&bed.queue, note, true, 1000);
	put(&bed, LEASE_QUESTION, 1, "ann");
	questions(&bed, 9, "");
	lease_queue_deltas(&bed.queue, &bed.out, 9, 1000 + LEASE_LOCKED_MS - 1);
	check_out(&bed, "bob");
	lease_notes_free(&bed.out.first);
	lease_notes_init(&bed.out);
	lease_queue_deltas(&bed.queue, &bed.out, 9, 1000 + LEASE_LOCKED_MS);
	check_out(&bed, "ann");
	end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_in_its_order_and_in_batches),
		cmocka_unit_test(a_question_waits_for_what_is_told_about_its_key),
		cmocka_unit_test(what_was_locked_is_told_again_after_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
