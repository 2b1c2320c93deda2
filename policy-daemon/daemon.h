/* The parts of the running daemon, as main.c, the two protocols and the loop's events
 * share them. Everything here belongs to the answering thread. */
#pragma once

#include "core/auth_line.h"
#include "io/options.h"
#include "policyd/chores.h"
#include "policyd/database.h"
#include "policyd/decide.h"
#include "policyd/expiry.h"
#include "policyd/guard.h"
#include "policyd/lease_book.h"
#include "policyd/lease_db.h"
#include "policyd/logins.h"
#include "policyd/numbers.h"
#include "policyd/server.h"
#include "policyd/settings.h"
#include "policyd/share.h"

/* What other nodes told, being taken over. */
struct auth_shared {
	struct share_rows rows; /* news NULL = none */
	size_t home, row;       /* the next of them */
	int64_t taken_ms;       /* their times count from here */
};

struct daemon {
	struct pw_options options;
	struct settings *settings;
	struct server *server;
	struct database *database;
	struct numbers_writer *numbers;
	struct chores *chores;
	struct ledger *ledger;
	struct lease_book *leases;
	struct lease_db *lease_db;
	struct usage *usage;
	struct grey *grey;
	struct stolen *stolen;
	struct pw_db_result *grey_rows; /* stored ones being taken over; NULL = none */
	size_t grey_row;                /* the next of them */
	bool knows_habits;              /* what logins usually send has come in */
	struct guard *guard;
	struct logins *logins;
	struct standing *standing;
	struct share *share;
	struct auth_shared shared;
	struct decide_world world;
	struct server_protocol policy, usage_protocol, auth_protocol, bans_protocol;
	struct server_protocol map;
	struct bans *bans;  /* NULL = off */
	struct http *http;  /* NULL = off */
	int64_t started_ms; /* monotonic */
	int64_t looked_ms;  /* at the wall clock and the database, for questions */
	int64_t linked_us;  /* at the database, for leases */
	int64_t fresh_ms;   /* monotonic: when the catalog was last known to be right */
	int news_ticks; /* until sessions are told what a domain has left; 0 = never */
	int64_t change_seen; /* generation of the last login change that was followed */
	bool has_catalog;    /* changes are followed from here on */
	struct expiry expiry;
	bool has_link;        /* the database was reached, or tried in vain */
	bool must_flush_auth; /* drivers are to forget all cached answers */
	struct blocks *blocks;
	int64_t reset_seen; /* id of the last reset that was followed */
	bool has_resets;    /* resets are followed from here on */
	uint8_t auth_nonce[PW_AUTH_NONCE_LEN]; /* of wrong passwords, until the end */
};

/* The clock of the buckets: microseconds that only grow. */
int64_t daemon_now_us(void);

/* Is the catalog, as far as one can know, what the database holds? */
bool daemon_is_fresh(struct daemon *daemon);

/* Make the daemon listen and load; the settings are read and signals blocked.
 *
 * Errors  as of the parts; why_out says which */
PW_MUST_CHECK enum pw_status daemon_start(struct daemon *daemon, struct pw_buf *why_out);
/* Serve until SIGTERM. */
PW_MUST_CHECK enum pw_status daemon_run(struct daemon *daemon);
/* Give everything back, last first; what is queued for the database is written. */
void daemon_done(struct daemon *daemon);

/* Counters shared with other nodes: started after ledger, server and settings; stopped
 * before them, when what is held has been given back. */
PW_MUST_CHECK enum pw_status leasing_start(struct daemon *daemon, struct pw_buf *why_out);
void leasing_stop(struct daemon *daemon);
/* Its thread woke us; a round of the loop is over. */
void leasing_woken(struct daemon *daemon);
void leasing_round(struct daemon *daemon); /* leasing.c */

/* What the auth socket does besides answering: blocks end. About every SERVER_TICK_MS. */
void auth_tick(struct daemon *daemon); /* auth_talk.c */

