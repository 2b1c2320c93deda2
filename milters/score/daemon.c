#include "score/daemon.h"

#include "db/program.h"
#include "io/log.h"
#include "kit/kit.h"
#include "score/counters.h"

enum {
	STREAM_MESSAGES,
	STREAM_OFFER,
	STREAM_LESSONS,
	STREAM_RULES,
	STREAM_REPUTATION,
	STREAM_LISTS,
	STREAMS
};

static const struct pw_writer_stream streams[STREAMS] = {
	[STREAM_MESSAGES] = { "SELECT mail.record_messages($1::jsonb)", 10000, 100,
	                      true },
	/* The program tells the database which symbols it knows. */
	[STREAM_OFFER] = { "SELECT mail.offer_symbols(e -> 'symbols', e -> 'groups') "
	                   "FROM jsonb_array_elements($1::jsonb) AS e",
	                   1, 1, true },
	/* The same lesson twice teaches nothing. */
	[STREAM_LESSONS] = { "SELECT mail.record_lessons($1::jsonb)", 500, 20, true },
	/* What is wrong with own rules: the last word counts. */
	[STREAM_RULES] = { "SELECT mail.tell_score_rules(e -> 'problems') FROM "
	                   "jsonb_array_elements($1::jsonb) WITH ORDINALITY AS a (e, n) "
	                   "ORDER BY n",
	                   10, 10, true },
	/* Counted twice would be wrong: rather not at all. */
	[STREAM_REPUTATION] = { "SELECT mail.record_reputation($1::jsonb)", 5000, 200,
	                        false },
	/* How lists over DNS stand. */
	[STREAM_LISTS] = { "SELECT mail.tell_dns_lists($1::jsonb)", 1000, 100, true },
};

#define HISTORY_FLUSH_MS 500

static const struct settings *settings_of(const struct daemon *daemon)
{
	return daemon->start->set;
}

static struct pw_db_config database(const struct daemon *daemon)
{
	return pw_db_config_from(&settings_of(daemon)->common, settings_schema.program);
}

static void tell_problems(struct daemon *daemon, const struct rules *rules)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 };

	pw_buf_puts(&row, PW_STR("{\"problems\": "));
	pw_buf_puts(&row, rules_problems(rules));
	pw_buf_putc(&row, '}');
	/* one that cannot be queued is said again with the next snapshot */
	if (pw_buf_status(&row) == PW_OK)
		(void)!pw_writer_add(daemon->writer, STREAM_RULES, pw_buf_str(&row));
}

static enum pw_status compile(void *arg, const struct pw_snapshot_data *data,
                              void **compiled_out, struct pw_buf *why_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf complaints = { 0 };
	struct daemon *daemon = arg;
	struct rules *rules = NULL;
	enum pw_status r = rules_read(&rules, data, &complaints);

	if (r == PW_OK && (r = rules_bind(rules, data, daemon->list_health)) != PW_OK)
		rules_free(&rules);

	for (struct pw_str rest = pw_buf_str(&complaints); rest.len > 0;)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "row_unusable"),
		       PW_KV("why", pw_str_cut(&rest, '\n')), PW_KV_END);
	if (r != PW_OK)
		pw_buf_puts(why_out, pw_str_from(pw_status_text(r)));
	else
		*compiled_out = rules;
	if (r != PW_OK)
		return r;
	reader_load(daemon->reader, data);
	tell_problems(daemon, rules);
	return r;
}

static void tell_list(void *arg, struct pw_str row)
{
	struct daemon *daemon = arg;

	/* one that cannot be queued: the log has it */
	(void)!pw_writer_add(daemon->writer, STREAM_LISTS, row);
}

static void release(void *arg, void *compiled)
{
	struct rules *rules = compiled;

	(void)arg;
	rules_free(&rules);
}

static enum pw_status open_writer(struct daemon *daemon, struct pw_buf *why)
{
	struct pw_writer_config config = {
		.db = database(daemon),
		.streams = streams,
		.stream_count = STREAMS,
		.flush_ms = HISTORY_FLUSH_MS,
	};
	PW_AUTO(pw_buf_done) struct pw_buf offer = { 0 };
	enum pw_status r;

	if ((r = pw_writer_open(&daemon->writer, &config, why)) != PW_OK)
		return r;
	rules_put_offer(&offer);
	if ((r = pw_buf_status(&offer)) != PW_OK)
		return r;
	return pw_writer_add(daemon->writer, STREAM_OFFER, pw_buf_str(&offer));
}

static enum pw_status open_memory(struct daemon *daemon, struct pw_buf *why)
{
	struct pw_db_config config = database(daemon);

	return memory_open(&daemon->memory, &config,
	                   (unsigned int)settings_of(daemon)->common.database_connections,
	                   why);
}

static enum pw_status open_learner(struct daemon *daemon, struct pw_buf *why)
{
	return learner_open(&daemon->learner,
	                    &(struct learner_config){
				    .path = settings_of(daemon)->learn_socket,
				    .read = reader_read,
				    .reader = daemon->reader,
				    .learned = daemon_learn,
				    .arg = daemon,
			    },
	                    why);
}

