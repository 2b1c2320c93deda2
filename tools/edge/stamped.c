/* Where the client's origin goes inside in a stamp: does the inner host read ours? A
 * message with a fresh stamp asks it; its postward-origin tells, and delivers nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include "core/stamp_digest.h"
#include "io/clock.h"
#include "io/file.h"
#include "tools/edge/look.h"
#include "tools/edge/talk.h"
#include "tools/settings_file.h"

#define ANSWER_MS 20000
#define PATIENCE_MS 1000

struct message {
	struct pw_buf recipient;
	struct pw_buf header; /* below the stamp */
	struct pw_buf stamp;
};

static void message_done(struct message *m)
{
	pw_buf_done(&m->recipient);
	pw_buf_done(&m->header);
	pw_buf_done(&m->stamp);
}

static const struct pw_str body = PW_STR(
	"This message was sent by postwardctl edge check. Whoever reads it: the inner "
	"host\r\n"
	"reads no stamps, no postward-origin of role inner is among its milters.\r\n");

/* A field as it is sent and as it counts: name, and what follows the colon. */
static void put_field(struct message *m, struct pw_stamp_digest *digest, const char *name,
                      struct pw_buf *value)
{
	pw_buf_printf(&m->header, "%s:%s\r\n", name, pw_buf_text(value));
	pw_stamp_digest_field(digest, pw_str_from(name), pw_buf_str(value));
	pw_buf_reset(value);
}

static enum pw_status put_fields(struct message *m, struct pw_stamp_digest *digest,
                                 struct pw_str hostname, int64_t now_s)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	char date[64] = "";
	time_t now = (time_t)now_s;
	struct tm tm;

	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(date, sizeof(date), " %a, %d %b %Y %H:%M:%S +0000", &tm);
	pw_buf_puts(&value, PW_STR(" stamp"));
	put_field(m, digest, "Postward-Check", &value);
	pw_buf_printf(&value, " postward <postmaster@%.*s>", PW_FMT(hostname));
	put_field(m, digest, "From", &value);
	pw_buf_printf(&value, " <%s>", pw_buf_text(&m->recipient));
	put_field(m, digest, "To", &value);
	pw_buf_puts(&value, pw_str_from(date));
	put_field(m, digest, "Date", &value);
	pw_buf_puts(&value, PW_STR(" a test of stamps"));
	put_field(m, digest, "Subject", &value);
	return pw_buf_status(&m->header);
}

static enum pw_status put_stamp(struct message *m, const struct pw_stamp_key *key,
                                struct pw_stamp_digest *digest, struct pw_str hostname,
                                int64_t now_s)
{
	static struct pw_stamp stamp;
	uint8_t nonce[PW_STAMP_NONCE];
	enum pw_status r;

	if (RAND_bytes(nonce, sizeof(nonce)) != 1)
		return PW_ERR_CRYPTO;
	pw_stamp_begin(&stamp, key, nonce, PW_STR(""));
	pw_stamp_add_recipient(&stamp, pw_buf_str(&m->recipient));
	pw_stamp_digest_begin(digest, PW_STAMP_ALL_FIELDS);
	if ((r = put_fields(m, digest, hostname, now_s)) != PW_OK)
		return r;
	pw_stamp_digest_body(digest, body);
	r = pw_stamp_digest_end(digest, stamp.digest, &stamp.fields);
	stamp.facts = (struct pw_stamp_facts){ .at_s = now_s, .edge = hostname };
	(void)!pw_ip_parse(&stamp.facts.origin.address, PW_STR("192.0.2.1"));
	return r == PW_OK ? pw_stamp_build(&m->stamp, &stamp) : r;
}

static bool read_keys(struct check_report *report, struct pw_stamp_keys *keys)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 }, why = { 0 };
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };

	settings_file_value(&path, "postward-origin", "stamp_keys", "");
	if (path.len > 0 &&
	    pw_file_read(&text, pw_buf_text(&path), PW_STAMP_KEY_FILE_MAX) == PW_OK &&
	    pw_stamp_keys_parse(keys, pw_buf_str(&text), &why) == PW_OK)
		return true;
	check_blind(report, "the keys of stamps cannot be read: %s", pw_buf_text(&path));
	check_cure(report, "sudo postwardctl edge keys list");
	return false;
}

