/* The edge's own Postfix: what it believes, and where its queue leads. Reads settings
 * alone. */
#include <inttypes.h>

#include "io/clock.h"
#include "io/file.h"
#include "tools/edge/look.h"
#include "tools/probe.h"
#include "tools/settings_file.h"

#define SOCKET_MS 5000
#define SOON_S INT64_C(1209600) /* two weeks */

#define QUEUE "postward"
#define QUEUE_TRANSPORT "postward:unix:postward/queue.sock"

static void need_empty(struct check_report *report, const struct postconf *conf,
                       const struct postconf_service *s, const char *name,
                       const char *consequence)
{
	PW_AUTO(pw_buf_done) struct pw_buf command = { 0 };
	struct pw_str value = postconf_value(conf, s, name);

	if (value.len == 0)
		return;
	check_error(report, "%.*s: %s is \"%.*s\": %s", PW_FMT(s->name), name,
	            PW_FMT(value), consequence);
	postconf_put_command(&command, conf, s, name, PW_STR(""));
	check_cure(report, "%s", pw_buf_text(&command));
}

void judge_edge_listeners(struct check_report *report, const struct postconf *conf)
{
	for (size_t i = 0; i < conf->count; i++) {
		const struct postconf_service *s = &conf->services[i];

		if (pw_str_eq(s->program, PW_STR("postscreen")))
			need_empty(report, conf, s, "postscreen_upstream_proxy_protocol",
			           "every stranger says who he is");
		if (!postconf_is_public(s))
			continue;
		need_empty(report, conf, s, "smtpd_authorized_xclient_hosts",
		           "whoever that is says who the client is");
		need_empty(report, conf, s, "smtpd_authorized_xforward_hosts",
		           "what waits in the queue arrives with any address");
		if (!pw_str_eq(s->type, PW_STR("pass")))
			need_empty(report, conf, s, "smtpd_upstream_proxy_protocol",
			           "every stranger says who he is");
	}
}

static const struct postconf_service *find(const struct postconf *conf,
                                           struct pw_str name)
{
	for (size_t i = 0; i < conf->count; i++)
		if (pw_str_eq(conf->services[i].name, name))
			return &conf->services[i];
	return NULL;
}

static void judge_transport(struct check_report *report, const struct postconf *conf)
{
	const struct postconf_service *s = find(conf, PW_STR(QUEUE));
	struct pw_str way = postconf_value(conf, NULL, "relay_transport");

	if (!pw_str_starts(way, PW_STR(QUEUE ":"))) {
		check_error(report,
		            "relay_transport is \"%.*s\": what waits in the queue "
		            "reaches the inner host as mail of the edge itself, or not",
		            PW_FMT(way));
		check_cure(report, "postconf -e 'relay_transport = " QUEUE_TRANSPORT
		                   "' && postfix reload");
		return;
	}
	if (s == NULL) {
		check_error(report, "master.cf has no service " QUEUE ", which "
		                    "relay_transport names");
		check_cure(report, "postwardctl setup --yes");
	} else if (!postconf_is(conf, s, "lmtp_send_xforward_command", "yes")) {
		check_error(report, QUEUE ": lmtp_send_xforward_command is not yes: what "
		                          "waits in the queue loses its client");
		check_cure(report, "postconf -P '" QUEUE
		                   "/unix/lmtp_send_xforward_command=yes' && postfix "
		                   "reload");
	}
}

void judge_edge_queue(struct check_report *report, const struct postconf *conf,
                      struct pw_str hold)
{
	const struct postconf_service *s;

	judge_transport(report, conf);
	if (hold.len == 0)
		return;
	if ((s = find(conf, hold)) == NULL) {
		check_error(report,
		            "master.cf has no service %.*s, which hold_listener "
		            "names: mail refused late stays in the queue",
		            PW_FMT(hold));
		check_cure(report, "postwardctl setup --yes");
	} else if (!pw_str_contains(
			   postconf_value(conf, s, "smtpd_recipient_restrictions"),
			   PW_STR("HOLD"))) {
		check_error(report,
		            "%.*s does not put on hold what postward-origin "
		            "brings there: it goes round",
		            PW_FMT(hold));
		check_cure(report,
		           "postconf -P '%.*s/inet/smtpd_recipient_restrictions="
		           "check_recipient_access,static:HOLD' && postfix reload",
		           PW_FMT(hold));
	}
}

