/* From one question of Postfix to a decision. Pure: it reads the catalog and the usage,
 * moves the buckets of the ledger, and leaves answering, logging and storing to the
 * caller.
 *
 * A message is known by its instance. At RCPT tokens are reserved, at the commit stage
 * they are used, and given back when the instance changes or the connection closes before
 * that. What was refused costs nothing; the same recipient asked about twice costs once.
 */
#pragma once

#include "policyd/blocks.h"
#include "policyd/grey.h"
#include "policyd/lease_book.h"
#include "policyd/ledger.h"
#include "policyd/request.h"
#include "policyd/seen.h"
#include "policyd/standing.h"
#include "policyd/usage.h"

#define DECIDE_INSTANCE_MAX 128
/* Questions and charges of a message that are remembered; those beyond are charged
 * whenever asked. */
#define DECIDE_SEEN_MAX 200000
/* Counters that one message may move. */
#define DECIDE_HOLDS_MAX 65536
/* Messages that vanish without a commit before we doubt Postfix's settings. */
#define DECIDE_LOST_MAX 20

/* Hold: taken, and kept back for the admin. Wait: the database must be asked first, and
 * nothing was changed; the same request is to be decided again when it has answered, and
 * every now and then. */
enum decide_verdict {
	DECIDE_DUNNO,
	DECIDE_DEFER,
	DECIDE_REJECT,
	DECIDE_HOLD,
	DECIDE_WAIT,
};

enum decide_cause {
	CAUSE_NONE,
	CAUSE_RATE,        /* a limit is reached */
	CAUSE_NEVER,       /* more at once than a limit ever allows */
	CAUSE_QUOTA,       /* all mailboxes behind the recipient are full */
	CAUSE_SENDER,      /* the sender does not belong to the login */
	CAUSE_NULL_SENDER, /* a login sends as <> */
	CAUSE_ACCOUNT,     /* the login may not send any more */
	CAUSE_LOG_IN,      /* the session is older than the login's last change */
	CAUSE_STALE,       /* perhaps not the login's sender, but the database is away */
	CAUSE_NO_DATA,     /* the database was never seen */
	CAUSE_FAULT,       /* we could not work */
	CAUSE_BLOCKED,     /* a limit suspended the login */
	CAUSE_LISTED,      /* a deny list */
	CAUSE_POSTING,     /* may not write to that list or alias */
	CAUSE_GREYLIST,    /* not met before: must come again */
	CAUSE_OUTAGE,      /* the database is away, and a limit refuses then */
	CAUSE_IDS,
};

enum decide_warning {
	WARN_NONE,
	WARN_NO_COMMIT, /* asked at RCPT, never at the commit stage: limits count nothing
	                 */
	WARN_NO_RCPT,   /* asked at the commit stage alone: whole messages are refused */
	WARN_NO_SIZE,   /* bytes are limited, but committed before the size is known */
};

/* A rule that was exceeded. */
struct decide_breach {
	const struct catalog_rule *rule; /* NULL = none */
	struct pw_str who;               /* whose counter; until the next decision */
	int64_t retry_after_us;          /* -1 = never */
	bool is_first;                   /* the first of its period: worth an event */
};

/* A list, posting right or greylisting in dry run would have refused. */
struct decide_trial {
	enum decide_cause cause; /* NONE: there was none */
	int64_t row;
};

struct decision {
	enum decide_verdict verdict;
	enum decide_cause cause;
	struct decide_breach breach;  /* cause RATE or NEVER; BLOCKED: when it ends */
	struct decide_breach dry_run; /* would have been one */
	int64_t blocked_until_ms;     /* the login is suspended from now on; 0 = no */
	struct pw_str reason;         /* cause ACCOUNT */
	enum decide_warning warning;
	enum pw_status status;  /* cause FAULT */
	bool is_sent;           /* a message was counted just now, not before */
	int64_t row;            /* cause LISTED or POSTING: the row that refused */
	struct pw_str own_text; /* of that row; empty = ours */
	struct decide_trial trial;
	struct access_judgement access; /* what the lists say at RCPT */
	struct grey_answer grey;        /* what greylisting says, and has to store */
};

/* How one service of Postfix asks, since the start. */
struct decide_service {
	char port[8]; /* of ours, that its clients come to */
	int64_t lost_count;
	bool has_seen_rcpt, has_seen_commit, has_warned;
};
#define DECIDE_SERVICES_MAX 16

/* What one connection knows about the message it is busy with. All zero is a new one. */
struct decide_session {
	char instance[DECIDE_INSTANCE_MAX];
	size_t instance_len;
	struct decide_hold {
		struct ledger_account *account;
		enum rule_unit unit;
		int64_t tokens;         /* reserved */
		struct lease_loan loan; /* where they came from */
	} * holds;
	size_t hold_count, hold_room;
	struct seen seen;    /* admitted questions, and what they were charged to */
	struct decide_wait { /* for leases, since DECIDE_WAIT */
		struct ledger_account *account;
		int64_t cost;
	} waits[CATALOG_RULES_MAX];
	size_t wait_count;
	int64_t wait_since_us; /* 0 = it does not wait */
	bool is_committed;
	struct decide_service *service; /* that asks here; NULL = nobody yet */
	bool is_exempt;                 /* a list let a recipient skip the limits */
};

/* What all decisions share. */
struct decide_world {
	const struct catalog *catalog; /* NULL = never seen the database */
	bool is_fresh;                 /* catalog is what the database holds now */
	struct usage *usage;
	struct ledger *ledger;
	struct lease_book *leases; /* NULL = nobody shares the counters */
	int64_t wait_max_us;       /* longest wait of a request for leases */
	struct standing *standing;
	struct blocks *blocks;
	struct grey *grey;
	bool knows_grey;     /* the stored greylist has come in */
	int64_t now_wall_ms; /* for what ends at a date */
	enum request_stage
		commit_stage; /* STAGE_END_OF_MESSAGE, STAGE_DATA or STAGE_RCPT */
	uint8_t seed[16];
	struct decide_service services[DECIDE_SERVICES_MAX];
	size_t service_count;
	bool has_warned_size;
};

/* Decide about one request. Never fails: what goes wrong is a decision too. Slices in out
 * live as long as the catalog. */
void decide(struct decision *out, struct decide_world *world,
            struct decide_session *session, const struct request *request,
            int64_t now_us);

/* The message is over, whatever came of it: give back what is reserved. Returns the
 * tokens given back. */
int64_t decide_forget(struct decide_world *world, struct decide_session *session);
/* The connection is closed: forget, and free what the session holds. */
void decide_session_done(struct decide_world *world, struct decide_session *session);

/* "rate", "quota", ...: the value of the log key `cause`. */
const char *decide_cause_name(enum decide_cause cause);
