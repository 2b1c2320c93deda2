/* Comparing the password a client sent with a hash, without keeping everybody waiting:
 * slow hashes are compared in Dovecot's auth-workers, which need no database for it. */
#pragma once

struct auth_request;

/* OK, PASSWORD_MISMATCH, or INTERNAL_FAILURE: the hash proves nothing about the password,
 * or nobody could compare (logged). */
typedef void verify_done_fn(void *arg, enum passdb_result result);

/* Compare; the caller holds a reference to the request until done is called, at once or
 * later, once.
 *
 * hash  {SCHEME}hash, in the request's pool */
void verify_password(struct auth_request *request, const char *hash, verify_done_fn *done,
                     void *arg);

/* The driver goes: INTERNAL_FAILURE for all that are outstanding. */
void verify_deinit(void);
