/* Between the book of leases and the thread that asks the database: once a round what is
 * to be asked and told goes out, and whenever the thread wakes us its answers come in. */
#include <time.h>

#include "db/program.h"
#include "io/clock.h"
#include "policyd/daemon.h"

/* An answer is on its way before its deadline. */
#define MARGIN_MS 50
#define POLL_MS 5

static void update_link(struct daemon *daemon)
{
	struct lease_db_state state = lease_db_state(daemon->lease_db);
	int64_t wait_ms = daemon->settings->db_wait_ms;
	bool hangs = state.busy_since_ms != 0 &&
	             pw_clock_mono_ms() - state.busy_since_ms >= wait_ms;
	const struct lease_link link = { .nodes = state.nodes,
		                         .wait_us = wait_ms * 1000,
		                         .is_away = !state.is_up || hangs };

	lease_book_link(daemon->leases, &link);
	daemon->has_link = state.has_tried;
	daemon->world.wait_max_us =
		(daemon->settings->answer_deadline_ms > 2 * MARGIN_MS
	                 ? daemon->settings->answer_deadline_ms - MARGIN_MS
	                 : daemon->settings->answer_deadline_ms / 2) *
		1000;
	pw_count_set(&numbers, NUMBER_nodes, state.nodes);
}

void leasing_woken(struct daemon *daemon)
{
	PW_AUTO(lease_notes_free)
	struct lease_note *first = lease_db_take(daemon->lease_db);
	int64_t now_us = daemon_now_us();

	for (const struct lease_note *note = first; note != NULL; note = note->next) {
		struct pw_str who = { note->who, note->who_len };

		if (note->kind == LEASE_DRY) {
			lease_book_dry(daemon->leases, note->rule_id, who, now_us);
			continue;
		}
		pw_count(&numbers, NUMBER_lease_unheard,
		         note->kind == LEASE_UNHEARD || note->kind == LEASE_LATER);
		if (note->kind == LEASE_LATER) {
			lease_book_later(daemon->leases, note->rule_id, who, now_us);
			continue;
		}
		lease_book_hear(daemon->leases, note->rule_id, who,
		                note->kind == LEASE_GRANT ? &note->grant : NULL, now_us);
	}
	update_link(daemon);
}

static void send_deltas(struct daemon *daemon, int64_t now_us)
{
	struct lease_item item;

	while (lease_book_next_delta(daemon->leases, &item, now_us)) {
		pw_count(&numbers, NUMBER_settled, item.delta.used);
		if (lease_db_put(daemon->lease_db, LEASE_DELTA, &item, now_us) != PW_OK)
			break; /* unspent tokens flow back by themselves */
	}
}

void leasing_round(struct daemon *daemon)
{
	int64_t now_us = daemon_now_us();
	struct lease_item item;

	while (lease_book_next_question(daemon->leases, &item, now_us)) {
		pw_count(&numbers, NUMBER_lease_questions, 1);
		if (lease_db_put(daemon->lease_db, LEASE_QUESTION, &item, now_us) !=
		    PW_OK)
			lease_book_hear(daemon->leases, item.rule_id, item.who, NULL,
			                now_us);
	}
	send_deltas(daemon, now_us);
	lease_db_send(daemon->lease_db);
	if (now_us == daemon->linked_us)
		return; /* it takes a lock: once a millisecond is enough */
	daemon->linked_us = now_us;
	update_link(daemon);
	pw_count_set(&numbers, NUMBER_leases, (int64_t)lease_book_count(daemon->leases));
}

static void on_woken(void *server)
{
	server_wake(server);
}

enum pw_status leasing_start(struct daemon *daemon, struct pw_buf *why_out)
{
	const struct pw_db_config config =
		pw_db_config_from(&daemon->settings->common, settings_schema.program);
	enum pw_status r;

	if ((r = lease_book_new(&daemon->leases, daemon->ledger)) != PW_OK ||
	    (r = lease_db_open(&daemon->lease_db, &config, on_woken, daemon->server,
	                       why_out)) != PW_OK)
		return r;
	daemon->world.leases = daemon->leases;
	update_link(daemon);
	return PW_OK;
}

/* The answers that are still on their way hold tokens too. */
static void await_answers(struct daemon *daemon, int64_t deadline_ms)
{
	const struct timespec pause = { .tv_nsec = (long)POLL_MS * 1000000 };

	lease_db_send(daemon->lease_db);
	while (lease_db_state(daemon->lease_db).unanswered > 0 &&
	       pw_clock_mono_ms() < deadline_ms) {
		leasing_woken(daemon);
		nanosleep(&pause, NULL);
	}
	leasing_woken(daemon);
}

void leasing_stop(struct daemon *daemon)
{
	int64_t deadline_ms, left_ms;

	/* the start failed, perhaps before any setting was read */
	if (daemon->lease_db == NULL)
		return;
	deadline_ms = pw_clock_mono_ms() + daemon->settings->drain_timeout_ms;
	await_answers(daemon, deadline_ms);
	lease_book_end(daemon->leases);
	send_deltas(daemon, daemon_now_us());
	left_ms = deadline_ms - pw_clock_mono_ms();
	lease_db_drain(daemon->lease_db, left_ms > 0 ? left_ms : 0);
	lease_db_close(&daemon->lease_db);
}