static enum pw_status open_snapshot(struct daemon *daemon, struct pw_buf *why)
{
	const struct settings *set = settings_of(daemon);
	struct pw_snapshot_config config = {
		.db = database(daemon),
		.state_directory = set->common.state_directory,
		.poll_ms = set->common.snapshot_poll_ms,
		.queries = rules_queries,
		.query_count = RULES_QUERIES,
		.format = RULES_FORMAT,
		.compile = compile,
		.release = release,
		.arg = daemon,
	};

	return pw_snapshot_open(&daemon->snapshot, &config, set->snapshot_wait_ms, why);
}

static enum pw_status complain(const char *what, enum pw_status status,
                               const struct pw_buf *why)
{
	if (status != PW_OK)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "start"), PW_KV("cause", what),
		       PW_KV("why",
		             why->len > 0 ? pw_buf_text(why) : pw_status_text(status)),
		       PW_KV_END);
	return status;
}

enum pw_status daemon_open(struct daemon *daemon)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	const struct settings *set = settings_of(daemon);
	enum pw_status r;

	r = pw_psl_new(&daemon->psl);
	if (complain("public_suffixes", r, &why) != PW_OK)
		return r;
	r = reader_open(&daemon->reader, set, daemon->psl, &why); /* before any thread */
	if (complain("readers", r, &why) != PW_OK)
		return r;
	r = pw_dns_open(&daemon->resolver, pw_str_from(set->dns_servers));
	if (complain("dns", r, &why) != PW_OK)
		return r;
	r = pw_dkim_lib_new(&daemon->dkim, 0);
	if (complain("dkim", r, &why) != PW_OK)
		return r;
	r = rules_new(&daemon->built_in);
	if (complain("rules", r, &why) != PW_OK)
		return r;
	r = open_writer(daemon, &why);
	if (complain("history", r, &why) != PW_OK)
		return r;
	r = list_health_open(&daemon->list_health, daemon->resolver,
	                     set->dns_lists_probe_ms, tell_list, daemon);
	if (complain("dns_lists", r, &why) != PW_OK)
		return r;
	r = open_memory(daemon, &why);
	if (complain("bayes", r, &why) != PW_OK)
		return r;
	r = open_learner(daemon, &why);
	if (complain("learn_socket", r, &why) != PW_OK)
		return r;
	return complain("snapshot", open_snapshot(daemon, &why), &why);
}

void daemon_close(struct daemon *daemon)
{
	learner_close(&daemon->learner);
	pw_snapshot_close(&daemon->snapshot);
	list_health_close(&daemon->list_health);
	pw_writer_close(&daemon->writer);
	memory_close(&daemon->memory);
	rules_free(&daemon->built_in);
	pw_dkim_lib_free(&daemon->dkim);
	pw_resolver_close(&daemon->resolver);
	reader_close(&daemon->reader);
	pw_psl_free(&daemon->psl);
	kit_live_put(daemon->live, &daemon->start);
}

void daemon_record(struct daemon *daemon, struct pw_str row)
{
	/* a row that cannot be queued is counted by the writer */
	(void)!pw_writer_add(daemon->writer, STREAM_MESSAGES, row);
}

void daemon_count(struct daemon *daemon, struct pw_str row)
{
	(void)!pw_writer_add(daemon->writer, STREAM_REPUTATION, row); /* as above */
}

void daemon_learn(void *user, struct pw_str lesson)
{
	struct daemon *daemon = user;

	(void)!pw_writer_add(daemon->writer, STREAM_LESSONS, lesson); /* as above */
}

/* The next one listens on the same socket of systemd's. */
void daemon_stop(void *user)
{
	struct daemon *daemon = user;

	learner_close(&daemon->learner);
}

enum pw_status daemon_reload(void *user)
{
	struct daemon *daemon = user;

	pw_snapshot_poke(daemon->snapshot);
	return kit_live_reload(daemon->live);
}

void daemon_report(void *user)
{
	struct daemon *daemon = user;
	struct pw_writer_numbers history =
		pw_writer_numbers(daemon->writer, STREAM_MESSAGES);
	struct pw_writer_numbers lessons =
		pw_writer_numbers(daemon->writer, STREAM_LESSONS);
	struct pw_writer_numbers reputation =
		pw_writer_numbers(daemon->writer, STREAM_REPUTATION);
	int64_t age_ms = pw_snapshot_age_ms(daemon->snapshot);
	struct workers_numbers readers = reader_numbers(daemon->reader);

	pw_count_set(&counters, COUNT_age, age_ms < 0 ? -1 : age_ms / 1000);
	pw_count_set(&counters, COUNT_queued, history.queued);
	pw_count_set(&counters, COUNT_dropped, history.dropped);
	pw_count_set(&counters, COUNT_lessons_queued, lessons.queued);
	pw_count_set(&counters, COUNT_lessons_dropped, lessons.dropped);
	pw_count_set(&counters, COUNT_reputation_queued, reputation.queued);
	pw_count_set(&counters, COUNT_reputation_dropped, reputation.dropped);
	pw_count_set(&counters, COUNT_sessions, kit_sessions());
	pw_count_set(&counters, COUNT_readers, readers.running);
	pw_count_set(&counters, COUNT_crashed, readers.crashed);
	if (pw_counters_write(&counters, settings_of(daemon)->common.state_directory) !=
	    PW_OK)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "counters"),
		       PW_KV("why", "metrics.prom cannot be written"), PW_KV_END);
}
