/* Greeted connections to the inner server kept in store, so that a client's session
 * begins without waiting for them. A thread of its own keeps them fresh.
 *
 * While the inner is away it is asked again after 1 s, then 2 s, up to 30 s; a session
 * that reaches it by itself ends the wait. */
#pragma once

#include "origin/engine/smtp_client.h"
#include "origin/engine/target.h"

#define POOL_SIZE_MAX 10
#define POOL_EARLY_MAX 10 /* sessions of clients that have not said MAIL yet */

/* size    connections, 0..POOL_SIZE_MAX; 0 = none, no thread
 * age_ms  when to replace one; less than the inner's smtpd_timeout
 * target  borrowed for the pool's life; its `pool` may be this one
 *
 * A pool opened later stops the one before it from keeping any.
 *
 * Owner   caller, pool_close (waits for the thread, which gives up at once)
 * Errors  PW_ERR_NOMEM, PW_ERR_IO */
PW_MUST_CHECK enum pw_status pool_open(struct pool **out,
                                       const struct upstream_target *target, size_t size,
                                       int64_t age_ms);
void pool_close(struct pool **pool);

/* Take a connection that seems alive. It is given up when the inner acknowledges nothing
 * for target's connect_ms: lift that (smtp_client_expect_life) when it has answered.
 *
 * is_early  for a client that may never send mail: the last one is not for it, and no
 *           more than POOL_EARLY_MAX are out at a time; give back its place by
 * pool_settle
 *
 * Returns false if there is none to be had. */
bool pool_take(struct pool *pool, bool is_early, struct smtp_client *client,
               struct upstream_offers *out);
void pool_settle(struct pool *pool);
/* A connection that was taken proved dead, though it seemed alive: so may the others be.
 */
void pool_distrust(struct pool *pool);
/* A session has heard the inner: its offers, and that it is there. */
void pool_tell(struct pool *pool, const struct upstream_offers *offers);
struct upstream_offers pool_offers(struct pool *pool);
