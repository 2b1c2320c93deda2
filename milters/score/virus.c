#include "score/virus.h"

#include <errno.h>
#include <string.h>

#include "core/clam.h"
#include "io/clock.h"
#include "io/log.h"
#include "score/counters.h"

#define CHUNK_BYTES ((size_t)64 * 1024)
#define REASON_MAX 200 /* bytes of clamd's own words in the log */
#define LENGTH_BYTES 4 /* of a chunk, in network order */

void virus_begin(struct virus_scan *scan, const struct virus_config *config)
{
	*scan = (struct virus_scan){ .config = *config, .fd = -1 };
	scan->is_on = config->clamd->len > 0 &&
	              pw_clock_mono_ms() >= atomic_load(&config->news->rest_until_ms);
	if (config->clamd->len > 0 && !scan->is_on)
		pw_count(&counters, COUNT_virus_away, 1);
}

void virus_done(struct virus_scan *scan)
{
	if (!scan->is_on)
		return;
	pw_buf_done(&scan->chunk);
	pw_dial_close(&scan->fd);
	scan->is_on = false;
}

/* The last instant for the wait that begins now; wait_over counts it. */
static int64_t wait_until(const struct virus_scan *scan, int64_t now_ms)
{
	return now_ms + scan->config.patience_ms - scan->waited_ms;
}

static bool is_well(const struct virus_scan *scan)
{
	return scan->is_on && scan->status == PW_OK;
}

static void fail(struct virus_scan *scan, enum pw_status r, const char *why)
{
	if (scan->status != PW_OK)
		return;
	scan->status = r;
	scan->why = why;
}

static const char *reason(enum pw_status r)
{
	return r == PW_ERR_TIMEOUT ? pw_status_text(r) : strerror(errno);
}

static void send_all(struct virus_scan *scan, struct pw_str bytes)
{
	int64_t now_ms = pw_clock_mono_ms();
	int64_t until_ms = wait_until(scan, now_ms);
	enum pw_status r = PW_OK;

	if (scan->fd < 0) {
		r = pw_dial_open(&scan->fd, scan->config.clamd, until_ms);
		if (r == PW_OK)
			r = pw_dial_send(scan->fd, PW_STR("zINSTREAM\0"), until_ms);
	}
	if (r == PW_OK)
		r = pw_dial_send(scan->fd, bytes, until_ms);
	scan->waited_ms += pw_clock_mono_ms() - now_ms;
	/* closed: it may have told why, which is read in the end */
	if (r == PW_ERR_AWAY && scan->fd >= 0)
		scan->is_heard = true;
	else if (r != PW_OK)
		fail(scan, r, reason(r));
}

static void begin_chunk(struct virus_scan *scan)
{
	pw_buf_reset(&scan->chunk);
	pw_buf_puts(&scan->chunk, PW_STR("\0\0\0\0"));
}

/* A chunk without content tells clamd that this was all: never sent by chance. */
static void send_chunk(struct virus_scan *scan)
{
	size_t len = scan->chunk.len - LENGTH_BYTES;

	if (len == 0 || scan->is_heard)
		return;
	for (size_t i = 0; i < LENGTH_BYTES; i++)
		scan->chunk.at[i] = (char)(len >> (8 * (LENGTH_BYTES - 1 - i)) & 0xff);
	send_all(scan, pw_buf_str(&scan->chunk));
	begin_chunk(scan);
}

static void take(struct virus_scan *scan, struct pw_str bytes)
{
	int64_t room = scan->config.size_max_bytes - scan->taken_bytes;

	if (!is_well(scan) || scan->is_heard)
		return;
	if ((int64_t)bytes.len > room)
		bytes.len = (size_t)room;
	scan->taken_bytes += (int64_t)bytes.len;
	if (scan->chunk.len == 0)
		begin_chunk(scan);
	while (bytes.len > 0 && is_well(scan) && !scan->is_heard) {
		struct pw_str part = pw_str_sub(
			bytes, 0, LENGTH_BYTES + CHUNK_BYTES - scan->chunk.len);

		pw_buf_puts(&scan->chunk, part);
		bytes = pw_str_sub(bytes, part.len, bytes.len);
		if (pw_buf_status(&scan->chunk) != PW_OK)
			fail(scan, pw_buf_status(&scan->chunk),
			     pw_status_text(PW_ERR_NOMEM));
		else if (scan->chunk.len == LENGTH_BYTES + CHUNK_BYTES)
			send_chunk(scan);
	}
}

