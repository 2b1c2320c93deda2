/* Failed logins of all nodes: what the share's thread fetched goes into the guard, and
 * the guard's news to the thread. */
#include "core/json.h"
#include "db/program.h"
#include "io/clock.h"
#include "policyd/daemon.h"

/* Of one hand-over; what is more waits for the next. */
#define NEWS_MAX 1000
/* Rows taken over at once, between two rounds of answers. */
#define ROWS_PER_TURN 2000

enum column { WHAT, KIND, WHO, NUMBER, DRY_RUN };

/* ---- from other nodes */

/* kind, who; false: a kind of a later version, or nobody. */
static bool read_block(struct guard_block *out, const struct pw_db_result *rows,
                       size_t row)
{
	struct pw_str kind = pw_db_value(rows, row, KIND);
	struct pw_str who = pw_db_value(rows, row, WHO);
	bool is_network = pw_net_parse(&out->network, who) == PW_OK;

	for (out->kind = 0; out->kind < AUTH_KINDS; out->kind++) {
		bool is_of_login =
			out->kind == AUTH_LOGIN || out->kind == AUTH_LOGIN_BY_HAND;

		if (is_of_login == is_network ||
		    !pw_str_eq(kind, pw_str_from(catalog_auth_kind_name(out->kind))))
			continue;
		if (is_of_login)
			out->login = who;
		return true;
	}
	return false;
}

static void hear_all(struct daemon *daemon, struct guard_block *block)
{
	(void)block;
	guard_forget_blocks(daemon->guard);
	daemon->must_flush_auth = true; /* a block may have ended that nobody told of */
}

static void hear_block(struct daemon *daemon, struct guard_block *block)
{
	if (!guard_take_block(daemon->guard, block, daemon->shared.taken_ms))
		return;
	auth_tell_block(daemon, block, AUTH_TAKEN);
	if (block->kind == AUTH_LOGIN_BY_HAND && !block->is_dry_run)
		changes_end_sessions(daemon, block->login, PW_STR("blocked"));
}

static void hear_lift(struct daemon *daemon, struct guard_block *block)
{
	if (guard_lift(daemon->guard, block))
		auth_tell_block(daemon, block, AUTH_LIFTED);
}

static void hear_count(struct daemon *daemon, struct guard_block *block)
{
	if (guard_counted(daemon->guard, block, daemon->world.catalog,
	                  pw_clock_mono_ms()))
		auth_begin_block(daemon, block);
}

static const struct verb {
	const char *word;
	void (*hear)(struct daemon *daemon, struct guard_block *block);
	bool has_block;
} verbs[] = {
	{ "all", hear_all, false },
	{ "block", hear_block, true },
	{ "lift", hear_lift, true },
	{ "count", hear_count, true },
};

static void hear_row(struct daemon *daemon, const struct pw_db_result *rows, size_t row)
{
	struct guard_block block = { .is_dry_run = pw_db_bool(rows, row, DRY_RUN) };

	block.block_ms = block.failures = pw_db_int(rows, row, NUMBER, 0);
	for (size_t i = 0; i < PW_LEN(verbs); i++)
		if (pw_str_eq(pw_db_value(rows, row, WHAT), pw_str_from(verbs[i].word)) &&
		    (!verbs[i].has_block || read_block(&block, rows, row)))
			verbs[i].hear(daemon, &block);
}

static void hear_home(struct daemon *daemon, const struct pw_db_result *rows, size_t row)
{
	struct guard_attempt attempt = { .login = pw_db_value(rows, row, 0) };

	if (pw_ip_parse(&attempt.remote, pw_db_value(rows, row, 1)) != PW_OK)
		return;
	attempt.remote = pw_ip_unmap(attempt.remote);
	guard_succeeded(daemon->guard, &attempt,
	                daemon->shared.taken_ms - pw_db_int(rows, row, 2, 0));
}

/* Take the next row over; false: that was the last. */
static bool take_row(struct daemon *daemon)
{
	struct auth_shared *shared = &daemon->shared;

	if (shared->rows.homes != NULL && shared->home < pw_db_rows(shared->rows.homes))
		hear_home(daemon, shared->rows.homes, shared->home++);
	else if (shared->row < pw_db_rows(shared->rows.news))
		hear_row(daemon, shared->rows.news, shared->row++);
	else
		return false;
	return true;
}

void auth_share_turn(struct daemon *daemon)
{
	if (daemon->shared.rows.news == NULL)
		return;
	for (size_t n = 0; n < ROWS_PER_TURN; n++)
		if (!take_row(daemon)) {
			share_rows_done(&daemon->shared.rows);
			return;
		}
	server_wake(daemon->server);
}

static void take(struct daemon *daemon)
{
	struct auth_shared *shared = &daemon->shared;

	if (shared->rows.news == NULL) {
		*shared = (struct auth_shared){ .taken_ms = pw_clock_mono_ms() };
		if (!share_take(daemon->share, &shared->rows))
			return;
	}
	auth_share_turn(daemon);
}

/* ---- to other nodes */

static void put_news(struct pw_buf *out, const struct guard_news *news)
{
	PW_AUTO(pw_buf_done) struct pw_buf who = { 0 };

	auth_put_who(&who, &news->block);
	pw_buf_printf(out, "%c{\"kind\":\"%s\",\"who\":", out->len == 0 ? '[' : ',',
	              catalog_auth_kind_name(news->block.kind));
	pw_json_put_string(out, pw_buf_str(&who));
	pw_buf_printf(out, ",\"count\":%lld", (long long)news->count);
	if (news->has_block)
		pw_buf_printf(out,
		              ",\"block_ms\":%lld,\"left_ms\":%lld,\"failures\":%lld,"
		              "\"dry_run\":%s",
		              (long long)news->block.block_ms, (long long)news->left_ms,
		              (long long)news->block.failures,
		              news->block.is_dry_run ? "true" : "false");
	pw_buf_putc(out, '}');
}

/* The guard's news as one array; nothing where there are none. */
static void put_all(struct daemon *daemon, struct pw_buf *out)
{
	struct guard_news news;

	for (int i = 0; i < NEWS_MAX; i++) {
		if (!guard_next_news(daemon->guard, &news, pw_clock_mono_ms()))
			break;
		put_news(out, &news);
	}
	if (out->len > 0)
		pw_buf_putc(out, ']');
	if (pw_buf_status(out) != PW_OK)
		pw_buf_reset(out);
}

static void put(struct daemon *daemon)
{
	PW_AUTO(pw_buf_done) struct pw_buf news = { 0 };

	if (!share_wants(daemon->share))
		return;
	put_all(daemon, &news);
	if (news.len > 0)
		share_put(daemon->share, &news);
}

/* What was fetched first: a list of all blocks forgets those that are no news any more.
 */
void auth_share_tick(struct daemon *daemon)
{
	take(daemon);
	put(daemon);
}

/* ---- life */

enum pw_status auth_share_start(struct daemon *daemon, struct pw_buf *why_out)
{
	struct pw_db_config config =
		pw_db_config_from(&daemon->settings->common, settings_schema.program);

	config.event = NULL; /* what there is to say the snapshot says */
	return share_start(&daemon->share, &config, why_out);
}

void auth_share_stop(struct daemon *daemon)
{
	PW_AUTO(pw_buf_done) struct pw_buf last = { 0 };

	if (daemon->share != NULL)
		put_all(daemon, &last);
	share_stop(&daemon->share, &last);
	share_rows_done(&daemon->shared.rows);
}
