/* Who guesses passwords: failures per network and per login in a sliding window, logins
 * tried per network, blocks that follow from them, and where a login is at home. One
 * thread owns it. Pure.
 *
 * The window of a rule (N failures in a period P, block B):
 * - A failure counts for at least P and for less than P + P/16 + 17 ms. So N failures
 *   within any time of length P block, and fewer than N within every time of length
 *   P + P/16 + 17 ms do not.
 * - The block begins with the Nth failure and lasts exactly B. While it lasts nothing is
 *   counted against what is blocked; after it the count begins anew.
 * - Where the rule says so, a password that failed for the same login from the same
 *   network within P counts nothing (repeats.h). Two passwords are taken for the same
 *   once in 4096 times.
 * - A rule of kind spray counts logins per network, each once within P.
 * - A network is one IPv4 address or an IPv6 /64. It fails with a wrong password and with
 *   a login that does not exist; a login fails with a wrong password alone, so strangers
 *   cannot fill the table with names that are nobody's.
 * - A login's block does not hit networks it succeeded from within GUARD_HOME_MS, and
 *   their failures do not count against it, nor as a login that was sprayed: nobody locks
 *   the owner of a mailbox out by guessing from elsewhere.
 * - What other nodes counted adds to the windows, and what they blocked is blocked here;
 *   what is counted and blocked here is news for them. Blocks made by hand need no rule,
 *   and that of a login holds at its home and from exempt networks too.
 * - Addresses in an exempt network are neither counted nor refused. Loopback (a webmail
 *   on this host) and an address not known are no network that could be blocked, and
 *   nobody's home; what fails from there counts against the login.
 *
 * Memory: at most GUARD_WINDOWS_MAX networks and as many logins are counted, at most
 * GUARD_BLOCKS_MAX blocked and GUARD_HOMES_MAX pairs of login and network remembered; in
 * each of these what happened longest ago is forgotten for what is new. A change of a
 * rule's period begins its counts anew; blocks last as they were made, but hold only
 * while there is a rule of their kind, and dry run is as it was. */
#pragma once

#include "core/banlist.h"
#include "policyd/catalog.h"

#define GUARD_WINDOWS_MAX ((size_t)100 * 1000)
#define GUARD_BLOCKS_MAX ((size_t)100 * 1000)
#define GUARD_HOMES_MAX ((size_t)200 * 1000)
/* Subjects with news that were not fetched yet; the oldest are lost to other nodes. */
#define GUARD_NEWS_MAX ((size_t)20 * 1000)
#define GUARD_HOME_MS ((int64_t)30 * 86400 * 1000)
/* Longer logins are no mailbox's. */
#define GUARD_LOGIN_MAX 512

struct guard;

/* Who tries, from where. */
struct guard_attempt {
	struct pw_str login; /* in normal form */
	struct pw_ip remote; /* unmapped; zero = not known */
	int64_t password;    /* short hash of the wrong one; 0 = not known */
};

/* A block that begins or has ended. */
struct guard_block {
	enum auth_kind kind;
	struct pw_str
		login; /* of a login's block, else empty; good until the next call */
	struct pw_net network; /* of one of any other kind */
	int64_t failures;      /* that led to it */
	int64_t block_ms;
	bool is_dry_run; /* nothing is refused */
};

/* What one failure led to. */
struct guard_blocks {
	struct guard_block blocks[AUTH_RULES];
	size_t count;
};

/* What other nodes are to know of one subject. */
struct guard_news {
	struct guard_block block; /* which; the rest where has_block */
	int64_t count;            /* failures */
	int64_t left_ms;          /* of the block; less than 0 = ended so long ago */
	bool has_block;
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, guard_free */
PW_MUST_CHECK enum pw_status guard_new(struct guard **out, const uint8_t seed[16]);
void guard_free(struct guard **guard);

/* May this be tried? Milliseconds for which it may not; 0 = it may.
 *
 * catalog  NULL = no rules known: everything may
 * now_ms   of a clock that does not step, as everywhere here */
int64_t guard_ask(const struct guard *guard, const struct catalog *catalog,
                  const struct guard_attempt *attempt, int64_t now_ms);
/* A password was wrong, or (is_login false) there is no such login. Out of memory counts
 * nothing. */
void guard_failed(struct guard *guard, struct guard_blocks *out,
                  const struct catalog *catalog, const struct guard_attempt *attempt,
                  bool is_login, int64_t now_ms);
/* The password was right at at_ms: the login is at home there. */
void guard_succeeded(struct guard *guard, const struct guard_attempt *attempt,
                     int64_t at_ms);

/* Take the oldest news; false = none. Its texts are good until the next call. */
bool guard_next_news(struct guard *guard, struct guard_news *out, int64_t now_ms);
/* Failures of a rule's kind that another node counted (block: kind, network or login,
 * failures). True: a block begins here by them, *block says which. */
bool guard_counted(struct guard *guard, struct guard_block *block,
                   const struct catalog *catalog, int64_t now_ms);
/* A block there is elsewhere, block_ms is what is left of it. False: it is known. */
bool guard_take_block(struct guard *guard, const struct guard_block *block,
                      int64_t now_ms);
/* A block ended before its time; false: there was none. */
bool guard_lift(struct guard *guard, const struct guard_block *block);
/* Forget all blocks but those that are news: all there are elsewhere follow. */
void guard_forget_blocks(struct guard *guard);

/* Walk the networks that are refused now: start with *pos = NULL; false at the end. The
 * guard stays as it is meanwhile. */
bool guard_next_refused(const struct guard *guard, const struct catalog *catalog,
                        const void **pos, struct pw_ban *out, int64_t now_ms);
/* Take one block that has ended off the list; false = there is none (any more). Looks at
 * all blocks, but only where one may have ended. */
bool guard_next_ended(struct guard *guard, struct guard_block *out, int64_t now_ms);
/* Forget windows that hold nothing any more, a few of the oldest at a time. */
void guard_sweep(struct guard *guard, int64_t now_ms);
/* Blocks there are, those in dry run too; things counted now. */
size_t guard_block_count(const struct guard *guard);
size_t guard_window_count(const struct guard *guard);
