#include "dkim/maker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "db/pool.h"
#include "dkim/counters.h"
#include "dkim/host_key.h"
#include "dkim/sealer.h"
#include "io/clock.h"
#include "io/log.h"
#include "io/thread.h"
#include "mail/dkim_key.h"

#define DATABASE_MS 10000
#define STEP_MS 60000 /* how often keys may change their state */

struct maker {
	struct pw_db *db;
	struct sealer *sealer;
	int64_t poll_ms, step_at_ms;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_poked, is_stopping; /* under lock */
	bool has_failed;            /* the last look; logged once */
};

struct request {
	struct pw_str id, domain, algorithm, selector;
	int64_t rsa_bits;
	bool is_sealed;
};

static void log_failure(struct maker *maker, enum pw_status status,
                        const struct pw_db_result *result)
{
	const char *message = result ? pw_db_message(result) : "";

	if (maker->has_failed)
		return;
	maker->has_failed = true;
	pw_log(PW_LOG_WARNING, "", PW_KV("event", "key_requests"),
	       PW_KV("why", message[0] ? message : pw_status_text(status)), PW_KV_END);
}

/* Tell whoever asked; a request that could not be answered is taken again later. */
static void refuse(struct maker *maker, const struct request *request, const char *why)
{
	enum pw_status r;

	pw_log(PW_LOG_WARNING, "", PW_KV("event", "key_refused"),
	       PW_KV("domain", request->domain), PW_KV("selector", request->selector),
	       PW_KV("why", why), PW_KV_END);
	r = pw_db_exec(maker->db, "SELECT mail.dkim_refuse($1, $2)",
	               (const struct pw_str[]){ request->id, pw_str_from(why) }, 2,
	               pw_clock_mono_ms() + DATABASE_MS, NULL);
	if (r != PW_OK)
		log_failure(maker, r, NULL);
}

static enum pw_status store(struct maker *maker, const struct request *request,
                            const struct pw_dkim_key *key)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf pem = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf sealed = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf record = { 0 };
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;
	enum pw_status r;

	if ((r = pw_dkim_key_pem(key, &pem)) != PW_OK ||
	    (r = pw_dkim_key_record(key, &record)) != PW_OK ||
	    (request->is_sealed &&
	     (r = pw_vault_seal(sealer_vault(maker->sealer), request->domain,
	                        request->selector, pw_buf_str(&pem), &sealed)) != PW_OK))
		return r;
	r = pw_db_exec(maker->db, "SELECT mail.dkim_store_key($1, $2, $3, $4, $5)",
	               (const struct pw_str[]){ request->id, request->selector,
	                                        request->algorithm,
	                                        request->is_sealed ? pw_buf_str(&sealed)
	                                                           : pw_buf_str(&pem),
	                                        pw_buf_str(&record) },
	               5, pw_clock_mono_ms() + DATABASE_MS, &result);
	if (r == PW_ERR_PROTOCOL)
		refuse(maker, request, pw_db_message(result));
	else if (r != PW_OK)
		log_failure(maker, r, result);
	return r;
}

static enum pw_status make(struct maker *maker, const struct request *request)
{
	PW_AUTO(pw_dkim_key_free) struct pw_dkim_key *key = NULL;
	enum pw_dkim_algorithm algorithm;
	enum pw_status r;

	if ((r = pw_dkim_algorithm_parse(&algorithm, request->algorithm)) != PW_OK ||
	    (r = algorithm == PW_DKIM_RSA_SHA256
	                 ? pw_dkim_key_make_rsa(&key, (int)request->rsa_bits)
	                 : pw_dkim_key_make(&key, algorithm)) != PW_OK) {
		refuse(maker, request, pw_status_text(r));
		return r;
	}
	if ((r = store(maker, request, key)) != PW_OK)
		return r;
	pw_count(&counters, COUNT_keys_made, 1);
	pw_log(PW_LOG_INFO, "", PW_KV("event", "key_made"),
	       PW_KV("domain", request->domain), PW_KV("selector", request->selector),
	       PW_KV("algorithm", request->algorithm), PW_KV_END);
	return PW_OK;
}