/* ---- stamps ---- */

void judge_stamp_keys(struct check_report *report, const struct pw_stamp_keys *keys,
                      int64_t now_s)
{
	const struct pw_stamp_key *key = pw_stamp_keys_signer(keys, now_s);

	if (key == NULL) {
		check_warning(report,
		              "no key whose time it is: nothing is stamped, and "
		              "what waits in the queue loses login and TLS of its "
		              "client");
		check_cure(report, "postwardctl edge keys new && systemctl reload "
		                   "postward-origin");
		return;
	}
	for (size_t i = 0; i < keys->count; i++)
		if (keys->keys[i].not_before_s <= now_s + SOON_S &&
		    keys->keys[i].not_after_s > now_s + SOON_S)
			return;
	check_warning(report,
	              "the key with which mail is stamped ends in %" PRId64
	              " days, and none follows",
	              (key->not_after_s - now_s) / 86400);
	check_cure(report,
	           "postwardctl edge keys new && systemctl reload postward-origin");
}

void edge_look_stamps(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 }, why = { 0 };
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys = { 0 };
	enum pw_status r;

	(void)context;
	settings_file_value(&path, "postward-origin", "stamp_keys", "");
	if (path.len == 0) {
		check_skip(report, "no stamps are made");
		return;
	}
	r = pw_file_read(&text, pw_buf_text(&path), PW_STAMP_KEY_FILE_MAX);
	if (r == PW_OK)
		r = pw_stamp_keys_parse(&keys, pw_buf_str(&text), &why);
	if (r == PW_OK) {
		judge_stamp_keys(report, &keys, pw_clock_wall_ms() / 1000);
	} else if (r == PW_ERR_DENIED) {
		check_blind(report, "%s: %s", pw_buf_text(&path), pw_status_text(r));
		check_cure(report, "sudo postwardctl check");
	} else {
		check_error(report, "%s: %s", pw_buf_text(&path),
		            why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
		check_cure(report, "postwardctl edge keys list");
	}
}

/* ---- facts ---- */

static bool is_readable(struct check_report *report, const struct check_context *context)
{
	if (context->postfix.count == 0)
		check_blind(report, "%.*s", PW_FMT(context->postfix_why));
	return context->postfix.count > 0;
}

void edge_look_listeners(struct check_report *report, const struct check_context *context)
{
	if (is_readable(report, context))
		judge_edge_listeners(report, &context->postfix);
}

/* Does somebody listen where the queue's mail is handed over? */
static void look_at_socket(struct check_report *report,
                           const struct check_context *context)
{
	static const char way[] = QUEUE ":unix:";
	struct pw_str target = postconf_value(&context->postfix, NULL, "relay_transport");
	struct pw_str folder = postconf_value(&context->postfix, NULL, "queue_directory");
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	enum probe_result result;

	if (!pw_str_starts(target, PW_STR(QUEUE ":unix:")))
		return;
	target = pw_str_sub(target, sizeof(way) - 1, target.len);
	pw_buf_printf(&path, "%.*s/%.*s", PW_FMT(folder), PW_FMT(target));
	result = probe_unix(pw_buf_text(&path), PROBE_SMTP,
	                    pw_clock_mono_ms() + SOCKET_MS);
	if (result == PROBE_FINE)
		return;
	if (result == PROBE_DENIED) {
		check_blind(report, "%s: %s", pw_buf_text(&path), probe_text(result));
		check_cure(report, "sudo postwardctl check");
		return;
	}
	check_error(report, "%s: %s: what waits in the queue stays there",
	            pw_buf_text(&path), probe_text(result));
	check_cure(report, "systemctl restart postward-origin-queue.socket "
	                   "postward-origin.service");
}

void edge_look_queue(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf hold = { 0 };

	settings_file_value(&hold, "postward-origin", "hold_listener", "");
	if (!is_readable(report, context))
		return;
	judge_edge_queue(report, &context->postfix, pw_buf_str(&hold));
	look_at_socket(report, context);
}