void virus_header(struct virus_scan *scan, struct pw_str name, struct pw_str value)
{
	take(scan, name);
	take(scan, PW_STR(":"));
	take(scan, value);
	take(scan, PW_STR("\r\n"));
}

void virus_body(struct virus_scan *scan, struct pw_str bytes)
{
	take(scan, bytes);
}

void virus_sent(struct virus_scan *scan)
{
	if (is_well(scan) && scan->chunk.len > 0)
		send_chunk(scan);
	if (is_well(scan) && !scan->is_heard)
		send_all(scan, PW_STR("\0\0\0\0"));
}

/* One reply, ended by NUL; what clamd says before it closes will do too. */
static enum pw_status receive(struct virus_scan *scan, char reply[PW_CLAM_REPLY_MAX],
                              struct pw_str *out)
{
	int64_t until_ms = wait_until(scan, pw_clock_mono_ms());
	size_t len = 0, more = 1;
	enum pw_status r = PW_OK;

	while (r == PW_OK && more > 0 && len < PW_CLAM_REPLY_MAX &&
	       memchr(reply, '\0', len) == NULL) {
		r = pw_dial_receive(scan->fd, reply + len, PW_CLAM_REPLY_MAX - len, &more,
		                    until_ms);
		len += r == PW_OK ? more : 0;
	}
	*out = (struct pw_str){ reply, strnlen(reply, len) };
	return r;
}

/* What clamd says; false: it did not look. */
static bool hear(struct virus_scan *scan, char text[PW_CLAM_REPLY_MAX],
                 struct pw_clam_reply *out)
{
	struct pw_str reply;
	enum pw_status r;

	if (!is_well(scan))
		return false;
	if ((r = receive(scan, text, &reply)) != PW_OK) {
		fail(scan, r, reason(r));
		return false;
	}
	if (pw_clam_reply_parse(out, reply) != PW_OK) {
		fail(scan, PW_ERR_PROTOCOL, pw_status_text(PW_ERR_PROTOCOL));
		return false;
	}
	return true;
}

/* Counted each time, said the first time. */
static void tell(struct virus_scan *scan, struct pw_str why)
{
	struct virus_news *news = scan->config.news;

	pw_count(&counters, COUNT_virus_away, 1);
	if (scan->status == PW_ERR_TIMEOUT)
		atomic_store(&news->rest_until_ms, pw_clock_mono_ms() + VIRUS_REST_MS);
	if (!atomic_exchange(&news->is_away, true))
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "virus_silent"),
		       PW_KV("why", why), PW_KV_END);
}

bool virus_find(void *arg, struct pw_arena *arena, struct pw_str *name_out)
{
	struct virus_scan *scan = arg;
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	char text[PW_CLAM_REPLY_MAX];
	struct pw_clam_reply reply;

	if (!scan->is_on)
		return false;
	if (!hear(scan, text, &reply)) {
		tell(scan, pw_str_from(scan->why));
		return false;
	}
	if (reply.result == PW_CLAM_FAILED) {
		tell(scan, pw_str_sub(reply.text, 0, REASON_MAX));
		return false;
	}
	atomic_store(&scan->config.news->is_away, false);
	pw_count(&counters,
	         reply.result == PW_CLAM_FOUND ? COUNT_virus_found : COUNT_virus_clean,
	         1);
	if (reply.result == PW_CLAM_CLEAN)
		return false;
	pw_clam_put_name(&name, reply.text);
	if (pw_arena_copy(arena, pw_buf_str(&name), name_out) != PW_OK)
		*name_out = PW_STR("?"); /* without a name it is one just as well */
	return true;
}
