#include "dkim/daemon.h"

#include <sys/random.h>

#include "db/program.h"
#include "dkim/counters.h"
#include "dkim/host_key.h"
#include "dkim/keyring.h"
#include "io/log.h"
#include "kit/kit.h"

enum {
	QUERY_KEYS,
	QUERY_SENDERS,
	QUERY_RULES,
	QUERY_PENDING,
	QUERY_FORWARDS,
	QUERY_DOMAINS,
	QUERIES
};

static const struct pw_snapshot_query queries[QUERIES] = {
	[QUERY_KEYS] = { "SELECT domain, selector, algorithm, private_key "
	                 "FROM mail.snapshot_dkim_keys WHERE state = 'active' "
	                 "ORDER BY domain, algorithm DESC, selector",
	                 4 },
	[QUERY_SENDERS] = { "SELECT login, pattern FROM mail.snapshot_senders", 2 },
	[QUERY_RULES] = { "SELECT pattern, action, adds, domain, identity, expires_s, "
	                  "headers, oversign FROM mail.snapshot_dkim_rules ORDER BY id",
	                  8 },
	[QUERY_PENDING] = { "SELECT domain FROM mail.snapshot_dkim_pending", 1 },
	[QUERY_FORWARDS] = { "SELECT address, is_outside FROM mail.snapshot_forwards",
	                     2 },
	[QUERY_DOMAINS] = { "SELECT name, target FROM mail.snapshot_domains", 2 },
};
#define SNAPSHOT_FORMAT 3

static const struct settings *settings_of(const struct daemon *daemon)
{
	return daemon->start->set;
}

/* One row; SYNTAX and RANGE: it cannot be used. */
typedef enum pw_status (*row_adder)(struct keyring *keyring,
                                    const struct pw_snapshot_data *data, size_t row);

static enum pw_status add_sender(struct keyring *keyring,
                                 const struct pw_snapshot_data *data, size_t row)
{
	return keyring_add_sender(keyring, pw_snapshot_value(data, QUERY_SENDERS, row, 0),
	                          pw_snapshot_value(data, QUERY_SENDERS, row, 1));
}

static enum pw_status add_rule(struct keyring *keyring,
                               const struct pw_snapshot_data *data, size_t row)
{
	const struct rule_row rule = {
		.pattern = pw_snapshot_value(data, QUERY_RULES, row, 0),
		.action = pw_snapshot_value(data, QUERY_RULES, row, 1),
		.adds = pw_snapshot_value(data, QUERY_RULES, row, 2),
		.domain = pw_snapshot_value(data, QUERY_RULES, row, 3),
		.identity = pw_snapshot_value(data, QUERY_RULES, row, 4),
		.expires_s = pw_snapshot_value(data, QUERY_RULES, row, 5),
		.headers = pw_snapshot_value(data, QUERY_RULES, row, 6),
		.oversign = pw_snapshot_value(data, QUERY_RULES, row, 7),
	};

	return keyring_add_rule(keyring, &rule);
}

static enum pw_status add_pending(struct keyring *keyring,
                                  const struct pw_snapshot_data *data, size_t row)
{
	return keyring_add_pending(keyring,
	                           pw_snapshot_value(data, QUERY_PENDING, row, 0));
}

/* All rows of a query; those that cannot be used are left out, and that is said. */
static enum pw_status add_all(struct keyring *keyring,
                              const struct pw_snapshot_data *data, size_t query,
                              const char *table, row_adder add)
{
	size_t bad_count = 0;

	for (size_t i = 0; i < pw_snapshot_rows(data, query); i++) {
		enum pw_status r = add(keyring, data, i);

		if (r == PW_ERR_SYNTAX || r == PW_ERR_RANGE)
			bad_count++;
		else if (r != PW_OK)
			return r;
	}
	if (bad_count > 0)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "row_left_out"),
		       PW_KV("table", table), PW_KV_INT("count", bad_count), PW_KV_END);
	return PW_OK;
}

static enum pw_status add_rows(struct keyring *keyring,
                               const struct pw_snapshot_data *data,
                               struct pw_buf *complaints)
{
	enum pw_status r;

	for (size_t i = 0; i < pw_snapshot_rows(data, QUERY_KEYS); i++) {
		r = keyring_add_key(keyring, pw_snapshot_value(data, QUERY_KEYS, i, 0),
		                    pw_snapshot_value(data, QUERY_KEYS, i, 1),
		                    pw_snapshot_value(data, QUERY_KEYS, i, 2),
		                    pw_snapshot_value(data, QUERY_KEYS, i, 3),
		                    complaints);
		if (r != PW_OK)
			return r;
	}
	if ((r = add_all(keyring, data, QUERY_SENDERS, "snapshot_senders", add_sender)) !=
	            PW_OK ||
	    (r = add_all(keyring, data, QUERY_RULES, "snapshot_dkim_rules", add_rule)) !=
	            PW_OK)
		return r;
	return add_all(keyring, data, QUERY_PENDING, "snapshot_dkim_pending",
	               add_pending);
}

/* Without it what is sealed cannot be used, which is said of each key. */
static void read_host_key(struct pw_vault **out, const struct daemon *daemon)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 }, why = { 0 };
	const struct settings *set = settings_of(daemon);
	enum pw_status r;

	host_key_path(&path, pw_str_from(set->host_key), set->common.state_directory);
	r = host_key_read(out, pw_buf_text(&path), &why);
	if (r != PW_OK && r != PW_ERR_NOTFOUND)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "host_key"),
		       PW_KV("why", why.len > 0 ? pw_buf_text(&why) : pw_status_text(r)),
		       PW_KV_END);
}

