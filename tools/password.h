/* Passwords in clear text and their hashes: made here, so that SQL sees hashes alone. */
#pragma once

#include <stdbool.h>

#define TOOL_HASH_MAX 512
#define TOOL_PASSWORD_MADE 24 /* letters of a password made here, and its end */

/* {SHA512-CRYPT} of a password.
 *
 * out     TOOL_HASH_MAX bytes
 * rounds  of the hash; 0 = libcrypt's default */
bool tool_password_hash(char *out, const char *password, unsigned long rounds);
/* A password for a start, of 95 random bits and letters nobody takes for others:
 * xxxxx-xxxxx-xxxxx-xxxx. out: TOOL_PASSWORD_MADE bytes. */
bool tool_password_make(char *out);
