/* What Dovecot's auth policy client says of a login (auth_policy_request_attributes), as
 * a line of the auth socket. Pure. */
#pragma once

#include "core/auth_line.h"

/* Most bytes of a request's body. */
#define POLICY_JSON_MAX ((size_t)8 * 1024)

enum policy_end {
	POLICY_END_UNTOLD,   /* a question, or success alone is told */
	POLICY_END_INTERNAL, /* nobody could say: no login failed by that */
	POLICY_END_KNOWN,    /* result says all */
};

struct policy_json {
	struct pw_auth_line line; /* kind: PW_AUTH_REPORT */
	enum policy_end end;
	struct pw_buf texts; /* of the line */
};

/* Read one flat object; what is not known in it is left out. All zero is the start; after
 * it, or a failure, policy_json_done.
 *
 * Errors  PW_ERR_SYNTAX no such object; PW_ERR_LIMIT too long; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status policy_json_read(struct policy_json *out,
                                              struct pw_str text);
void policy_json_done(struct policy_json *json);
