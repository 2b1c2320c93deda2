/* The database as this daemon needs it: the catalog from a snapshot, rows written behind
 * its back. Both have threads of their own (db/snapshot.h, db/writer.h); no call here
 * waits for the database but open, drain and close. */
#pragma once

#include "policyd/catalog.h"
#include "policyd/chores.h"
#include "policyd/grey.h"
#include "policyd/ledger.h"
#include "policyd/logins.h"
#include "policyd/recall.h"
#include "policyd/settings.h"
#include "policyd/stolen.h"
#include "policyd/usage.h"

struct database;

/* changed is called from another thread whenever there is a new catalog. Returns without waiting for the database; a copy on disk,
 * if there is one, is loaded by then.
 *
 * Errors  PW_ERR_CONFIG (why_out), PW_ERR_NOMEM, PW_ERR_IO
 * Owner   caller, database_close */
PW_MUST_CHECK enum pw_status database_open(struct database **out,
                                           const struct settings *set,
                                           void (*changed)(void *arg), void *arg,
                                           struct pw_buf *why_out);
/* Writes what is queued, for at most drain_ms. */
void database_drain(struct database *database, int64_t drain_ms);
void database_close(struct database **database);

/* Take over the newest catalog; NULL = there has never been one. It is good until the
 * next call. */
const struct catalog *database_catalog(struct database *database);
/* Is that catalog, as far as one can know, what the database holds? Not where there is a
 * newer one that was not taken over yet. */
bool database_is_fresh(struct database *database);
int64_t database_age_ms(struct database *database);
/* Look for changes now. */
void database_poke(struct database *database);

/* Rows to be written; what cannot be queued is counted by the writer and lost. */
/* Attempts over its limit, and until when nobody is told again. */
void database_put_over(struct database *database, const struct ledger_account *account,
                       int64_t now_us);
void database_put_usage(struct database *database, const struct usage_entry *entry);
void database_put_event(struct database *database, const struct catalog_rule *rule,
                        struct pw_str who, int64_t retry_after_us);
/* A login is suspended from sending; also an event. */
void database_put_suspension(struct database *database, const struct catalog_rule *rule,
                             struct pw_str login, int64_t until_wall_ms);
void database_put_login(struct database *database, const struct login_note *note,
                        int64_t at_wall_ms);
/* The same; from any thread. */
void database_put_chore(struct database *database, const struct chores_event *event);

/* What is remembered beside the snapshot; it lives as long as the database. */
struct recall *database_recall(struct database *database);
void database_put_grey(struct database *database, const struct grey_row *row);
void database_put_habit(struct database *database, struct pw_str login, int64_t busiest);
void database_put_stolen(struct database *database, struct pw_str login,
                         const struct stolen_alarm *alarm, int64_t window_ms);