/* Envelope and message; the last reply, its text in reply. */
static int deliver(struct talk *t, struct pw_buf *reply, const struct message *m)
{
	PW_AUTO(pw_buf_done) struct pw_buf all = { 0 };
	int code = talk_say(t, reply, "MAIL FROM:<>");

	if (code == 250)
		code = talk_say(t, reply, "RCPT TO:<%s>", pw_buf_text(&m->recipient));
	if (code == 250)
		code = talk_say(t, reply, "DATA");
	if (code != 354)
		return code;
	pw_buf_printf(&all, PW_STAMP_FIELD ": %s\r\n%s\r\n%.*s.\r\n",
	              pw_buf_text(&m->stamp), pw_buf_text(&m->header), PW_FMT(body));
	if (!talk_send(t, pw_buf_str(&all)))
		return TALK_LOST;
	t->deadline_ms = pw_clock_mono_ms() + ANSWER_MS;
	pw_buf_reset(reply);
	return talk_hear(t, reply);
}

void judge_stamp_reply(struct check_report *report, int code, struct pw_str text)
{
	static const char mark[] = "postward stamp=";
	const char *found = strstr(text.len > 0 ? text.at : "", mark);
	struct pw_str word, rest;
	int64_t skew_s = 0;

	if (code >= 200 && code < 300) {
		check_error(report,
		            "the inner host reads no stamps: the test was delivered "
		            "as mail, and so is every message as the edge's own");
		check_cure(report,
		           "on the inner host: postward-origin with role = inner, "
		           "first of smtpd_milters");
		return;
	}
	if (code < 0 || found == NULL) {
		check_blind(report, "whether the inner host reads our stamps: %d %.*s",
		            code, PW_FMT(pw_str_trim(text)));
		return;
	}
	rest = pw_str_from(found + sizeof(mark) - 1);
	rest = pw_str_cut(&rest, '\n');
	word = pw_str_cut(&rest, ',');
	rest = pw_str_trim(rest);
	if (pw_str_starts(rest, PW_STR("skew_s=")) &&
	    pw_str_to_int64(pw_str_sub(rest, 7, rest.len), INT32_MIN, INT32_MAX,
	                    &skew_s) == PW_OK)
		judge_skew(report, -skew_s * 1000);
	if (pw_str_eq(word, PW_STR("ok")))
		return;
	check_error(report, "the inner host does not believe our stamps: %.*s",
	            PW_FMT(word));
	check_cure(report,
	           "copy %s to the inner host, then on both: systemctl reload "
	           "postward-origin",
	           "/etc/postward/origin.keys");
}

static void ask(struct check_report *report, const struct check_context *context,
                struct message *m, struct pw_ip ip, unsigned int port)
{
	PW_AUTO(pw_buf_done) struct pw_buf reply = { 0 };
	struct talk t;
	int error = 0, code;

	if (!talk_open(&t, ip, port, context->deadline_ms - PATIENCE_MS, &error)) {
		check_blind(report, "whether the inner host reads our stamps: %s",
		            strerror(error));
		return;
	}
	if ((code = talk_hear(&t, &reply)) == 220)
		code = talk_say(&t, &reply, "EHLO %.*s", PW_FMT(context->hostname));
	if (code == 250)
		code = deliver(&t, &reply, m);
	judge_stamp_reply(report, code, pw_buf_str(&reply));
	talk_close(&t);
}

void edge_look_stamped(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf carry = { 0 }, domain = { 0 };
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys = { 0 };
	PW_AUTO(pw_stamp_digest_free) struct pw_stamp_digest *digest = NULL;
	PW_AUTO(message_done) struct message m = { 0 };
	int64_t now_s = pw_clock_wall_ms() / 1000;
	const struct pw_stamp_key *key;
	struct pw_ip ip;
	unsigned int port;

	settings_file_value(&carry, "postward-origin", "carry", "xclient");
	if (strcmp(pw_buf_text(&carry), "stamp") != 0) {
		check_skip(report, "the origin goes inside by XCLIENT");
		return;
	}
	settings_file_value_of(&domain, SETUP_CONF, "domain", "localhost");
	if (!edge_inner(report, &ip, &port) || !read_keys(report, &keys))
		return;
	if ((key = pw_stamp_keys_signer(&keys, now_s)) == NULL)
		return; /* is told where keys are looked at */
	pw_buf_printf(&m.recipient, "postmaster@%s", pw_buf_text(&domain));
	if (pw_stamp_digest_new(&digest) != PW_OK ||
	    put_stamp(&m, key, digest, context->hostname, now_s) != PW_OK) {
		check_blind(report, "no stamp can be made");
		return;
	}
	if (edge_become_origin(report))
		ask(report, context, &m, ip, port);
}
