#include "policyd/account.h"

static struct pw_window *window_of(const struct ledger_account *account)
{
	return account->terms->kind == RULE_WINDOW ? account->more->window : NULL;
}

struct pw_str account_who(const struct ledger_account *account)
{
	return (struct pw_str){ account->who, account->who_len };
}

int64_t account_full_at(const struct ledger_account *account)
{
	const struct pw_window *window = window_of(account);

	return window != NULL ? pw_window_empty_at(window) : account->bucket.full_at_us;
}

bool account_is_idle(const struct ledger_account *account, int64_t now_us)
{
	const struct pw_window *window = window_of(account);

	return account->pins == 0 && !account->is_changed &&
	       account_leased(account) == NULL && account->bucket.reserved == 0 &&
	       account->bucket.full_at_us <= now_us &&
	       (window == NULL || window->reserved == 0) &&
	       account_full_at(account) <= now_us &&
	       (account->more == NULL || account->more->told_until_us <= now_us);
}

bool account_reserve(struct ledger_account *account, int64_t cost, int64_t now_us)
{
	struct pw_window *window = window_of(account);
	const struct pw_rate *rate = &account->terms->rate;

	return window != NULL ? pw_window_reserve(window, rate, cost, now_us)
	                      : pw_rate_reserve(&account->bucket, rate, cost, now_us);
}

void account_commit(struct ledger_account *account, int64_t cost, int64_t now_us)
{
	struct pw_window *window = window_of(account);
	const struct pw_rate *rate = &account->terms->rate;

	if (window != NULL)
		pw_window_commit(window, rate, cost, now_us);
	else
		pw_rate_commit(&account->bucket, rate, cost, now_us);
}

void account_refund(struct ledger_account *account, int64_t cost)
{
	struct pw_window *window = window_of(account);

	if (window != NULL)
		pw_window_refund(window, cost);
	else
		pw_rate_refund(&account->bucket, cost);
}

int64_t account_used(const struct ledger_account *account, int64_t now_us)
{
	const struct pw_window *window = window_of(account);
	const struct pw_rate *rate = &account->terms->rate;

	return window != NULL ? pw_window_used(window, rate, now_us)
	                      : pw_rate_used(&account->bucket, rate, now_us);
}

int64_t account_retry_after(const struct ledger_account *account, int64_t cost,
                            int64_t now_us)
{
	const struct pw_window *window = window_of(account);
	const struct pw_rate *rate = &account->terms->rate;

	return window != NULL ? pw_window_retry_after(window, rate, cost, now_us)
	                      : pw_rate_retry_after(&account->bucket, rate, cost, now_us);
}

void account_clear(struct ledger_account *account)
{
	struct pw_window *window = window_of(account);

	if (window != NULL)
		*window = (struct pw_window){ .reserved = window->reserved };
	account->bucket = (struct pw_bucket){ .reserved = account->bucket.reserved };
}

/* A bucket becomes a window or the other way round. */
static void change_kind(struct ledger_account *account, struct ledger_terms *to,
                        int64_t now_us)
{
	struct pw_window *window = window_of(account);
	int64_t reserved = window != NULL ? window->reserved : account->bucket.reserved;
	bool is_known = window != NULL || account->terms->rate.limit != 0;
	int64_t used = is_known ? account_used(account, now_us) - reserved : 0;

	account->bucket = (struct pw_bucket){ .reserved = 0 };
	account->terms = to;
	if ((window = window_of(account)) != NULL) {
		*window = (struct pw_window){ .reserved = reserved };
		pw_window_commit(window, &to->rate, used, now_us);
		window->reserved = reserved;
	} else {
		pw_rate_commit(&account->bucket, &to->rate, used, now_us);
		account->bucket.reserved = reserved;
	}
}

void account_change(struct ledger_account *account, struct ledger_terms *to,
                    int64_t now_us)
{
	struct pw_window *window = window_of(account);

	if (account->terms->kind != to->kind) {
		change_kind(account, to, now_us);
		return;
	}
	if (window != NULL)
		pw_window_change(window, &to->rate, now_us);
	else if (account->terms->rate.limit != 0) /* a restored bucket has no rate yet: it
	                                             was counted with this one */
		pw_rate_change(&account->bucket, &account->terms->rate, &to->rate,
		               now_us);
	account->terms = to;
}
