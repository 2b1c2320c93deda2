/* What follows from an answer to Postfix besides the answer: rows of the greylist, what
 * is tried out in the log, accounts that look stolen. And what is remembered of them. */
#include <string.h>

#include "core/address.h"
#include "io/clock.h"
#include "io/log.h"
#include "policyd/daemon.h"

/* Stored rows taken over in one go: the loop has questions to answer. */
#define ROWS_PER_TURN 20000

/* ---- what was tried out */

static void log_trial(const struct decision *decision, const struct request *request)
{
	PW_AUTO(pw_buf_done) struct pw_buf id = { 0 };
	const struct decide_trial *trial = &decision->trial;

	if (trial->cause == CAUSE_NONE)
		return;
	pw_count(&numbers, NUMBER_dry_run, 1);
	pw_buf_puts(&id, request->queue_id);
	pw_log(PW_LOG_INFO, id.len > 0 ? pw_buf_text(&id) : NULL,
	       PW_KV("action", "dunno"), PW_KV("cause", decide_cause_name(trial->cause)),
	       PW_KV("dry_run", "yes"),
	       PW_KV_PEER("client", request->client_name, request->client_address),
	       request->login.len > 0 ? PW_KV("login", request->login) : PW_KV_NONE,
	       PW_KV_ADDR("from", request->sender),
	       PW_KV_ADDR("rcpt", request->recipient),
	       trial->row != 0 ? PW_KV_INT("row", trial->row) : PW_KV_NONE, PW_KV_END);
}

/* ---- stolen accounts */

/* Does an address tell where the login is used? Through a webmail come all of them. */
static bool tells_place(const struct daemon *daemon, struct pw_ip ip)
{
	return ip.family != PW_IP_NONE && !pw_ip_is_loopback(ip) &&
	       !catalog_is_exempt(daemon->world.catalog, ip);
}

static void raise_alarm(struct daemon *daemon, struct pw_str login,
                        const struct stolen_alarm *alarm, const struct stolen_rule *rule)
{
	pw_count(&numbers, NUMBER_stolen, 1);
	pw_log(PW_LOG_WARNING, "", PW_KV("event", "stolen_account"),
	       PW_KV("login", login),
	       PW_KV("why", alarm->why == STOLEN_NETWORKS ? "networks" : "volume"),
	       PW_KV_INT("count", alarm->count), PW_KV_INT("limit", alarm->limit),
	       PW_KV_END);
	database_put_stolen(daemon->database, login, alarm, rule->window_ms);
}

void access_logged_in(struct daemon *daemon, struct pw_str login, struct pw_ip ip)
{
	const struct access_settings *set;
	struct stolen_alarm alarm;

	if (daemon->world.catalog == NULL || !tells_place(daemon, ip))
		return;
	set = catalog_access_settings(daemon->world.catalog);
	if (!access_settings_exempts(set, login) &&
	    stolen_note_client(daemon->stolen, &alarm, &set->stolen, login, ip,
	                       pw_clock_mono_ms()))
		raise_alarm(daemon, login, &alarm, &set->stolen);
}

static void sent_message(struct daemon *daemon, struct pw_str login)
{
	const struct access_settings *set =
		catalog_access_settings(daemon->world.catalog);
	struct stolen_rule rule = set->stolen;
	struct stolen_alarm alarm;
	int64_t busiest;

	if (!daemon->knows_habits)
		rule.messages = 0; /* what is usual cannot be known yet */
	if (access_settings_exempts(set, login))
		return;
	if (stolen_note_message(daemon->stolen, &alarm, &rule, login, pw_clock_mono_ms()))
		raise_alarm(daemon, login, &alarm, &set->stolen);
	if (stolen_tell_busiest(daemon->stolen, login, &busiest))
		database_put_habit(daemon->database, login, busiest);
}

/* A login that goes on sending: from where, and at the end of a message how many. */
static void watch_login(struct daemon *daemon, const struct decision *decision,
                        const struct request *request)
{
	bool is_rcpt = request->stage == STAGE_RCPT;
	bool is_message = decision->is_sent ||
	                  (is_rcpt && daemon->world.commit_stage == STAGE_RCPT);
	char room[512];
	PW_AUTO(pw_buf_done) struct pw_buf login = PW_BUF_IN(room);
	struct pw_ip ip = { .family = PW_IP_NONE };

	if ((!is_rcpt && !is_message) || request->login.len == 0 ||
	    decision->verdict != DECIDE_DUNNO || daemon->world.catalog == NULL ||
	    pw_address_normalise(&login, request->login) != PW_OK)
		return;
	if (is_rcpt && pw_ip_parse(&ip, request->client_address) == PW_OK)
		access_logged_in(daemon, pw_buf_str(&login), pw_ip_unmap(ip));
	if (is_message)
		sent_message(daemon, pw_buf_str(&login));
}

void access_store(struct daemon *daemon, const struct decision *decision)
{
	for (size_t i = 0; i < decision->grey.row_count; i++)
		database_put_grey(daemon->database, &decision->grey.rows[i]);
}

void access_answered(struct daemon *daemon, const struct decision *decision,
                     const struct request *request)
{
	log_trial(decision, request);
	watch_login(daemon, decision, request);
}

/* ---- what is remembered */

static void take_habits(struct daemon *daemon)
{
	PW_AUTO(pw_db_result_free)
	struct pw_db_result *rows = recall_take_habits(database_recall(daemon->database));
	int64_t wall_ms = pw_clock_wall_ms(), now_ms = pw_clock_mono_ms();

	daemon->knows_habits |= rows != NULL;
	/* the latest last: they stay */
	for (size_t i = rows != NULL ? pw_db_rows(rows) : 0; i-- > 0;)
		stolen_set_busiest(daemon->stolen, pw_db_value(rows, i, 0),
		                   pw_db_int(rows, i, 1, 0),
		                   wall_ms - pw_db_int(rows, i, 2, wall_ms), now_ms);
}

static void take_grey_row(struct daemon *daemon, size_t i)
{
	const struct pw_db_result *rows = daemon->grey_rows;
	const struct grey_row row = { pw_db_value(rows, i, 0),
		                      pw_db_value(rows, i, 1),
		                      pw_db_value(rows, i, 2),
		                      { pw_db_int(rows, i, 3, 0),
		                        pw_db_int(rows, i, 4, 0),
		                        pw_db_int(rows, i, 5, 0) } };

	grey_take(daemon->grey, &catalog_access_settings(daemon->world.catalog)->greylist,
	          &row);
}

static void take_greylist(struct daemon *daemon)
{
	if (daemon->grey_rows == NULL) {
		daemon->grey_rows =
			recall_take_greylist(database_recall(daemon->database));
		daemon->grey_row = 0;
	}
	if (daemon->grey_rows == NULL)
		return;
	for (size_t n = 0; n < ROWS_PER_TURN; n++) {
		if (daemon->grey_row == pw_db_rows(daemon->grey_rows)) {
			pw_db_result_free(&daemon->grey_rows);
			daemon->world.knows_grey = true;
			return;
		}
		take_grey_row(daemon, daemon->grey_row++);
	}
}

void access_tick(struct daemon *daemon)
{
	const struct catalog *catalog = daemon->world.catalog;

	if (catalog == NULL)
		return;
	recall_want_greylist(database_recall(daemon->database),
	                     catalog_access_settings(catalog)->greylist_mode !=
	                             GREYLIST_OFF);
	take_habits(daemon);
	take_greylist(daemon);
	pw_count_set(&numbers, NUMBER_greylist_entries,
	             (int64_t)grey_count(daemon->grey));
}
