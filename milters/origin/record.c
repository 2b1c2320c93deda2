#include "origin/record.h"

#include "io/log.h"
#include "origin/counters.h"

static struct pw_kv client_of(const struct record *about)
{
	return about->client ? PW_KV_PEER("client", about->client->name, about->address)
	                     : PW_KV("client", "local");
}

static struct pw_kv front_of(const struct record *about)
{
	return about->front ? PW_KV("front", about->front) : PW_KV_NONE;
}

void record_relay(const struct record *about, const struct smtp_reply *reply,
                  int64_t recipients, int64_t bytes, int64_t ms, struct pw_str retry_of)
{
	pw_count(&counters, COUNT_retries, retry_of.len > 0);
	pw_log(PW_LOG_INFO, about->queue_id, PW_KV("action", "relay"), front_of(about),
	       PW_KV("inner_id", smtp_reply_queue_id(reply)), client_of(about),
	       PW_KV_ADDR("from", about->sender), PW_KV_INT("recipients", recipients),
	       PW_KV_INT("bytes", bytes), PW_KV_INT("ms", ms),
	       retry_of.len ? PW_KV("retry_of", retry_of) : PW_KV_NONE, PW_KV_END);
}

void record_refuse(const struct record *about, const char *stage, const char *rcpt,
                   const struct smtp_reply *reply)
{
	pw_log(PW_LOG_INFO, about->queue_id, PW_KV("action", "refuse"), front_of(about),
	       PW_KV("stage", stage), PW_KV_INT("code", reply->code),
	       PW_KV("enhanced", reply->enhanced), client_of(about),
	       PW_KV_ADDR("from", about->sender),
	       rcpt ? PW_KV_ADDR("rcpt", record_bare(rcpt)) : PW_KV_NONE,
	       PW_KV("text", pw_buf_str(&reply->text)), PW_KV_END);
}

void record_defer(const struct record *about, const char *stage,
                  const struct upstream_failure *failure, const struct smtp_reply *reply,
                  struct pw_str transaction)
{
	bool in_doubt = failure->in_doubt;

	pw_count(&counters, COUNT_failures, 1);
	pw_count(&counters, COUNT_in_doubt, in_doubt);
	pw_log(in_doubt ? PW_LOG_ERROR : PW_LOG_WARNING, about->queue_id,
	       PW_KV("action", "defer"), front_of(about),
	       PW_KV("cause", in_doubt ? "in_doubt" : failure->step),
	       PW_KV("stage", stage), PW_KV("status", pw_status_text(failure->status)),
	       client_of(about), PW_KV_ADDR("from", about->sender),
	       reply->code ? PW_KV_INT("code", reply->code) : PW_KV_NONE,
	       reply->code ? PW_KV("text", pw_buf_str(&reply->text)) : PW_KV_NONE,
	       in_doubt ? PW_KV("transaction", transaction) : PW_KV_NONE, PW_KV_END);
}

void record_broken(const struct record *about, const char *stage, enum pw_status status)
{
	pw_count(&counters, COUNT_failures, 1);
	pw_log(PW_LOG_ERROR, about->queue_id, PW_KV("action", "defer"), front_of(about),
	       PW_KV("cause", "local"), PW_KV("stage", stage),
	       PW_KV("status", pw_status_text(status)), client_of(about),
	       PW_KV_ADDR("from", about->sender), PW_KV_END);
}

void record_withhold(const struct record *about, const char *why)
{
	pw_count(&counters, COUNT_withheld, 1);
	pw_log(PW_LOG_WARNING, about->queue_id, PW_KV("action", "defer"), front_of(about),
	       PW_KV("cause", "origin"), PW_KV("why", why), client_of(about),
	       PW_KV_ADDR("from", about->sender), PW_KV_END);
}

void record_count_message(enum upstream_verdict verdict)
{
	static const size_t ids[] = {
		[UPSTREAM_OK] = COUNT_relayed,
		[UPSTREAM_REFUSED] = COUNT_refused,
		[UPSTREAM_FAILED] = COUNT_deferred,
	};

	pw_count(&counters, ids[verdict], 1);
}

void record_count_recipient(enum upstream_verdict verdict)
{
	static const size_t ids[] = {
		[UPSTREAM_OK] = COUNT_rcpt_accepted,
		[UPSTREAM_REFUSED] = COUNT_rcpt_refused,
		[UPSTREAM_FAILED] = COUNT_rcpt_failed,
	};

	pw_count(&counters, ids[verdict], 1);
}

const char *record_enhanced(enum pw_status status)
{
	return status == PW_ERR_TIMEOUT ? "4.4.2"
	       : status == PW_ERR_AWAY  ? "4.4.1"
	                                : "4.3.0";
}

struct pw_str record_bare(const char *address)
{
	struct pw_str text = pw_str_from(address);

	if (text.len >= 2 && text.at[0] == '<' && text.at[text.len - 1] == '>')
		return pw_str_sub(text, 1, text.len - 2);
	return text;
}
