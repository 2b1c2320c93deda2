#include "policyd/daemon.h"

#include <signal.h>
#include <sys/random.h>

#include "io/clock.h"
#include "io/log.h"
#include "io/notify.h"

int64_t daemon_now_us(void)
{
	return pw_clock_mono_ms() * 1000;
}

bool daemon_is_fresh(struct daemon *daemon)
{
	bool is_fresh = database_is_fresh(daemon->database);

	if (is_fresh)
		daemon->fresh_ms = pw_clock_mono_ms();
	return is_fresh;
}

/* ---- what happens in the loop */

/* There is a new catalog, or news of leases. */
static void on_woken(void *arg)
{
	struct daemon *daemon = arg;
	const struct catalog *before = daemon->world.catalog;

	daemon->world.catalog = database_catalog(daemon->database);
	if (daemon->world.catalog != NULL)
		changes_follow(daemon);
	if (daemon->world.catalog != before)
		usage_talk_catalog(daemon);
	leasing_woken(daemon);
	auth_share_turn(daemon);
	if (daemon->world.catalog != NULL && daemon->world.catalog != before)
		limit_talk_follow(daemon);
}

static void on_round(void *arg)
{
	leasing_round(arg);
}

static void on_tick(void *arg)
{
	struct daemon *daemon = arg;

	limit_talk_store(daemon);
	auth_share_tick(daemon);
	auth_tick(daemon);
	changes_tick(daemon);
	access_tick(daemon);
	http_tick(daemon);
	usage_talk_tick(daemon);
	(void)daemon_is_fresh(daemon);
	pw_count_set(&numbers, NUMBER_accounts, (int64_t)ledger_count(daemon->ledger));
	pw_count_set(&numbers, NUMBER_snapshot_age_ms, database_age_ms(daemon->database));
	pw_notify_watchdog();
}

static void apply_settings(struct daemon *daemon)
{
	const struct settings *set = daemon->settings;
	const struct server_limits limits = {
		.connections_max = (size_t)set->connections_max,
		.idle_timeout_ms = set->idle_timeout_ms,
		.answer_deadline_ms = set->answer_deadline_ms,
	};

	pw_log_open(settings_schema.program, set->common.log_target,
	            set->common.log_level);
	server_set_limits(daemon->server, &limits);
}

static void reload(struct daemon *daemon)
{
	PW_AUTO(pw_buf_done) struct pw_buf notes = { 0 };
	struct settings *fresh = NULL;
	enum pw_status r;

	pw_notify_reloading();
	r = pw_options_reload(&daemon->options, &settings_schema, &fresh,
	                      daemon->settings, &notes);
	pw_log_notes(r == PW_OK ? PW_LOG_WARNING : PW_LOG_ERROR, pw_buf_str(&notes));
	if (r == PW_OK) {
		pw_settings_free(&daemon->settings);
		daemon->settings = fresh;
		apply_settings(daemon);
	}
	pw_log(PW_LOG_INFO, "", PW_KV("event", r == PW_OK ? "reload" : "reload_refused"),
	       PW_KV_END);
	pw_count(&numbers, NUMBER_reloads, 1);
	database_poke(daemon->database);
	pw_notify_ready();
}

static void on_signal(void *arg, int signo)
{
	struct daemon *daemon = arg;

	switch (signo) {
	case SIGHUP:
		reload(daemon);
		break;
	case SIGUSR1:
		numbers_poke(daemon->numbers);
		break;
	default:
		pw_notify_stopping();
		server_stop(daemon->server);
	}
}

static const int signals[] = { SIGHUP, SIGUSR1, SIGTERM, SIGINT, 0 };

/* Before any thread starts: all inherit it. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; signals[i] != 0; i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ---- life */

static void on_changed(void *arg)
{
	server_wake(arg);
}

/* What systemd passes under the protocol's name wins over path; neither: nothing. */
static enum pw_status open_socket(struct daemon *daemon,
                                  const struct server_protocol *protocol,
                                  const char *path, struct pw_buf *why_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf spec = { 0 };

	if (pw_notify_listen_fd(protocol->name) >= 0)
		pw_buf_printf(&spec, "fd:%s", protocol->name);
	else if (path[0] != '\0')
		pw_buf_printf(&spec, "unix:%s", path);
	else
		return PW_OK;
	return server_listen(daemon->server, pw_buf_str(&spec), protocol, why_out);
}

/* A socket of systemd's stands for those we would make ourselves; others of the setting
 * are opened besides. */
static enum pw_status open_policy(struct daemon *daemon, struct pw_buf *why_out)
{
	struct pw_str rest = pw_str_from(daemon->settings->policy_socket);
	bool is_passed = pw_notify_listen_fd(daemon->policy.name) >= 0;
	enum pw_status r = PW_OK;

	if (is_passed)
		r = server_listen(daemon->server, PW_STR("fd:policy"), &daemon->policy,
		                  why_out);
	for (rest = pw_str_trim(rest); r == PW_OK && rest.len > 0;
	     rest = pw_str_trim(rest)) {
		struct pw_str spec = pw_str_cut(&rest, ' ');

		if (is_passed && (pw_str_starts(spec, PW_STR("unix:")) ||
		                  pw_str_eq(spec, PW_STR("fd:policy"))))
			continue;
		r = server_listen(daemon->server, spec, &daemon->policy, why_out);
	}
	return r;
}

static enum pw_status open_sockets(struct daemon *daemon, struct pw_buf *why_out)
{
	enum pw_status r;

