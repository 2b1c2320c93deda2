/* What a node holds of a counter that several nodes share. The database moves the counter
 * first (mail.rate_lease); what it grants, this node spends without asking. Pure: time
 * and answers are arguments, asking is the caller's (lease_book.h).
 *
 * Strict is the rule: a token is paid for before it is used, and one that has flowed back
 * into the shared counter meanwhile is void here. So all nodes together never use more
 * than a single one might. */
#pragma once

#include "core/rate.h"

enum lease_outage { LEASE_SHARE, LEASE_OPEN, LEASE_SHUT };

/* What a rule says. */
struct lease_terms {
	struct pw_rate rate; /* of a window: burst is the limit */
	enum lease_outage on_outage;
	bool is_window; /* tokens come back slot by slot, not evenly */
	bool is_lax;    /* a first request does not wait for the database */
};

/* How things stand with the database. */
struct lease_link {
	int64_t nodes;   /* that share the counters, this one included */
	int64_t wait_us; /* longest wait for one answer of it */
	bool is_away;    /* waiting is in vain */
};

struct lease {
	int64_t tokens;            /* unspent, of those granted */
	int64_t granted;           /* when the database last granted some: so many */
	int64_t until_us;          /* all of them have flowed back by then */
	int64_t until_db;          /* the same as the database said it; 0 = unknown */
	int64_t used_us;           /* last request */
	int64_t asked_us;          /* a question is on its way since; 0 = none */
	int64_t asked_cost, spent; /* since then */
	int64_t silent_us;         /* asked in vain since; 0 = answered */
	int64_t later_us;          /* the database is not waited for before */
	int64_t lent;              /* reserved by messages on their way */
	int64_t waiting, least;    /* tokens that held requests need; the smallest */
	int64_t ahead;             /* spent before the first answer, lax */
	int64_t dry_us, dry_cost;  /* so many are not asked for again before */
	int64_t next_us;           /* and, as far as one can know, not to be had */
	int64_t owed;              /* counted in an outage, not settled */
	int64_t owed_until_us; /* all of it has flowed back if nothing else was used */
	int64_t owed_us;       /* the last of it was counted */
	int64_t era;           /* resets */
	bool is_known;         /* the database has said something about the key */
};

/* What one message got of it. */
struct lease_loan {
	int64_t leased; /* paid for */
	int64_t owed;   /* not yet: the database was away */
	int64_t factor; /* each of those weighs so much in this node's share */
	int64_t until_us, until_db; /* of the lease the first of it came from */
	int64_t era;
};

enum lease_answer {
	LEASE_TAKEN,
	LEASE_EMPTY, /* not now: the limit is reached */
	LEASE_WAIT,  /* the database has to be asked first */
	LEASE_CLOSED /* the database is away, and the rule refuses then */
};

/* Reserve cost tokens; they are added to loan. Nothing changed unless LEASE_TAKEN.
 *
 * seen     the shared counter as last seen; in an outage what this node uses weighs as
 *          much as if all did
 * is_late  the request has waited as long as it may: no LEASE_WAIT */
enum lease_answer lease_take(struct lease *lease, struct pw_bucket *seen,
                             const struct lease_terms *terms,
                             const struct lease_link *link, int64_t cost, bool is_late,
                             struct lease_loan *loan, int64_t now_us);
/* Microseconds until cost tokens are there, as far as one can know; -1 = never. */
int64_t lease_retry_after(const struct lease *lease, const struct pw_bucket *seen,
                          const struct lease_terms *terms, int64_t cost, int64_t now_us);
/* The message used so many of what it reserved; the rest comes back. */
void lease_commit(struct lease *lease, struct pw_bucket *seen,
                  const struct lease_terms *terms, struct lease_loan *loan, int64_t used,
                  int64_t now_us);
void lease_refund(struct lease *lease, struct pw_bucket *seen, struct lease_loan *loan,
                  int64_t tokens);

/* Tokens that are still worth something. */
int64_t lease_left(const struct lease *lease, const struct lease_terms *terms,
                   int64_t now_us);
/* Is it time to ask for more, before the rest is spent? Not near the limit: there each
 * token goes to who needs it. */
bool lease_is_low(const struct lease *lease, const struct lease_terms *terms,
                  int64_t now_us);

struct lease_question {
	int64_t cost, need; /* the least that helps; in all */
	int64_t have, until_db;
};
struct lease_grant {
	int64_t held;      /* tokens, instead of what was held at the question */
	int64_t until_db;  /* and until when; lasts_us: seen from the question */
	int64_t lasts_us;  /* -1: nothing was granted */
	int64_t behind_us; /* until the counter is whole */
	int64_t next_us;   /* until the cost is there; -1 = never */
	int64_t told_us;   /* somebody was told that it is empty, and is not again for so
	                      long */
	int64_t over;      /* attempts since then, as far as they were stored */
};

/* A question goes out. */
void lease_ask(struct lease *lease, const struct lease_terms *terms,
               struct lease_question *out, int64_t now_us);
/* Its answer. */
void lease_hear(struct lease *lease, struct pw_bucket *seen,
                const struct lease_terms *terms, const struct lease_grant *grant,
                int64_t now_us);
/* It will not be answered; what it granted is lost until it flows back. */
void lease_unheard(struct lease *lease, const struct lease_terms *terms, int64_t now_us);

/* The database is there, but did not get at this counter: it is asked again, and after
 * link's wait_us not waited for for a while. */
void lease_later(struct lease *lease, const struct lease_terms *terms,
                 const struct lease_link *link, int64_t now_us);

/* What is to be told without a question. */
struct lease_delta {
	int64_t back, until_db;         /* unspent tokens */
	int64_t used, lasts_us, age_us; /* counted in an outage; last so long ago */
};
/* Give back what is unspent. False: there is nothing, or a question is on its way. */
bool lease_give_back(struct lease *lease, struct pw_bucket *seen,
                     const struct lease_terms *terms, struct lease_delta *out,
                     int64_t now_us);
/* Settle what was counted in an outage. False: nothing. */
bool lease_settle(struct lease *lease, struct lease_delta *out, int64_t now_us);

/* The rule's rate changed: tokens stay tokens. */
void lease_change(struct lease *lease, const struct pw_rate *from,
                  const struct pw_rate *to, int64_t now_us);
/* The counter begins anew: what is held of it, or known, is void. */
void lease_reset(struct lease *lease);
/* Would nothing be lost if it were forgotten? */
bool lease_is_over(const struct lease *lease, const struct lease_terms *terms,
                   int64_t now_us);
