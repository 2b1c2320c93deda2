#include "db/pg.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MIN_MS 400 /* a restart takes a second or two, and logins wait for 3 s   \
	                    */
#define BACKOFF_SHORT 8    /* so many short waits before they grow */
#define BACKOFF_MAX_MS 10000
#define TELL_EVERY_MS 60000
#define KEYWORDS_MAX 64

struct pw_db_target {
	struct pw_db_config config;
	char *conninfo, *program;
	PQconninfoOption *options; /* the conninfo taken apart */
	char tcp_timeout_ms[24];
};

static void free_options(PQconninfoOption **options)
{
	PQconninfoFree(*options);
}

static void free_pqtext(char **text)
{
	PQfreemem(*text);
}

/* libpq quotes the string in its message, and the string may hold a password: only what
 * stands before the first quote is repeated. */
static PQconninfoOption *parse(const char *conninfo, struct pw_buf *why_out)
{
	PW_AUTO(free_pqtext) char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &error);

	if (!options)
		pw_buf_printf(why_out, "database is no connection string: %.*s",
		              error ? (int)strcspn(error, "\"\n") : 0,
		              error ? error : "");
	return options;
}

enum pw_status pw_db_target_new(struct pw_db_target **out,
                                const struct pw_db_config *config, struct pw_buf *why_out)
{
	PW_AUTO(pw_db_target_free) struct pw_db_target *t = calloc(1, sizeof(*t));

	if (!t)
		return PW_ERR_NOMEM;
	t->config = *config;
	t->conninfo = strdup(config->conninfo);
	t->program = strdup(config->program);
	if (!t->conninfo || !t->program)
		return PW_ERR_NOMEM;
	t->config.conninfo = t->conninfo;
	t->config.program = t->program;
	if (!(t->options = parse(t->conninfo, why_out)))
		return PW_ERR_CONFIG;
	(void)snprintf(
		t->tcp_timeout_ms, sizeof(t->tcp_timeout_ms), "%lld",
		(long long)(config->connect_timeout_ms + config->statement_timeout_ms));
	*out = PW_TAKE(t);
	return PW_OK;
}

void pw_db_target_free(struct pw_db_target **target)
{
	struct pw_db_target *t = *target;

	if (!t)
		return;
	free_options(&t->options);
	if (t->conninfo)
		pw_wipe(t->conninfo, strlen(t->conninfo));
	free(t->conninfo);
	free(t->program);
	free(t);
	*target = NULL;
}

const struct pw_db_config *pw_db_target_config(const struct pw_db_target *target)
{
	return &target->config;
}

void pw_db_tell(const struct pw_db_target *target, enum pw_db_event_kind kind,
                const char *text, int64_t number)
{
	struct pw_db_event event = { kind, text, number };

	if (target->config.event)
		target->config.event(target->config.event_arg, &event);
}

/* ---- connecting ---- */

/* One of the lists that go together: host, hostaddr, port. */
static bool is_list(const char *keyword)
{
	return strcmp(keyword, "host") == 0 || strcmp(keyword, "hostaddr") == 0 ||
	       strcmp(keyword, "port") == 0;
}

static size_t list_len(struct pw_str list)
{
	size_t n = 1;

	for (size_t i = 0; i < list.len; i++)
		n += list.at[i] == ',';
	return n;
}

/* The list with its first `turns` (mod its length) entries moved to the end. */
static void rotate(struct pw_buf *out, struct pw_str list, size_t turns)
{
	struct pw_str rest = list, last;

	for (turns %= list_len(list); turns > 0; turns--)
		(void)pw_str_cut(&rest, ',');
	last = pw_str_sub(list, 0, list.len - rest.len);
	pw_buf_puts(out, rest);
	if (last.len > 0) {
		pw_buf_putc(out, ',');
		pw_buf_puts(out, pw_str_sub(last, 0, last.len - 1));
	}
}

/* Keywords and values for libpq; of two with one name the later counts. */
struct keywords {
	const char *names[KEYWORDS_MAX + 1], *values[KEYWORDS_MAX + 1];
	struct pw_buf lists[3]; /* rotated */
	struct pw_buf options;  /* of the session */
	size_t count, list_count;
};

static void keywords_done(struct keywords *k)
{
	for (size_t i = 0; i < PW_LEN(k->lists); i++)
		pw_buf_done(&k->lists[i]);
	pw_buf_done(&k->options);
}

static void put(struct keywords *k, const char *name, const char *value)
{
	assert(k->count < KEYWORDS_MAX);
	k->names[k->count] = name;
	k->values[k->count++] = value;
}

