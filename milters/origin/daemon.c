#include "origin/daemon.h"

#include "io/log.h"
#include "origin/counters.h"
#include "origin/settings.h"

static enum pw_status open_fallback(struct daemon *daemon)
{
	const struct kit_held *held = kit_live_get(daemon->live);
	const struct settings *set = held->set;
	enum pw_status r = fallback_open(&daemon->fallback, set->common.state_directory,
	                                 (size_t)set->recipients_max, set->dns_servers);

	if (r != PW_OK)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "start"),
		       PW_KV("why", "no place to remember what is in doubt"),
		       PW_KV("status", pw_status_text(r)), PW_KV_END);
	kit_live_put(daemon->live, &held);
	return r;
}

enum pw_status daemon_open(struct daemon *daemon)
{
	return open_fallback(daemon);
}

void daemon_close(struct daemon *daemon)
{
	fallback_close(&daemon->fallback);
}

static enum pw_status reload(void *user)
{
	struct daemon *daemon = user;

	return kit_live_reload(daemon->live);
}

static void report(void *user)
{
	struct daemon *daemon = user;
	const struct kit_held *held = kit_live_get(daemon->live);
	const struct settings *set = held->set;

	pw_count_set(&counters, COUNT_sessions, kit_sessions());
	pw_count_set(&counters, COUNT_recipients_known,
	             (int64_t)known_count(daemon->fallback->known));
	known_write(daemon->fallback->known, set->recipients_age_ms);
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
	kit_live_put(daemon->live, &held);
}