static enum pw_status add_forwards(struct forwards *forwards,
                                   const struct pw_snapshot_data *data)
{
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < pw_snapshot_rows(data, QUERY_FORWARDS) && r == PW_OK; i++)
		r = forwards_add(forwards, pw_snapshot_value(data, QUERY_FORWARDS, i, 0),
		                 pw_snapshot_bool(data, QUERY_FORWARDS, i, 1));
	for (size_t i = 0; i < pw_snapshot_rows(data, QUERY_DOMAINS) && r == PW_OK; i++)
		r = forwards_add_domain(forwards,
		                        pw_snapshot_value(data, QUERY_DOMAINS, i, 0),
		                        pw_snapshot_value(data, QUERY_DOMAINS, i, 1));
	return r;
}

static enum pw_status compile(void *arg, const struct pw_snapshot_data *data,
                              void **compiled_out, struct pw_buf *why_out)
{
	const struct daemon *daemon = arg;
	PW_AUTO(keyring_free) struct keyring *keyring = NULL;
	PW_AUTO(pw_vault_free) struct pw_vault *vault = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf complaints = { 0 };
	enum pw_status r;

	read_host_key(&vault, daemon);
	r = keyring_new(&keyring, daemon->seed, daemon->delimiter);
	if (r == PW_OK) {
		keyring_use_vault(keyring, vault);
		keyring_use_store(keyring, daemon->keystore);
		if ((r = add_rows(keyring, data, &complaints)) == PW_OK)
			r = add_forwards(keyring_forwards(keyring), data);
		keyring_use_vault(keyring, NULL);
		keyring_use_store(keyring, NULL);
	}
	if (r != PW_OK) {
		pw_buf_puts(why_out, pw_str_from(pw_status_text(r)));
		return r;
	}
	(void)keystore_turn(daemon->keystore); /* without: more memory */
	for (struct pw_str rest = pw_buf_str(&complaints); rest.len > 0;)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "key_unusable"),
		       PW_KV("why", pw_str_cut(&rest, '\n')), PW_KV_END);
	pw_count_set(&counters, COUNT_keys, (int64_t)keyring_count(keyring));
	*compiled_out = PW_TAKE(keyring);
	return PW_OK;
}

static void release(void *arg, void *compiled)
{
	struct keyring *keyring = compiled;

	(void)arg;
	keyring_free(&keyring);
}

/* A request for a key notifies as any change does. */
static void changed(void *arg)
{
	struct daemon *daemon = arg;

	maker_poke(daemon->maker);
}

static enum pw_status open_snapshot(struct daemon *daemon)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	const struct settings *set = settings_of(daemon);
	struct pw_snapshot_config config = {
		.db = pw_db_config_from(&set->common, settings_schema.program),
		.state_directory = set->common.state_directory,
		.poll_ms = set->common.snapshot_poll_ms,
		.queries = queries,
		.query_count = QUERIES,
		.format = SNAPSHOT_FORMAT,
		.compile = compile,
		.release = release,
		.changed = changed,
		.arg = daemon,
	};
	enum pw_status r;

	r = pw_snapshot_open(&daemon->snapshot, &config, set->snapshot_wait_ms, &why);
	if (r != PW_OK)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "snapshot"),
		       PW_KV("why", why.len > 0 ? pw_buf_text(&why) : pw_status_text(r)),
		       PW_KV_END);
	return r;
}

enum pw_status daemon_open(struct daemon *daemon)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	const struct settings *set = settings_of(daemon);
	struct pw_db_config config =
		pw_db_config_from(&set->common, settings_schema.program);
	enum pw_status r;

	daemon->delimiter = set->recipient_delimiter[0];
	if (getrandom(daemon->seed, sizeof(daemon->seed), 0) != sizeof(daemon->seed))
		return PW_ERR_IO;
	host_key_path(&path, pw_str_from(set->host_key), set->common.state_directory);
	if ((r = pw_buf_status(&path)) != PW_OK ||
	    (r = maker_start(&daemon->maker, &config, pw_buf_text(&path),
	                     set->request_poll_ms)) != PW_OK)
		return r;
	if ((r = guard_start(&daemon->guard, &config)) != PW_OK ||
	    (r = keystore_new(&daemon->keystore, daemon->seed)) != PW_OK)
		return r;
	return open_snapshot(daemon);
}

void daemon_close(struct daemon *daemon)
{
	pw_snapshot_close(&daemon->snapshot); /* before the maker it pokes */
	maker_stop(&daemon->maker);
	guard_stop(&daemon->guard);
	keystore_free(&daemon->keystore);
	kit_live_put(daemon->live, &daemon->start);
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
	int64_t age_ms = pw_snapshot_age_ms(daemon->snapshot);

	pw_count_set(&counters, COUNT_age, age_ms < 0 ? -1 : age_ms / 1000);
	pw_count_set(&counters, COUNT_sessions, kit_sessions());
	if (pw_counters_write(&counters, settings_of(daemon)->common.state_directory) !=
	    PW_OK)
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "counters"),
		       PW_KV("why", "metrics.prom cannot be written"), PW_KV_END);
}
