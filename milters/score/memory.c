#include "score/memory.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "db/pool.h"
#include "db/recall.h"
#include "db/standing.h"
#include "io/clock.h"
#include "io/log.h"

struct memory {
	struct pw_db *db;
	_Atomic int64_t rest_until_ms; /* monotonic; 0 = the last question was answered */
};

enum pw_status memory_open(struct memory **out, const struct pw_db_config *config,
                           unsigned int connections, struct pw_buf *why_out)
{
	PW_AUTO(memory_close) struct memory *memory = calloc(1, sizeof(*memory));
	enum pw_status r;

	if (memory == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_db_open(&memory->db, config, connections, why_out)) != PW_OK)
		return r;
	*out = PW_TAKE(memory);
	return PW_OK;
}

void memory_close(struct memory **memory)
{
	if (*memory == NULL)
		return;
	pw_db_close(&(*memory)->db);
	free(*memory);
	*memory = NULL;
}

/* When the rest is over one thread tries, the others rest on. */
static bool may_ask(struct memory *memory, int64_t now_ms)
{
	int64_t until_ms = atomic_load(&memory->rest_until_ms);

	if (until_ms == 0)
		return true;
	return now_ms >= until_ms &&
	       atomic_compare_exchange_strong(&memory->rest_until_ms, &until_ms,
	                                      now_ms + MEMORY_REST_MS);
}

static void note(struct memory *memory, enum pw_status r, const struct pw_db_result *rows)
{
	int64_t until_ms = r == PW_OK ? 0 : pw_clock_mono_ms() + MEMORY_REST_MS;
	bool was_fine = atomic_exchange(&memory->rest_until_ms, until_ms) == 0;

	if (r == PW_OK || !was_fine)
		return;
	pw_log(PW_LOG_WARNING, "", PW_KV("event", "bayes_silent"),
	       PW_KV("why", rows != NULL ? pw_db_message(rows) : pw_status_text(r)),
	       PW_KV_END);
}

static void put_recipients(struct pw_buf *out, const struct pw_envelope *e)
{
	struct pw_buf texts[MEMORY_RECIPIENTS_MAX] = { 0 };
	struct pw_str slices[MEMORY_RECIPIENTS_MAX];
	size_t count =
		e->recipient_count <= MEMORY_RECIPIENTS_MAX ? e->recipient_count : 0;

	for (size_t i = 0; i < count; i++) {
		pw_address_put(&texts[i], &e->recipients[i]);
		slices[i] = pw_buf_str(&texts[i]);
	}
	pw_recall_put_addresses(out, slices, count);
	for (size_t i = 0; i < count; i++)
		pw_buf_done(&texts[i]);
}

bool memory_recall(void *arg, const struct pw_envelope *envelope,
                   const struct pw_tokens *tokens, struct pw_bayes_counts *out)
{
	const struct recall *recall = arg;
	PW_AUTO(pw_buf_done) struct pw_buf recipients = { 0 }, list = { 0 };
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	struct pw_str params[2];
	int64_t now_ms = pw_clock_mono_ms();
	enum pw_status r;

	if (recall->patience_ms == 0 || !may_ask(recall->memory, now_ms))
		return false;
	put_recipients(&recipients, envelope);
	pw_recall_put_tokens(&list, tokens);
	params[0] = pw_buf_str(&recipients);
	params[1] = pw_buf_str(&list);
	if ((r = pw_buf_status(&recipients)) == PW_OK)
		r = pw_buf_status(&list);
	if (r == PW_OK)
		r = pw_db_exec(recall->memory->db, PW_RECALL_SQL, params, PW_LEN(params),
		               now_ms + recall->patience_ms, &rows);
	note(recall->memory, r, rows);
	if (r == PW_OK)
		pw_recall_read(out, tokens, rows);
	return r == PW_OK;
}

bool memory_standing(void *arg, struct pw_reputation *sources)
{
	const struct recall *recall = arg;
	PW_AUTO(pw_buf_done) struct pw_buf list = { 0 };
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	int64_t now_ms = pw_clock_mono_ms();
	struct pw_str param;
	enum pw_status r;

	if (recall->patience_ms == 0 || !may_ask(recall->memory, now_ms))
		return false;
	pw_standing_put(&list, sources);
	param = pw_buf_str(&list);
	if ((r = pw_buf_status(&list)) == PW_OK)
		r = pw_db_exec(recall->memory->db, PW_STANDING_SQL, &param, 1,
		               now_ms + recall->patience_ms, &rows);
	note(recall->memory, r, rows);
	if (r == PW_OK)
		pw_standing_read(sources, rows);
	return r == PW_OK;
}
