/* Private DKIM keys in files, with words for each way in which a file is none. */
#pragma once

#include "mail/dkim_key.h"

/* Read the one private key of a file: PKCS#1 or PKCS#8, RSA or Ed25519, LF or CRLF.
 *
 * why_out  on failure: in words, without the path and never with bytes of the file
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_RANGE, and those of tool_read_regular
 * Owner   caller, pw_dkim_key_free */
PW_MUST_CHECK enum pw_status tool_key_read(struct pw_dkim_key **out, const char *path,
                                           const char **why_out);
/* The same from the text itself. */
PW_MUST_CHECK enum pw_status tool_key_parse(struct pw_dkim_key **out, struct pw_str text,
                                            const char **why_out);
