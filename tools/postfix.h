/* Postfix's settings, read through postconf(1); MAIL_CONFIG names another folder than
 * /etc/postfix, as for all of Postfix's own programs. */
#pragma once

#include "core/buf.h"

/* Run postconf with these arguments (the last one NULL, at most 30), its output appended
 * to out without the line end of the last line.
 *
 * Errors  PW_ERR_NOTFOUND (no Postfix), PW_ERR_CONFIG (postconf refused; its words have
 *         been written to standard error), PW_ERR_TIMEOUT, PW_ERR_IO */
PW_MUST_CHECK enum pw_status tool_postconf(struct pw_buf *out,
                                           const char *const *arguments);
/* Value of a parameter of main.cf, or its default, $names in it expanded. */
PW_MUST_CHECK enum pw_status tool_postfix_value(struct pw_buf *out, const char *name);
