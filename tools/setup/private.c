#include "tools/setup/private.h"

#include <stdio.h>
#include <string.h>

#include "core/origin.h"
#include "db/conninfo.h"
#include "io/child.h"
#include "tools/postconf.h"
#include "tools/setup/file.h"
#include "tools/setup/list.h"
#include "tools/stamp_keys.h"

#define SYSCTL_FILE "/etc/sysctl.d/60-postward.conf"
#define ORIGIN_FILE "/etc/postward/postward-origin.conf"
#define TIMEOUT_MS 30000

/* pg_lsclusters: version, name, port, ... Of the cluster with the connection's port. */
static bool find_cluster(const char *port, struct pw_str lines, struct pw_str out[2])
{
	while (lines.len > 0) {
		struct pw_str line = pw_str_cut(&lines, '\n'), field;

		if (postconf_next_item(&line, &out[0]) &&
		    postconf_next_item(&line, &out[1]) &&
		    postconf_next_item(&line, &field) &&
		    pw_str_eq(field, pw_str_from(port)))
			return true;
	}
	return false;
}

static void plan_cluster(struct setup_plan *plan, const struct setup_wish *wish,
                         struct pw_str version, struct pw_str name)
{
	struct setup_step step = { .owner = "root", .group = "root", .mode = 0644 };

	step.name = setup_text(plan, "/etc/postgresql/%.*s/%.*s/conf.d/postward.conf",
	                       PW_FMT(version), PW_FMT(name));
	step.value = setup_text(plan,
	                        "# Made by postwardctl setup: the VPN's address and "
	                        "loopback only.\nlisten_addresses = 'localhost,%s'\n",
	                        wish->listen);
	setup_plan_file(plan, &step);
	if (setup_plan_has_file(plan, step.name))
		setup_plan_add(plan,
		               &(struct setup_step){
				       .kind = SETUP_SERVE,
				       .name = setup_text(plan, "postgresql@%.*s-%.*s",
		                                          PW_FMT(version), PW_FMT(name)),
				       .value = "restart" });
}

static void plan_postgresql(struct setup_plan *plan, const struct setup_wish *wish)
{
	PW_AUTO(pw_buf_done) struct pw_buf port = { 0 }, lines = { 0 };
	struct pw_str cluster[2];
	int code = 0;

	if (!pw_db_conninfo_is_peer(wish->database) ||
	    pw_db_conninfo_value(&port, wish->database, "port", NULL) != PW_OK)
		return;
	if (pw_child_run((const char *const[]){ "pg_lsclusters", "-h", NULL },
	                 (struct pw_str){ 0 }, &lines, NULL, TIMEOUT_MS,
	                 &code) == PW_OK &&
	    code == 0 &&
	    find_cluster(port.len > 0 ? pw_buf_text(&port) : "5432", pw_buf_str(&lines),
	                 cluster))
		plan_cluster(plan, wish, cluster[0], cluster[1]);
}

void setup_plan_private(struct setup_plan *plan, const struct setup_wish *wish)
{
	struct setup_step step = {
		.name = SYSCTL_FILE, .owner = "root", .group = "root", .mode = 0644
	};
	static const char *const load[] = { "sysctl", "-q", "-p", SYSCTL_FILE, NULL };

	if (wish->listen == NULL)
		return;
	step.value =
		setup_text(plan,
	                   "# Made by postwardctl setup: services may start before the "
	                   "VPN has its address.\nnet.%s.ip_nonlocal_bind = 1\n",
	                   strchr(wish->listen, ':') != NULL ? "ipv6" : "ipv4");
	setup_plan_file(plan, &step);
	if (setup_plan_has_file(plan, SYSCTL_FILE))
		setup_plan_add(plan,
		               &(struct setup_step){ .kind = SETUP_RUN,
		                                     .name = "sysctl -q -p " SYSCTL_FILE,
		                                     .argv = load });
	if ((wish->role & SETUP_EDGE) == 0)
		plan_postgresql(plan, wish);
}

/* Those that postward-origin never sends as an origin anyway. */
static bool is_private(const char *address)
{
	struct pw_ip ip;

	return pw_ip_parse(&ip, pw_str_from(address)) == PW_OK &&
	       pw_origin_kind(ip) != PW_ORIGIN_PUBLIC;
}

/* The peer's port 25, or another one of it that stands there. */
static const char *inner_of(struct setup_plan *plan, const char *peer, struct pw_str now)
{
	const char *host =
		setup_text(plan, strchr(peer, ':') != NULL ? "[%s]:" : "%s:", peer);

	return pw_str_starts(setup_conf_value(now, "inner"), pw_str_from(host))
	               ? NULL
	               : setup_text(plan, "%s25", host);
}

const char *setup_origin_text(struct setup_plan *plan, const struct setup_wish *wish,
                              const char *now)
{
	const struct {
		const char *name, *value;
	} pairs[] = {
		{ "inner", inner_of(plan, wish->peer, pw_str_from(now)) },
		{ "trace_name", wish->hostname },
		{ "private_networks",
		  is_private(wish->peer)
		          ? NULL
		          : setup_text(plan, "%s %s", wish->peer, wish->listen) },
		{ "fallback", wish->fallback },
		{ "hold_listener", setup_wish_queues(wish) ? SETUP_HOLD : NULL },
		{ "stamp_keys",
		  setup_conf_value(pw_str_from(now), "stamp_keys").at != NULL
		          ? NULL
		          : STAMP_KEYS_FILE },
	};
	const char *text = now;

	for (size_t i = 0; i < PW_LEN(pairs); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf next = { 0 };

		if (pairs[i].value == NULL)
			continue;
		setup_conf_set(&next, pw_str_from(text), pairs[i].name, pairs[i].value);
		text = setup_text_of(plan, &next);
	}
	return text;
}

/* What waits in the queue tells postward-origin of its client what Postfix does not
 * keep. A key that is there stays. */
static void plan_stamp_keys(struct setup_plan *plan, int64_t now_s)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	struct setup_step step = { .name = STAMP_KEYS_FILE,
		                   .owner = STAMP_KEYS_OWNER,
		                   .group = STAMP_KEYS_OWNER,
		                   .mode = 0600,
		                   .is_secret = true };
	enum pw_status r = PW_OK;

	if ((step.value = setup_file_text(plan, STAMP_KEYS_FILE)) == NULL) {
		r = stamp_keys_first(&text, now_s);
		step.value = setup_text_of(plan, &text);
	}
	if (r != PW_OK && plan->status == PW_OK)
		plan->status = r;
	setup_plan_file(plan, &step);
}

void setup_plan_origin(struct setup_plan *plan, const struct setup_wish *wish,
                       int64_t now_ms)
{
	struct setup_step step = {
		.name = ORIGIN_FILE, .owner = "root", .group = "postward", .mode = 0640
	};
	const char *now = setup_file_text(plan, ORIGIN_FILE);

	step.value = setup_origin_text(plan, wish, now != NULL ? now : "");
	setup_plan_file(plan, &step);
	/* a setting of one's own names a file of one's own */
	if (pw_str_contains(pw_str_from(step.value),
	                    PW_STR("\nstamp_keys = " STAMP_KEYS_FILE "\n")))
		plan_stamp_keys(plan, now_ms / 1000);
}
