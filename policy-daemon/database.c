#include "policyd/database.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/json.h"
#include "db/program.h"
#include "db/snapshot.h"
#include "db/writer.h"
#include "io/log.h"
#include "policyd/text.h"

/* Raise it whenever the queries of catalog.c change. */
#define SNAPSHOT_FORMAT 8
#define FLUSH_MS 200
/* Bad rows that are logged one by one; the rest is a number. */
#define BAD_ROWS_LOGGED_MAX 10

enum stream {
	STREAM_EVENTS,
	STREAM_USAGE,
	STREAM_OVER,
	STREAM_LOGINS,
	STREAM_SUSPENSIONS,
	STREAM_GREYLIST,
	STREAM_HABITS,
	STREAM_STOLEN,
};

/* Usage, over and logins are absolute values: the same batch twice does no harm. */
static const struct pw_writer_stream streams[] = {
	[STREAM_EVENTS] = { "SELECT mail.record_events($1::jsonb)", 10000, 500, false },
	[STREAM_USAGE] = { "SELECT mail.record_usage($1::jsonb)", 100000, 1000, true },
	[STREAM_OVER] = { "SELECT mail.record_over($1::jsonb)", 100000, 1000, true },
	[STREAM_LOGINS] = { "SELECT mail.record_logins($1::jsonb)", 100000, 1000, true },
	[STREAM_SUSPENSIONS] = { "SELECT mail.record_sending_blocks($1::jsonb)", 10000,
	                         500, true },
	[STREAM_GREYLIST] = { "SELECT mail.record_greylist($1::jsonb)", 100000, 1000,
	                      true },
	[STREAM_HABITS] = { "SELECT mail.record_send_habits($1::jsonb)", 100000, 1000,
	                    true },
	[STREAM_STOLEN] = { "SELECT mail.record_stolen($1::jsonb)", 10000, 100, false },
};

struct database {
	struct pw_snapshot *snapshot;
	struct pw_writer *writer;
	struct recall *recall;
	const struct pw_snapshot_view *view;
	uint8_t seed[16];
	char delimiter;
	void (*changed)(void *arg);
	void *arg;
};

/* ---- rows to catalog; in the snapshot's thread */

static void log_bad_row(enum catalog_table table, const struct pw_str *fields,
                        size_t *count)
{
	if (++*count <= BAD_ROWS_LOGGED_MAX)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "row_left_out"),
		       PW_KV_INT("table", table), PW_KV("first", fields[0]),
		       PW_KV("second", fields[1]), PW_KV_END);
}

static enum pw_status add_rows(struct catalog *catalog,
                               const struct pw_snapshot_data *data,
                               enum catalog_table table, size_t *bad_count)
{
	struct pw_str fields[CATALOG_COLUMNS_MAX] = { { NULL, 0 } };
	size_t rows = pw_snapshot_rows(data, table);

	for (size_t row = 0; row < rows; row++) {
		enum pw_status r;

		for (size_t i = 0; i < catalog_columns(table); i++)
			fields[i] = pw_snapshot_value(data, table, row, i);
		r = catalog_add(catalog, table, fields);
		if (r == PW_ERR_SYNTAX || r == PW_ERR_RANGE)
			log_bad_row(table, fields, bad_count);
		else if (r != PW_OK)
			return r;
	}
	return PW_OK;
}

static enum pw_status compile(void *arg, const struct pw_snapshot_data *data,
                              void **compiled_out, struct pw_buf *why_out)
{
	const struct database *database = arg;
	PW_AUTO(catalog_free) struct catalog *catalog = NULL;
	size_t bad_count = 0;
	enum pw_status r = catalog_new(&catalog, database->seed, database->delimiter);

	for (enum catalog_table table = 0; r == PW_OK && table < CATALOG_TABLES; table++)
		r = add_rows(catalog, data, table, &bad_count);
	if (r != PW_OK) {
		pw_buf_puts(why_out, pw_str_from(pw_status_text(r)));
		return r;
	}
	if (bad_count > BAD_ROWS_LOGGED_MAX)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "row_left_out"),
		       PW_KV_INT("count", bad_count), PW_KV_END);
	*compiled_out = PW_TAKE(catalog);
	return PW_OK;
}

static void release(void *arg, void *compiled)
{
	struct catalog *catalog = compiled;

	(void)arg;
	catalog_free(&catalog);
}

static void changed(void *arg)
{
	const struct database *database = arg;

	database->changed(database->arg);
}

/* ---- life */

static struct pw_snapshot_query queries[CATALOG_TABLES];

static enum pw_status open_snapshot(struct database *database, const struct settings *set,
                                    const struct pw_db_config *db, struct pw_buf *why_out)
{
	struct pw_snapshot_config config = {
		.db = *db,
		.state_directory = set->common.state_directory,
		.poll_ms = set->common.snapshot_poll_ms,
		.queries = queries,
		.query_count = CATALOG_TABLES,
		.format = SNAPSHOT_FORMAT,
		.compile = compile,
		.release = release,
		.changed = changed,
		.arg = database,
	};

	for (enum catalog_table table = 0; table < CATALOG_TABLES; table++)
		queries[table] = (struct pw_snapshot_query){ catalog_sql(table),
			                                     catalog_columns(table) };
	return pw_snapshot_open(&database->snapshot, &config, 0, why_out);
}