/* Keys whose time has come, or that DNS shows or shows no more. */
static void step(struct maker *maker)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	enum pw_status r;

	if (pw_clock_mono_ms() < maker->step_at_ms)
		return;
	r = pw_db_exec(maker->db,
	               "SELECT domain, selector, was, state FROM mail.dkim_step(now())",
	               NULL, 0, pw_clock_mono_ms() + DATABASE_MS, &rows);
	if (r != PW_OK) {
		log_failure(maker, r, rows);
		return;
	}
	maker->step_at_ms = pw_clock_mono_ms() + STEP_MS;
	for (size_t i = 0; i < pw_db_rows(rows); i++)
		pw_log(PW_LOG_INFO, "", PW_KV("event", "key_state"),
		       PW_KV("domain", pw_db_value(rows, i, 0)),
		       PW_KV("selector", pw_db_value(rows, i, 1)),
		       PW_KV("was", pw_db_value(rows, i, 2)),
		       PW_KV("state", pw_db_value(rows, i, 3)), PW_KV_END);
}

static void answer_requests(struct maker *maker)
{
	PW_AUTO(pw_db_result_free) struct pw_db_result *rows = NULL;
	bool all_made = true;
	enum pw_status r;

	r = pw_db_exec(maker->db,
	               "SELECT id, domain, algorithm, selector, rsa_bits, is_sealed "
	               "FROM mail.dkim_take()",
	               NULL, 0, pw_clock_mono_ms() + DATABASE_MS, &rows);
	if (r != PW_OK) {
		log_failure(maker, r, rows);
		return;
	}
	for (size_t i = 0; i < pw_db_rows(rows); i++) {
		struct request request = {
			pw_db_value(rows, i, 0),
			pw_db_value(rows, i, 1),
			pw_db_value(rows, i, 2),
			pw_db_value(rows, i, 3),
			pw_db_int(rows, i, 4, PW_DKIM_RSA_BITS_NEW),
			pw_db_bool(rows, i, 5),
		};

		maker->step_at_ms = 0;
		all_made = make(maker, &request) == PW_OK && all_made;
	}
	if (all_made)
		maker->has_failed = false;
}

/* Without a host key no key is made: requests stay open. */
static void look(struct maker *maker)
{
	if (sealer_look(maker->sealer, maker->db))
		answer_requests(maker);
	step(maker);
}

/* False: the end. */
static bool wait_for_work(struct maker *maker)
{
	int64_t until_ms = pw_clock_mono_ms() + maker->poll_ms;
	bool goes_on;

	pthread_mutex_lock(&maker->lock);
	while (!maker->is_poked && !maker->is_stopping &&
	       pw_cond_wait(&maker->wake, &maker->lock, until_ms))
		continue;
	maker->is_poked = false;
	goes_on = !maker->is_stopping;
	pthread_mutex_unlock(&maker->lock);
	return goes_on;
}

static void *run(void *arg)
{
	struct maker *maker = arg;

	do
		look(maker);
	while (wait_for_work(maker));
	return NULL;
}

static void maker_free(struct maker *maker)
{
	pthread_cond_destroy(&maker->wake);
	pthread_mutex_destroy(&maker->lock);
	pw_db_close(&maker->db);
	sealer_free(&maker->sealer);
	free(maker);
}

static enum pw_status maker_new(struct maker **out)
{
	struct maker *maker = calloc(1, sizeof(*maker));

	if (!maker)
		return PW_ERR_NOMEM;
	pthread_mutex_init(&maker->lock, NULL);
	pw_cond_init(&maker->wake);
	*out = maker;
	return PW_OK;
}

enum pw_status maker_start(struct maker **out, const struct pw_db_config *config,
                           const char *host_key, int64_t poll_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct maker *maker = NULL;
	enum pw_status r;

	if ((r = maker_new(&maker)) != PW_OK)
		return r;
	maker->poll_ms = poll_ms;
	if ((r = sealer_new(&maker->sealer, host_key)) == PW_OK)
		r = pw_db_open(&maker->db, config, 1, &why);
	if (r == PW_OK)
		r = pw_thread_start(&maker->thread, run, maker);
	if (r != PW_OK) {
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "key_requests"),
		       PW_KV("why", why.len > 0 ? pw_buf_text(&why) : pw_status_text(r)),
		       PW_KV_END);
		maker_free(maker);
		return r;
	}
	*out = maker;
	return PW_OK;
}

void maker_poke(struct maker *maker)
{
	if (!maker)
		return;
	pthread_mutex_lock(&maker->lock);
	maker->is_poked = true;
	pthread_cond_signal(&maker->wake);
	pthread_mutex_unlock(&maker->lock);
}

void maker_stop(struct maker **maker)
{
	if (!*maker)
		return;
	pthread_mutex_lock(&(*maker)->lock);
	(*maker)->is_stopping = true;
	pthread_cond_signal(&(*maker)->wake);
	pthread_mutex_unlock(&(*maker)->lock);
	pthread_join((*maker)->thread, NULL);
	maker_free(*maker);
	*maker = NULL;
}
