/* The rows of a passdb query: copied, since a result is gone when its callback returns.
 */
#pragma once

#include "lib.h" /* before ours: it brings a bool of its own */

#include "db/result.h"

#include "credentials.h"

struct ip_addr;

/* Hashes come as {SCHEME}hash; this is what one is that does not. */
#define ROWS_SCHEME_DEFAULT "SHA512-CRYPT"

/* Columns in this order: user, password, number, refusal, allow_nets, host; those a query
 * does not have are NULL. At most CREDENTIALS_MAX rows.
 *
 * Owner  texts and rows live in pool */
struct credential *rows_read(pool_t pool, const struct pw_db_result *result,
                             size_t *count_r);

/* Leave out what does not hold for a client there (family 0 = not known). Returns how
 * many are left. */
size_t rows_allowed(struct credential *rows, size_t count, const struct ip_addr *client);