	daemon->policy = policy_protocol;
	daemon->usage_protocol = usage_protocol;
	daemon->auth_protocol = auth_protocol;
	daemon->policy.arg = daemon->usage_protocol.arg = daemon->auth_protocol.arg =
		daemon;
	if ((r = open_policy(daemon, why_out)) != PW_OK)
		return r;
	if ((r = open_socket(daemon, &daemon->usage_protocol,
	                     daemon->settings->usage_socket, why_out)) != PW_OK)
		return r;
	if ((r = open_socket(daemon, &daemon->auth_protocol,
	                     daemon->settings->auth_socket, why_out)) != PW_OK)
		return r;
	daemon->map = map_protocol;
	daemon->map.arg = daemon;
	/* a host whose tables are SQL's may have no place for it */
	if (open_socket(daemon, &daemon->map, daemon->settings->map_socket, why_out) !=
	    PW_OK) {
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "no_map_socket"),
		       PW_KV("why", pw_buf_str(why_out)), PW_KV_END);
		pw_buf_reset(why_out);
	}
	if ((r = bans_open(daemon, why_out)) != PW_OK)
		return r;
	return http_open(daemon, why_out);
}

static enum pw_status open_tables(struct daemon *daemon)
{
	static const enum request_stage commit_stages[] = { STAGE_END_OF_MESSAGE,
		                                            STAGE_DATA, STAGE_RCPT };
	struct decide_world *world = &daemon->world;
	enum pw_status r;

	if (getrandom(world->seed, sizeof(world->seed), 0) != sizeof(world->seed) ||
	    getrandom(daemon->auth_nonce, sizeof(daemon->auth_nonce), 0) !=
	            sizeof(daemon->auth_nonce))
		return PW_ERR_IO;
	if ((r = ledger_new(&daemon->ledger, world->seed, LEDGER_ACCOUNTS_MAX)) !=
	            PW_OK ||
	    (r = usage_new(&daemon->usage, world->seed)) != PW_OK ||
	    (r = guard_new(&daemon->guard, world->seed)) != PW_OK ||
	    (r = logins_new(&daemon->logins, world->seed)) != PW_OK ||
	    (r = standing_new(&daemon->standing, world->seed)) != PW_OK ||
	    (r = blocks_new(&daemon->blocks, world->seed)) != PW_OK ||
	    (r = grey_new(&daemon->grey, world->seed)) != PW_OK ||
	    (r = stolen_new(&daemon->stolen, world->seed)) != PW_OK)
		return r;
	world->blocks = daemon->blocks;
	world->grey = daemon->grey;
	world->standing = daemon->standing;
	world->ledger = daemon->ledger;
	world->usage = daemon->usage;
	world->commit_stage = commit_stages[daemon->settings->commit_stage];
	return PW_OK;
}

/* In the thread of the chores. */
static void on_chore(void *arg, const struct chores_event *event)
{
	database_put_chore(arg, event);
}

static enum pw_status start_chores(struct daemon *daemon)
{
	const struct chores_config config = { daemon->settings->doveadm_socket,
		                              daemon->settings->lmtp_socket, on_chore,
		                              daemon->database };

	return chores_start(&daemon->chores, &config);
}

enum pw_status daemon_start(struct daemon *daemon, struct pw_buf *why_out)
{
	const struct server_events events = { on_woken, on_tick, on_signal, daemon,
		                              on_round };
	enum pw_status r;

	block_signals();
	daemon->started_ms = daemon->fresh_ms = pw_clock_mono_ms();
	if ((r = open_tables(daemon)) != PW_OK ||
	    (r = server_new(&daemon->server, &events, signals)) != PW_OK)
		return r;
	apply_settings(daemon);
	if ((r = open_sockets(daemon, why_out)) != PW_OK ||
	    (r = database_open(&daemon->database, daemon->settings, on_changed,
	                       daemon->server, why_out)) != PW_OK ||
	    (r = leasing_start(daemon, why_out)) != PW_OK ||
	    (r = auth_share_start(daemon, why_out)) != PW_OK ||
	    (r = start_chores(daemon)) != PW_OK ||
	    (r = numbers_start(&daemon->numbers,
	                       daemon->settings->common.state_directory)) != PW_OK)
		return r;
	on_woken(daemon); /* a copy on disk may have been loaded */
	return PW_OK;
}

enum pw_status daemon_run(struct daemon *daemon)
{
	enum pw_status r;

	pw_log(PW_LOG_INFO, "", PW_KV("event", "start"), PW_KV("version", PW_VERSION),
	       PW_KV_END);
	pw_notify_ready();
	r = server_run(daemon->server);
	pw_log(PW_LOG_INFO, "", PW_KV("event", "stop"),
	       r != PW_OK ? PW_KV("why", pw_status_text(r)) : PW_KV_NONE, PW_KV_END);
	return r;
}

void daemon_done(struct daemon *daemon)
{
	chores_stop(&daemon->chores); /* it writes rows: before the database */
	auth_share_stop(daemon);
	leasing_stop(daemon);
	if (daemon->database != NULL) {
		limit_talk_store(daemon);
		usage_talk_store(daemon);
		database_drain(daemon->database, daemon->settings->drain_timeout_ms);
	}
	numbers_stop(&daemon->numbers);
	/* the snapshot's thread wakes the server: that goes first */
	database_close(&daemon->database);
	http_close(daemon);
	server_free(&daemon->server);
	bans_close(daemon);
	logins_free(&daemon->logins);
	guard_free(&daemon->guard);
	blocks_free(&daemon->blocks);
	standing_free(&daemon->standing);
	usage_free(&daemon->usage);
	grey_free(&daemon->grey);
	stolen_free(&daemon->stolen);
	pw_db_result_free(&daemon->grey_rows);
	lease_book_free(&daemon->leases);
	ledger_free(&daemon->ledger);
	pw_settings_free(&daemon->settings);
}
