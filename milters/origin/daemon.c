#include "origin/daemon.h"

#include "io/log.h"
#include "origin/counters.h"
#include "origin/settings.h"

static enum pw_status open_role(struct daemon *daemon, const struct settings *set)
{
	if (set->role == ROLE_INNER)
		return inner_open(&daemon->inner, set->common.state_directory);
	return fallback_open(&daemon->fallback, set->common.state_directory,
	                     (size_t)set->recipients_max, set->dns_servers);
}

enum pw_status daemon_open(struct daemon *daemon)
{
	const struct kit_held *held = kit_live_get(daemon->live);
	enum pw_status r = open_role(daemon, held->set);

	if (r == PW_OK && daemon->fallback)
		r = listener_open(&daemon->listener, daemon->live, daemon->fallback);
	else if (r != PW_OK)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "start"),
		       PW_KV("why", "no place to remember what has been here"),
		       PW_KV("status", pw_status_text(r)), PW_KV_END);
	kit_live_put(daemon->live, &held);
	return r;
}

void daemon_close(struct daemon *daemon)
{
	listener_close(&daemon->listener);
	fallback_close(&daemon->fallback);
	inner_close(&daemon->inner);
}

static enum pw_status reload(void *user)
{
	struct daemon *daemon = user;

	return kit_live_reload(daemon->live);
}

static void report_fallback(struct fallback *fallback, const struct settings *set)
{
	pw_count_set(&counters, COUNT_recipients_known,
	             (int64_t)known_count(fallback->known));
	known_write(fallback->known, set->recipients_age_ms);
}

static void stop(void *user)
{
	struct daemon *daemon = user;

	if (daemon->listener)
		listener_stop(daemon->listener);
}

static int64_t others(void *user)
{
	struct daemon *daemon = user;

	return daemon->listener ? listener_sessions(daemon->listener) : 0;
}

static void report(void *user)
{
	struct daemon *daemon = user;
	const struct kit_held *held = kit_live_get(daemon->live);
	const struct settings *set = held->set;

	pw_count_set(&counters, COUNT_sessions, kit_sessions());
	pw_count_set(&counters, COUNT_listener_sessions, others(daemon));
	if (daemon->fallback)
		report_fallback(daemon->fallback, set);
	if (pw_counters_write(&counters, set->common.state_directory) != PW_OK)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "counters"),
		       PW_KV("why", "cannot be written"),
		       PW_KV("state_directory", set->common.state_directory), PW_KV_END);
	kit_live_put(daemon->live, &held);
}

void daemon_describe(struct kit_daemon *kit, struct daemon *daemon)
{
	const struct kit_held *held = kit_live_get(daemon->live);
	const struct settings *set = held->set; /* these two do not change at reload */

	kit->socket = set->socket;
	kit->drain_ms = set->drain_deadline_ms;
	kit->user = daemon;
	kit->reload = reload;
	kit->report = report;
	kit->stop = stop;
	kit->others = others;
	kit_live_put(daemon->live, &held);
}
