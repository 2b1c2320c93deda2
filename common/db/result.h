/* Rows of an answer, the same for every client of this room. Values are PostgreSQL's text
 * form, borrowed from the result. */
#pragma once

#include "core/str.h"

struct pw_db_result;

/* For PW_AUTO. */
void pw_db_result_free(struct pw_db_result **result);
size_t pw_db_rows(const struct pw_db_result *result);
size_t pw_db_columns(const struct pw_db_result *result);
/* One value; NULL is the slice with at == NULL (an empty text has at != NULL). Out of
 * bounds reads as NULL. */
struct pw_str pw_db_value(const struct pw_db_result *result, size_t row, size_t column);
/* A bigint, int or whole numeric; fallback for NULL and for what is no int64. */
int64_t pw_db_int(const struct pw_db_result *result, size_t row, size_t column,
                  int64_t fallback);
/* A boolean; NULL is false. */
bool pw_db_bool(const struct pw_db_result *result, size_t row, size_t column);

/* When the server refused (PW_ERR_DENIED, PW_ERR_PROTOCOL) there is a result without rows
 * that holds why: SQLSTATE ("" = none), and the message in one line. */
const char *pw_db_sqlstate(const struct pw_db_result *result);
const char *pw_db_message(const struct pw_db_result *result);
/* The server's advice, "" = none; and where in the statement, in letters from 1, 0 =
 * nowhere. */
const char *pw_db_hint(const struct pw_db_result *result);
int64_t pw_db_error_letter(const struct pw_db_result *result);
