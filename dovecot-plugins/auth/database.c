#include "database.h"

#include "auth-common.h"
#include "ioloop.h"
#include "llist.h"

#include <time.h>

/* A burst of logins may wait for a restarting server, not the whole world. */
#define QUEUE_MAX 4096
#define CONNECT_TIMEOUT_MS 2000
#define STATEMENT_TIMEOUT_MS 3000

struct database {
	struct database *prev, *next;
	char *conninfo;
	bool prepared;
	int refcount;
	struct pw_db_async *client;
	struct io *io;
	struct timeout *to;
};

static struct database *databases;

int64_t database_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail on Linux */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t loop_now_ms(void *arg ATTR_UNUSED)
{
	return database_now_ms();
}

static void on_fd(struct database *database)
{
	pw_db_async_on_fd(database->client);
}

static void loop_watch(void *arg, int fd, unsigned int want)
{
	struct database *database = arg;
	enum io_condition condition = 0;

	if ((want & PW_DB_READ) != 0)
		condition |= IO_READ;
	if ((want & PW_DB_WRITE) != 0)
		condition |= IO_WRITE;
	io_remove(&database->io);
	if (condition != 0)
		database->io = io_add(fd, condition, on_fd, database);
}

static void on_timer(struct database *database)
{
	timeout_remove(&database->to); /* Dovecot's timers repeat */
	pw_db_async_on_timer(database->client);
}

static void loop_timer(void *arg, int64_t at_ms)
{
	struct database *database = arg;
	int64_t wait_ms = at_ms - database_now_ms();

	timeout_remove(&database->to);
	if (at_ms < 0)
		return;
	wait_ms = I_MIN(I_MAX(wait_ms, 0), INT_MAX);
	database->to = timeout_add_short((unsigned int)wait_ms, on_timer, database);
}

static void on_event(void *arg ATTR_UNUSED, const struct pw_db_event *event)
{
	const char *name = pw_db_event_name(event->kind);

	if (pw_db_event_is_warning(event->kind))
		e_warning(auth_event, "postward: database %s: %s", name, event->text);
	else
		e_debug(auth_event, "postward: database %s: %s", name, event->text);
}

static enum pw_status open_client(struct database *database, struct pw_buf *why_out)
{
	const struct pw_db_config config = {
		.conninfo = database->conninfo,
		.program = "postward-dovecot",
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.statement_timeout_ms = STATEMENT_TIMEOUT_MS,
		.prepared = database->prepared,
		.event = on_event,
	};
	const struct pw_db_loop loop = { database, loop_watch, loop_timer, loop_now_ms };

	return pw_db_async_open(&database->client, &config, &loop, QUEUE_MAX, why_out);
}

int database_ref(struct database **out, const char *conninfo, bool prepared,
                 const char **error_r)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct database *database;
	enum pw_status r;

	for (database = databases; database != NULL; database = database->next) {
		if (strcmp(database->conninfo, conninfo) == 0 &&
		    database->prepared == prepared) {
			database->refcount++;
			*out = database;
			return 0;
		}
	}
	database = i_new(struct database, 1);
	database->refcount = 1;
	database->conninfo = i_strdup(conninfo);
	database->prepared = prepared;
	DLLIST_PREPEND(&databases, database);
	if ((r = open_client(database, &why)) != PW_OK) {
		*error_r = t_strdup_printf("database: %s: %s", pw_status_text(r),
		                           pw_buf_text(&why));
		database_unref(&database);
		return -1;
	}
	*out = database;
	return 0;
}

void database_unref(struct database **database)
{
	struct database *d = *database;

	*database = NULL;
	if (d == NULL || --d->refcount > 0)
		return;
	pw_db_async_close(&d->client);
	DLLIST_REMOVE(&databases, d);
	io_remove(&d->io);
	timeout_remove(&d->to);
	i_free(d->conninfo);
	i_free(d);
}

enum pw_status database_ask(struct database *database,
                            const struct pw_db_statement *statement,
                            const struct pw_str *params, size_t count, int64_t wait_ms,
                            pw_db_async_done_fn *done, void *arg)
{
	return pw_db_async_query(database->client, statement, params, count,
	                         database_now_ms() + wait_ms, done, arg);
}

const char *database_text(const struct pw_db_result *result, size_t row, size_t column)
{
	struct pw_str value = pw_db_value(result, row, column);

	return value.at == NULL ? NULL : t_strndup(value.at, value.len);
}

const char *database_why(enum pw_status status, const struct pw_db_result *result)
{
	return result != NULL ? pw_db_message(result) : pw_status_text(status);
}