enum pw_status database_open(struct database **out, const struct settings *set,
                             void (*changed_call)(void *arg), void *arg,
                             struct pw_buf *why_out)
{
	PW_AUTO(database_close) struct database *database = calloc(1, sizeof(*database));
	const struct pw_db_config db =
		pw_db_config_from(&set->common, settings_schema.program);
	struct pw_db_config quiet = db;
	const struct pw_writer_config writer = { db, streams, PW_LEN(streams), FLUSH_MS };
	enum pw_status r;

	if (database == NULL)
		return PW_ERR_NOMEM;
	quiet.event = NULL; /* what there is to say the snapshot says */
	database->changed = changed_call;
	database->arg = arg;
	database->delimiter = set->recipient_delimiter[0];
	if (getrandom(database->seed, sizeof(database->seed), 0) !=
	    sizeof(database->seed))
		return PW_ERR_IO;
	if ((r = pw_writer_open(&database->writer, &writer, why_out)) != PW_OK ||
	    (r = open_snapshot(database, set, &db, why_out)) != PW_OK ||
	    (r = recall_start(&database->recall, &quiet, why_out)) != PW_OK)
		return r;
	*out = PW_TAKE(database);
	return PW_OK;
}

void database_drain(struct database *database, int64_t drain_ms)
{
	pw_writer_drain(database->writer, drain_ms);
}

void database_close(struct database **database)
{
	struct database *d = *database;

	if (d == NULL)
		return;
	recall_stop(&d->recall);
	if (d->view != NULL)
		pw_snapshot_put(&d->view);
	pw_snapshot_close(&d->snapshot);
	pw_writer_close(&d->writer);
	free(d);
	*database = NULL;
}

/* ---- reading */

const struct catalog *database_catalog(struct database *database)
{
	const struct pw_snapshot_view *view = pw_snapshot_get(database->snapshot);

	if (database->view != NULL)
		pw_snapshot_put(&database->view);
	database->view = view;
	return view != NULL ? view->compiled : NULL;
}

bool database_is_fresh(struct database *database)
{
	bool is_fresh = pw_snapshot_is_fresh(database->snapshot);
	const struct pw_snapshot_view *newest;

	if (!is_fresh || database->view == NULL)
		return false;
	newest = pw_snapshot_get(database->snapshot);
	is_fresh = newest == database->view;
	pw_snapshot_put(&newest);
	return is_fresh;
}

int64_t database_age_ms(struct database *database)
{
	return pw_snapshot_age_ms(database->snapshot);
}

void database_poke(struct database *database)
{
	pw_snapshot_poke(database->snapshot);
}

/* ---- writing */

static void put_text(struct pw_buf *out, const char *before, struct pw_str value)
{
	pw_buf_puts(out, pw_str_from(before));
	pw_json_put_string(out, value);
}

static void put_number(struct pw_buf *out, const char *before, int64_t value)
{
	pw_buf_puts(out, pw_str_from(before));
	pw_buf_put_int(out, value);
}

/* Close the object and hand it over; the writer counts what it cannot take. */
static void put_row(struct database *database, enum stream stream, struct pw_buf *row)
{
	pw_buf_putc(row, '}');
	if (pw_buf_status(row) != PW_OK ||
	    pw_writer_add(database->writer, stream, pw_buf_str(row)) != PW_OK)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "row_lost"),
		       PW_KV_INT("stream", stream), PW_KV_END);
}

void database_put_over(struct database *database, const struct ledger_account *account,
                       int64_t now_us)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 };

	if (account->more == NULL)
		return;
	put_number(&row, "{\"id\":", account->terms->rule_id);
	put_text(&row, ",\"who\":", account_who(account));
	put_number(&row, ",\"over\":", account->more->over_count);
	put_number(&row, ",\"told_us\":", account->more->told_until_us - now_us);
	put_row(database, STREAM_OVER, &row);
}

void database_put_usage(struct database *database, const struct usage_entry *entry)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 };

	put_text(&row, "{\"user\":", entry->user);
	put_number(&row, ",\"bytes\":", entry->count.bytes);
	put_number(&row, ",\"messages\":", entry->count.messages);
	put_number(&row, ",\"warned\":", entry->warned_percent);
	put_row(database, STREAM_USAGE, &row);
}

void database_put_event(struct database *database, const struct catalog_rule *rule,
                        struct pw_str who, int64_t retry_after_us)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 }, text = { 0 };

	if (text_event(&text, rule, who) != PW_OK)
		return;
	put_text(&row, "{\"kind\":\"rate\",\"who\":", who);
	put_text(&row, ",\"text\":", pw_buf_str(&text));
	put_number(&row, ",\"detail\":{\"rule\":", rule->id);
	put_number(&row, ",\"limit\":", rule->rate.limit);
	put_number(&row, ",\"period_s\":", rule->rate.period_us / 1000000);
	put_number(&row, ",\"retry_s\":",
	           retry_after_us < 0 ? -1 : (retry_after_us + 999999) / 1000000);
	pw_buf_puts(&row, rule->is_dry_run ? PW_STR(",\"dry_run\":true}")
	                                   : PW_STR(",\"dry_run\":false}"));
	put_row(database, STREAM_EVENTS, &row);
}

