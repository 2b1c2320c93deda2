/* Several queries of one statement carried out as one; not for other rooms. Executing a
 * statement costs the server far more than one more row of it. */
#pragma once

#include "db/request.h"

/* The parameters of a group of requests, each one an array of theirs in PostgreSQL's text
 * form, for statement->many.
 *
 * first  of the group, in flight
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_LIMIT
 * Owner   caller, pw_db_params_done */
PW_MUST_CHECK enum pw_status group_params(struct pw_db_params *out,
                                          const struct request *first);
/* Part an answer of statement->many, whose last column is the number of the request it
 * belongs to: parts[number - 1] gets its rows, in their order; rows of other numbers are
 * left out. Returns whether memory sufficed; if not, there are no parts.
 *
 * Owner   caller, pw_db_result_free of each */
bool group_split(const struct pw_db_result *result, struct pw_db_result *parts[],
                 size_t count);
