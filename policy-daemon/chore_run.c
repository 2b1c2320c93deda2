#include "policyd/chore_run.h"

#include <string.h>
#include <sys/random.h>

#include "io/clock.h"
#include "policyd/doveadm.h"
#include "policyd/lmtp.h"
#include "policyd/peer.h"
#include "policyd/warning.h"

/* Longest time for one try. */
#define KICK_TRY_MS 10000
#define WARN_TRY_MS 30000

/* ---- closing sessions */

static struct chore_outcome outcome_of_status(enum pw_status r)
{
	if (r == PW_ERR_AWAY)
		return (struct chore_outcome){ CHORE_RETRY, "cannot connect" };
	if (r == PW_ERR_TIMEOUT || r == PW_ERR_IO)
		return (struct chore_outcome){ CHORE_RETRY, pw_status_text(r) };
	return (struct chore_outcome){ CHORE_REFUSED, pw_status_text(r) };
}

static enum pw_status ask_doveadm(struct peer *peer, const char *path,
                                  struct pw_str command, enum doveadm_answer *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf in = { .max = DOVEADM_ANSWER_MAX };
	enum doveadm_answer answer = DOVEADM_MORE;
	bool is_end = false;
	enum pw_status r;

	if ((r = peer_open(peer, path)) != PW_OK ||
	    (r = peer_write(peer, command)) != PW_OK)
		return r;
	while (answer == DOVEADM_MORE) {
		if ((r = peer_read(peer, &in, &is_end)) != PW_OK)
			return r;
		answer = doveadm_read(pw_buf_str(&in), is_end);
	}
	*out = answer;
	return PW_OK;
}

static struct chore_outcome run_kick(const struct chore *chore, const char *path,
                                     const atomic_bool *is_stopping)
{
	PW_AUTO(pw_buf_done) struct pw_buf command = { 0 };
	PW_AUTO(peer_close)
	struct peer peer = { -1, pw_clock_mono_ms() + KICK_TRY_MS, is_stopping };
	enum doveadm_answer answer = DOVEADM_MORE;
	enum pw_status r = doveadm_put_kick(&command, pw_buf_str(&chore->login));

	if (r == PW_OK)
		r = ask_doveadm(&peer, path, pw_buf_str(&command), &answer);
	if (r != PW_OK)
		return outcome_of_status(r);
	if (answer == DOVEADM_CLOSED)
		return (struct chore_outcome){ CHORE_DONE, NULL };
	if (answer == DOVEADM_NONE)
		return (struct chore_outcome){ CHORE_NOTHING, NULL };
	return (struct chore_outcome){ CHORE_RETRY, doveadm_answer_name(answer) };
}

/* ---- warning */

static enum pw_status put_message(struct pw_buf *out, const struct chore *chore)
{
	const struct chores_warning warning = {
		pw_buf_str(&chore->login), pw_buf_str(&chore->subject),
		pw_buf_str(&chore->text),  chore->percent,
		chore->used_bytes,         chore->quota_bytes,
		chore->is_notice,
	};
	PW_AUTO(pw_buf_done) struct pw_buf token = { 0 };
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return PW_ERR_IO;
	pw_buf_printf(&token, "%lld.%016llx", (long long)pw_clock_wall_ms(),
	              (unsigned long long)random);
	return warning_put(out, &warning, pw_buf_str(&token), pw_clock_wall_ms());
}

/* Feed the whole lines that have come; what is left of the last one stays in in. */
static enum lmtp_result feed_lines(struct lmtp *lmtp, struct pw_buf *in,
                                   struct pw_buf *out)
{
	enum lmtp_result result = LMTP_MORE;
	struct pw_str rest = pw_buf_str(in);

	while (result == LMTP_MORE && pw_str_find(rest, '\n') < rest.len)
		result = lmtp_feed(lmtp, pw_str_cut(&rest, '\n'), out);
	memmove(in->at, rest.at, rest.len);
	pw_buf_truncate(in, rest.len);
	return result;
}

static enum pw_status talk_lmtp(struct peer *peer, struct lmtp *lmtp,
                                enum lmtp_result *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf in = { .max = LMTP_LINE_MAX * 4 }, say = { 0 };
	enum lmtp_result result = LMTP_MORE;
	bool is_end = false;
	enum pw_status r;

	while (result == LMTP_MORE) {
		if ((r = peer_read(peer, &in, &is_end)) != PW_OK)
			return r;
		if (is_end)
			return PW_ERR_AWAY;
		result = in.len > 0 ? feed_lines(lmtp, &in, &say) : LMTP_MORE;
		if ((r = pw_buf_status(&say)) != PW_OK)
			return r;
		r = peer_write(peer, pw_buf_str(&say));
		if (r != PW_OK && result != LMTP_DELIVERED)
			return r;
		pw_buf_reset(&say);
	}
	*out = result;
	return PW_OK;
}

static struct chore_outcome run_warning(const struct chore *chore, const char *path,
                                        const atomic_bool *is_stopping)
{
	PW_AUTO(pw_buf_done) struct pw_buf message = { 0 };
	PW_AUTO(peer_close)
	struct peer peer = { -1, pw_clock_mono_ms() + WARN_TRY_MS, is_stopping };
	struct lmtp lmtp = { LMTP_GREETING, pw_buf_str(&chore->login), { NULL, 0 } };
	enum lmtp_result result = LMTP_MORE;
	enum pw_status r = put_message(&message, chore);

	lmtp.message = pw_buf_str(&message);
	if (r != PW_OK || (r = peer_open(&peer, path)) != PW_OK ||
	    (r = talk_lmtp(&peer, &lmtp, &result)) != PW_OK)
		return outcome_of_status(r);
	if (result == LMTP_DELIVERED)
		return (struct chore_outcome){ CHORE_DONE, NULL };
	return (struct chore_outcome){ result == LMTP_REFUSED ? CHORE_REFUSED
		                                              : CHORE_RETRY,
		                       lmtp_result_name(result) };
}

struct chore_outcome chore_run(const struct chore *chore, const char *path,
                               const atomic_bool *is_stopping)
{
	return chore->kind == CHORE_KICK ? run_kick(chore, path, is_stopping)
	                                 : run_warning(chore, path, is_stopping);
}
