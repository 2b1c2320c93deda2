#include "auth-common.h"

#include "passdb.h"

#include "ioloop.h"
#include "llist.h"
#include "safe-memset.h"

#include "credentials.h"
#include "database.h"
#include "rehash.h"

#define SETTING "password_scheme"
#define REFRESH_MS 60000
#define WAIT_MS 3000
#define WAITING_MAX 16
/* Time left to others for each hash, as a multiple of what it took. */
#define REST_FACTOR 9

static const struct pw_db_statement settings_statement = {
	.name = "postward_settings",
	.sql = "SELECT name, value FROM mail.dovecot_settings()",
	.is_repeatable = true,
};
static const struct pw_db_statement rehash_statement = {
	.name = "postward_rehash",
	.sql = "SELECT mail.dovecot_rehash($1, $2, $3)",
	.is_repeatable = true, /* it changes only what still is as it was */
};

struct job {
	struct job *prev, *next;
	char *user, *hash, *password;
};

static struct {
	struct database *database;
	char *scheme; /* NULL or "" = leave passwords as they are */
	int64_t asked_ms;
	struct job *first, *last;
	unsigned int waiting;
	struct timeout *to;
} rehash;

static void run(void *context);

/* ---- the setting ---- */

static void on_settings(void *arg ATTR_UNUSED, enum pw_status status,
                        const struct pw_db_result *rows)
{
	if (status != PW_OK)
		return; /* the old ones hold */
	i_free(rehash.scheme);
	for (size_t i = 0; i < pw_db_rows(rows); i++)
		if (null_strcmp(database_text(rows, i, 0), SETTING) == 0)
			rehash.scheme = i_strdup(database_text(rows, i, 1));
}

void rehash_refresh(struct database *database)
{
	int64_t now = database_now_ms();

	if (rehash.asked_ms != 0 && now < rehash.asked_ms + REFRESH_MS)
		return;
	rehash.asked_ms = now;
	(void)!database_ask(database, &settings_statement, NULL, 0, WAIT_MS, on_settings,
	                    NULL);
}

/* ---- jobs ---- */

static void job_free(struct job *job)
{
	DLLIST2_REMOVE(&rehash.first, &rehash.last, job);
	rehash.waiting--;
	safe_memset(job->password, 0, strlen(job->password));
	i_free(job->password);
	i_free(job->user);
	i_free(job->hash);
	i_free(job);
}

static void on_rehashed(void *arg ATTR_UNUSED, enum pw_status status,
                        const struct pw_db_result *rows)
{
	if (status == PW_OK || status == PW_ERR_AWAY || status == PW_ERR_TIMEOUT)
		return;
	if (strcmp(pw_db_sqlstate(rows), "25006") == 0)
		return; /* a standby: it is for the next login on the primary */
	e_warning(auth_event, "postward: a password could not be hashed anew: %s",
	          database_why(status, rows));
}

static void store(const struct job *job, const char *new_hash)
{
	const struct pw_str params[] = {
		pw_str_from(job->user),
		pw_str_from(job->hash),
		pw_str_from(new_hash),
	};

	(void)!database_ask(rehash.database, &rehash_statement, params,
	                    N_ELEMENTS(params), WAIT_MS, on_rehashed, NULL);
}

static void work(const struct job *job)
{
	const struct password_generate_params params = { .user = job->user };
	const char *encoded;

	if (rehash.scheme == NULL || *rehash.scheme == '\0')
		return;
	if (password_generate_encoded(job->password, &params, rehash.scheme, &encoded))
		store(job, t_strdup_printf("{%s}%s", rehash.scheme, encoded));
	else
		e_warning(auth_event, "postward: " SETTING " %s: unknown scheme",
		          rehash.scheme);
}

static void run_later(int64_t wait_ms)
{
	timeout_remove(&rehash.to);
	rehash.to = timeout_add_short((unsigned int)I_MIN(wait_ms, INT_MAX), run, NULL);
}

static void run(void *context ATTR_UNUSED)
{
	int64_t begin = database_now_ms();

	timeout_remove(&rehash.to);
	if (rehash.first == NULL)
		return;
	work(rehash.first);
	job_free(rehash.first);
	run_later((database_now_ms() - begin) * REST_FACTOR + 1);
}

void rehash_offer(struct database *database, const struct auth_request *request,
                  const struct credential *row)
{
	const char *hash = row->hash;
	const char *scheme = password_get_scheme(&hash);
	struct job *job;

	if (rehash.scheme == NULL || *rehash.scheme == '\0' || row->number != 0 ||
	    request->fields.skip_password_check || rehash.waiting >= WAITING_MAX ||
	    (scheme != NULL &&
	     password_scheme_is_alias(t_strcut(scheme, '.'), rehash.scheme)))
		return;
	rehash.database = database;
	job = i_new(struct job, 1);
	job->user = i_strdup(row->user);
	job->hash = i_strdup(row->hash);
	job->password = i_strdup(request->mech_password);
	DLLIST2_APPEND(&rehash.first, &rehash.last, job);
	rehash.waiting++;
	if (rehash.to == NULL)
		run_later(0);
}

void rehash_deinit(void)
{
	while (rehash.first != NULL)
		job_free(rehash.first);
	timeout_remove(&rehash.to);
	i_free(rehash.scheme);
	rehash.asked_ms = 0;
}
