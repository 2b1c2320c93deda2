/* Dovecot's passwd-file: user:password:uid:gid:gecos:home:shell:extra fields. */
#pragma once

#include "core/str.h"

/* What others also use of a line; absent fields are empty. */
struct pw_passwd_entry {
	struct pw_str user, password, gecos;
	struct pw_str extra; /* name=value, parted by blanks; may hold colons */
};

/* Split one line (without its end).
 *
 * Errors  PW_ERR_NOTFOUND a blank line or a comment; PW_ERR_SYNTAX no user name */
PW_MUST_CHECK enum pw_status pw_passwd_parse(struct pw_passwd_entry *out,
                                             struct pw_str line);
/* Next extra field; a field without '=' has an empty value. False at the end. */
bool pw_passwd_next_extra(struct pw_str *rest, struct pw_str *name_out,
                          struct pw_str *value_out);
