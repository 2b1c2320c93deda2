/* The leases of all counters a node has to do with now, and what there is to ask and to
 * tell the database about them. Only counters in use have one: when a lease was given
 * back, the account of the ledger alone remembers what was seen of the counter. One
 * thread owns it. Pure. */
#pragma once

#include "policyd/lease.h"
#include "policyd/ledger.h"

/* Unspent tokens go back when nobody wanted one for so long. */
#define LEASE_IDLE_US 5000000

struct lease_book;

/* ledger is borrowed.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, lease_book_free, before the ledger */
PW_MUST_CHECK enum pw_status lease_book_new(struct lease_book **out,
                                            struct ledger *ledger);
void lease_book_free(struct lease_book **book);
/* How things stand with the database from now on. What was counted without it is to be
 * told when it is there again. */
void lease_book_link(struct lease_book *book, const struct lease_link *link);

/* Reserve cost tokens of an account of rule: lease_take. Without memory for a lease it is
 * LEASE_CLOSED. */
enum lease_answer lease_book_take(struct lease_book *book, struct ledger_account *account,
                                  const struct catalog_rule *rule, int64_t cost,
                                  bool is_late, struct lease_loan *loan, int64_t now_us);
/* lease_retry_after, once something was taken or refused. */
int64_t lease_book_retry_after(const struct ledger_account *account, int64_t cost,
                               int64_t now_us);
/* lease_commit, lease_refund of what was taken. */
void lease_book_commit(struct lease_book *book, struct ledger_account *account,
                       struct lease_loan *loan, int64_t used, int64_t now_us);
void lease_book_refund(struct ledger_account *account, struct lease_loan *loan,
                       int64_t tokens);
/* A request waits for so many tokens, after LEASE_WAIT, until it says that it does no
 * more: it is decided again, or has gone away. */
void lease_book_wait(struct ledger_account *account, int64_t cost);
void lease_book_unwait(struct ledger_account *account, int64_t cost);

/* A key and what is asked or told about it; who lives until the next call. */
struct lease_item {
	int64_t rule_id;
	struct pw_str who;
	union {
		struct lease_question question;
		struct lease_delta delta;
	};
};
/* Take the next question, which then is on its way; false: there is none. */
bool lease_book_next_question(struct lease_book *book, struct lease_item *out,
                              int64_t now_us);
/* Its answer; grant NULL: there will be none. */
void lease_book_hear(struct lease_book *book, int64_t rule_id, struct pw_str who,
                     const struct lease_grant *grant, int64_t now_us);
/* Its counter was locked. */
void lease_book_later(struct lease_book *book, int64_t rule_id, struct pw_str who,
                      int64_t now_us);
/* Take the next thing to tell: what was counted in an outage, unless the database is
 * away; tokens nobody wanted for LEASE_IDLE_US, or others need. False: there is none. */
bool lease_book_next_delta(struct lease_book *book, struct lease_item *out,
                           int64_t now_us);
/* It is the end: all that is held is to be told. Questions on their way are answered by
 * then, or not at all. */
void lease_book_end(struct lease_book *book);
/* Others need what we hold of a key. */
void lease_book_dry(struct lease_book *book, int64_t rule_id, struct pw_str who,
                    int64_t now_us);
/* The counters of a rule (0 = all) of who (empty = all) begin anew: what is held of them
 * is void. */
void lease_book_reset(struct lease_book *book, int64_t rule_id, struct pw_str who);
size_t lease_book_count(const struct lease_book *book);
