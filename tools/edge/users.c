/* Ports that believe whoever speaks to them: users of this host that have no business
 * with them must not get there. */
#include <string.h>

#include "io/clock.h"
#include "tools/edge/look.h"
#include "tools/edge/pass.h"
#include "tools/identity.h"
#include "tools/probe.h"
#include "tools/settings_file.h"

#define NOBODY "nobody"
#define CONNECT_MS 3000

struct door {
	struct pw_ip ip;
	unsigned int port;
	const char *consequence;
};

static int try_door(void *arg)
{
	const struct door *door = arg;

	return (int)probe_tcp(door->ip, door->port, PROBE_CONNECT,
	                      pw_clock_mono_ms() + CONNECT_MS);
}

static bool is_open_to(const struct identity *who, struct door *door)
{
	int result = PROBE_UNREACHABLE;

	return identity_run(who, NULL, "/", try_door, door, &result) == PW_OK &&
	       result == PROBE_FINE;
}

static void look(struct check_report *report, const struct identity *who,
                 struct door *door)
{
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };

	if (!is_open_to(who, door))
		return;
	pw_ip_put(&address, door->ip);
	check_error(report, "every user of this host reaches %s port %u, and %s",
	            pw_buf_text(&address), door->port, door->consequence);
	check_cure(report, "postwardctl edge init (its edge/nftables.conf), then: "
	                   "systemctl enable --now nftables");
}

/* Of the hold listener: HOST:PORT. */
static bool parse_hold(struct door *door)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	struct pw_str text;
	size_t colon;

	settings_file_value(&value, "postward-origin", "hold_listener", "");
	text = pw_buf_str(&value);
	colon = pw_str_rfind(text, ':');
	door->port = postconf_port_number(pw_str_sub(text, colon + 1, text.len));
	return door->port != 0 &&
	       pw_ip_parse(&door->ip, pw_str_sub(text, 0, colon)) == PW_OK;
}

void edge_look_users(struct check_report *report, const struct check_context *context)
{
	static const unsigned int passed[] = { 465, 587, 993 };
	struct identity nobody;
	struct door door = { .consequence = "tells the inner host who the client is" };
	unsigned int port;

	(void)context;
	if (!edge_inner(report, &door.ip, &port))
		return;
	if (identity_find(&nobody, PW_STR(NOBODY)) != PW_OK) {
		check_skip(report, "there is no user " NOBODY);
		return;
	}
	door.port = port;
	look(report, &nobody, &door);
	for (size_t i = 0; i < PW_LEN(passed); i++) {
		door.port = passed[i] + EDGE_PASS_PORTS;
		look(report, &nobody, &door);
	}
	door.consequence = "puts mail into the queue";
	if (parse_hold(&door))
		look(report, &nobody, &door);
}