void database_put_suspension(struct database *database, const struct catalog_rule *rule,
                             struct pw_str login, int64_t until_wall_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 }, text = { 0 };

	if (text_event(&text, rule, login) != PW_OK)
		return;
	put_text(&row, "{\"login\":", login);
	put_number(&row, ",\"until_ms\":", until_wall_ms);
	put_number(&row, ",\"rule\":", rule->id);
	put_text(&row, ",\"why\":", pw_buf_str(&text));
	put_row(database, STREAM_SUSPENSIONS, &row);
}

void database_put_login(struct database *database, const struct login_note *note,
                        int64_t at_wall_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 }, address = { 0 };

	put_text(&row, "{\"user\":", note->user);
	put_text(&row, ",\"service\":", note->service);
	if (note->address.family != PW_IP_NONE) {
		pw_ip_put(&address, note->address);
		put_text(&row, ",\"address\":", pw_buf_str(&address));
	}
	put_number(&row, ",\"at_ms\":", at_wall_ms);
	put_number(&row, ",\"credential\":", note->credential);
	put_row(database, STREAM_LOGINS, &row);
}

void database_put_chore(struct database *database, const struct chores_event *event)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 }, text = { 0 };

	put_text(&row, "{\"kind\":", pw_str_from(event->kind));
	put_text(&row, ",\"who\":", event->login);
	if (event->why.len > 0) {
		pw_buf_printf(&text, "%.*s: sessions closed: %.*s", PW_FMT(event->login),
		              PW_FMT(event->why));
		put_text(&row, ",\"text\":", pw_buf_str(&text));
		put_text(&row, ",\"detail\":{\"why\":", event->why);
	} else if (event->percent == 0) {
		pw_buf_printf(&text, "%.*s: told of a limit reached",
		              PW_FMT(event->login));
		put_text(&row, ",\"text\":", pw_buf_str(&text));
		pw_buf_puts(&row, PW_STR(",\"detail\":{"));
	} else {
		pw_buf_printf(&text, "%.*s: warned at %d %%", PW_FMT(event->login),
		              (int)event->percent);
		put_text(&row, ",\"text\":", pw_buf_str(&text));
		put_number(&row, ",\"detail\":{\"percent\":", event->percent);
	}
	pw_buf_putc(&row, '}');
	put_row(database, STREAM_EVENTS, &row);
}

/* ---- greylisting and stolen accounts */

struct recall *database_recall(struct database *database)
{
	return database->recall;
}

void database_put_grey(struct database *database, const struct grey_row *row)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	put_text(&text, "{\"client\":", row->client);
	put_text(&text, ",\"sender\":", row->sender);
	put_text(&text, ",\"recipient\":", row->recipient);
	put_number(&text, ",\"first_ms\":", row->record.first_ms);
	put_number(&text, ",\"passed_ms\":", row->record.passed_ms);
	put_number(&text, ",\"passes\":", row->record.passes);
	put_row(database, STREAM_GREYLIST, &text);
}

void database_put_habit(struct database *database, struct pw_str login, int64_t busiest)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 };

	put_text(&row, "{\"user\":", login);
	put_number(&row, ",\"busiest\":", busiest);
	put_row(database, STREAM_HABITS, &row);
}

static void put_networks(struct pw_buf *out, const struct stolen_alarm *alarm)
{
	for (size_t i = 0; i < alarm->network_count; i++) {
		pw_buf_puts(out, i > 0 ? PW_STR(",\"") : PW_STR("\""));
		pw_net_put(out, &alarm->networks[i]);
		pw_buf_putc(out, '"');
	}
}

void database_put_stolen(struct database *database, struct pw_str login,
                         const struct stolen_alarm *alarm, int64_t window_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 }, reason = { 0 }, text = { 0 };
	bool is_volume = alarm->why == STOLEN_VOLUME;

	text_stolen(&reason, alarm, window_ms);
	pw_buf_puts(&text, login);
	pw_buf_puts(&text, PW_STR(": "));
	pw_buf_puts(&text, pw_buf_str(&reason));
	put_text(&row, "{\"who\":", login);
	put_text(&row, ",\"text\":", pw_buf_str(&text));
	put_text(&row, ",\"reason\":", pw_buf_str(&reason));
	put_text(&row, ",\"detail\":{\"why\":",
	         is_volume ? PW_STR("volume") : PW_STR("networks"));
	put_number(&row, ",\"count\":", alarm->count);
	put_number(&row, ",\"limit\":", alarm->limit);
	put_number(&row, ",\"busiest_hour\":", alarm->busiest);
	pw_buf_puts(&row, PW_STR(",\"networks\":["));
	put_networks(&row, alarm);
	pw_buf_puts(&row, PW_STR("]}"));
	put_row(database, STREAM_STOLEN, &row);
}