/* What becomes of a block: here, or (TAKEN, LIFTED) on another node or by hand. */
enum auth_deed { AUTH_BEGUN, AUTH_TAKEN, AUTH_ENDED, AUTH_LIFTED };
/* Log it, and have the drivers forget what they cached. */
void auth_tell_block(struct daemon *daemon, const struct guard_block *block,
                     enum auth_deed deed);
/* One began here: count it too. */
void auth_begin_block(struct daemon *daemon, const struct guard_block *block);
/* A block's network or login as text. */
void auth_put_who(struct pw_buf *out, const struct guard_block *block);

/* May this be tried? Milliseconds for which it may not. line: login, remote, service. */
int64_t auth_ask(struct daemon *daemon, const struct pw_auth_line *line);
/* How it ended. line: all of PW_AUTH_REPORT. */
void auth_report(struct daemon *daemon, const struct pw_auth_line *line);
/* Is the login of line one there is, as far as the catalog knows? */
bool auth_is_login(const struct daemon *daemon, const struct pw_auth_line *line);

/* Auth policy over HTTP, where it is wanted: open, what is due about every
 * SERVER_TICK_MS, close.
 *
 * Errors  as pw_listener_open, pw_file_read (why_out); PW_ERR_NOMEM, PW_ERR_IO */
PW_MUST_CHECK enum pw_status http_open(struct daemon *daemon, struct pw_buf *why_out);
void http_tick(struct daemon *daemon);
void http_close(struct daemon *daemon); /* http_talk.c */

/* Failed logins of all nodes: begin, about every SERVER_TICK_MS, and end.
 *
 * Errors  as share_start */
PW_MUST_CHECK enum pw_status auth_share_start(struct daemon *daemon,
                                              struct pw_buf *why_out);
void auth_share_tick(struct daemon *daemon);
/* Go on with rows that were too many for one turn; whenever the server was woken. */
void auth_share_turn(struct daemon *daemon);
void auth_share_stop(struct daemon *daemon); /* auth_share.c */

/* There is a new catalog: end the sessions of logins that changed since the one before.
 */
void changes_follow(struct daemon *daemon);
/* And of those that ended at a date. */
void changes_tick(struct daemon *daemon);
/* End those of one login, IMAP and submission alike; why is for the log. */
void changes_end_sessions(struct daemon *daemon, struct pw_str login,
                          struct pw_str why); /* changes.c */

/* Somebody ran into a limit: events, mail, the suspension. */
void limit_talk_tell(struct daemon *daemon, const struct decision *decision,
                     const struct request *request);
/* There is a new catalog: counters that SQL set to zero. */
void limit_talk_follow(struct daemon *daemon);
/* Hand the counters that moved to the database. */
void limit_talk_store(struct daemon *daemon); /* limit_talk.c */

/* Store what greylisting remembers since a decision: at once, whether it is the answer or
 * is asked for again. */
void access_store(struct daemon *daemon, const struct decision *decision);
/* What follows from an answer to Postfix, and from a login: lists and greylisting tried
 * out, accounts that look stolen. ip is unmapped; login in normal form. */
void access_answered(struct daemon *daemon, const struct decision *decision,
                     const struct request *request);
void access_logged_in(struct daemon *daemon, struct pw_str login, struct pw_ip ip);
/* Take over what is stored of them. */
void access_tick(struct daemon *daemon); /* access_talk.c */

/* The protocols; arg of all is the daemon. */
extern const struct server_protocol policy_protocol; /* policy_talk.c */
extern const struct server_protocol usage_protocol;  /* usage_talk.c */
extern const struct server_protocol auth_protocol;   /* auth_talk.c */
extern const struct server_protocol map_protocol;    /* map_talk.c */

/* The list of banned clients, where it is wanted.
 *
 * Errors  as server_listen; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status bans_open(struct daemon *daemon, struct pw_buf *why_out);
void bans_close(struct daemon *daemon); /* bans_talk.c */

/* There is another catalog: open sessions are told what changed for them. */
void usage_talk_catalog(struct daemon *daemon);
/* Hand what the plugin told to the database. */
void usage_talk_store(struct daemon *daemon);
/* That and what else is due, about every SERVER_TICK_MS. */
void usage_talk_tick(struct daemon *daemon);