/* Returns whether memory sufficed. */
static bool put_option(struct keywords *k, const PQconninfoOption *o,
                       unsigned int failures)
{
	struct pw_buf *list;

	if (!o->val || strcmp(o->keyword, "options") == 0)
		return true;
	if (!is_list(o->keyword) || k->list_count == PW_LEN(k->lists)) {
		put(k, o->keyword, o->val);
		return true;
	}
	list = &k->lists[k->list_count++];
	rotate(list, pw_str_from(o->val), failures);
	put(k, o->keyword, pw_buf_text(list));
	return pw_buf_status(list) == PW_OK;
}

/* The admin's own options come last and so win. Behind PgBouncer a session has none of
 * ours. */
static bool put_session(struct keywords *k, const struct pw_db_target *target)
{
	const PQconninfoOption *o = target->options;

	while (o->keyword && strcmp(o->keyword, "options") != 0)
		o++;
	if (target->config.prepared)
		pw_buf_printf(&k->options, "-c statement_timeout=%lld ",
		              (long long)target->config.statement_timeout_ms);
	if (o->val)
		pw_buf_puts(&k->options, pw_str_from(o->val));
	if (k->options.len > 0)
		put(k, "options", pw_buf_text(&k->options));
	return pw_buf_status(&k->options) == PW_OK;
}

/* libpq's own writes to standard error. */
static void ignore_notice(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

PGconn *pw_db_target_start(const struct pw_db_target *target, unsigned int failures)
{
	PW_AUTO(keywords_done) struct keywords k = { 0 };
	PGconn *pg;

	put(&k, "fallback_application_name", target->config.program);
	put(&k, "tcp_user_timeout", target->tcp_timeout_ms);
	put(&k, "keepalives_idle", "30");
	put(&k, "keepalives_interval", "10");
	put(&k, "keepalives_count", "3");
	for (const PQconninfoOption *o = target->options; o->keyword; o++)
		if (!put_option(&k, o, failures))
			return NULL;
	if (!put_session(&k, target))
		return NULL;
	put(&k, "client_encoding", "UTF8");
	pg = PQconnectStartParams(k.names, k.values, 0);
	if (pg)
		(void)PQsetNoticeProcessor(pg, ignore_notice, NULL);
	return pg;
}

void pw_db_error_line(struct pw_buf *out, const PGconn *pg)
{
	struct pw_str rest = pw_str_trim(pw_str_from(PQerrorMessage(pg)));

	while (rest.len > 0) {
		pw_buf_puts(out, pw_str_trim(pw_str_cut(&rest, '\n')));
		if (rest.len > 0)
			pw_buf_puts(out, PW_STR("; "));
	}
}

/* ---- backing off ---- */

bool pw_db_backoff_failed(struct pw_db_backoff *b, int64_t now_ms)
{
	int64_t wait = BACKOFF_MAX_MS;
	bool tell = b->failures == 0 || now_ms - b->told_ms >= TELL_EVERY_MS;

	if (b->failures < BACKOFF_SHORT)
		wait = BACKOFF_MIN_MS;
	else if (b->failures < BACKOFF_SHORT + 5)
		wait = BACKOFF_MIN_MS << (b->failures - BACKOFF_SHORT + 1);
	if (wait > BACKOFF_MAX_MS)
		wait = BACKOFF_MAX_MS;
	wait += (int64_t)arc4random_uniform((uint32_t)wait / 2) - wait / 4;
	b->failures++;
	b->next_ms = now_ms + wait;
	if (tell)
		b->told_ms = now_ms;
	return tell;
}

bool pw_db_backoff_done(struct pw_db_backoff *b)
{
	bool had = b->failures > 0;

	*b = (struct pw_db_backoff){ 0 };
	return had;
}

/* ---- parameters ---- */

enum pw_status pw_db_params_init(struct pw_db_params *out, const struct pw_str *params,
                                 size_t count)
{
	size_t total = 1;
	char *at;

	if (count > PW_DB_PARAMS_MAX)
		return PW_ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		if (pw_str_find(params[i], '\0') < params[i].len)
			return PW_ERR_SYNTAX;
		total += params[i].len + 1;
	}
	if (!(at = malloc(total)))
		return PW_ERR_NOMEM;
	*out = (struct pw_db_params){ .count = (int)count, .memory = at, .bytes = total };
	for (size_t i = 0; i < count; i++) {
		if (!params[i].at)
			continue; /* NULL */
		out->values[i] = at;
		if (params[i].len > 0)
			memcpy(at, params[i].at, params[i].len);
		at[params[i].len] = '\0';
		at += params[i].len + 1;
	}
	return PW_OK;
}

void pw_db_params_done(struct pw_db_params *params)
{
	if (params->memory)
		pw_wipe(params->memory, params->bytes);
	free(params->memory);
	*params = (struct pw_db_params){ 0 };
}
