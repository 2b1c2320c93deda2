/* What clamd answers to INSTREAM (clamd(8)). Pure. */
#pragma once

#include "core/buf.h"
#include "core/str.h"

#define PW_CLAM_REPLY_MAX 1024 /* bytes; no reply that means anything is longer */
#define PW_CLAM_NAME_MAX 100   /* bytes of a virus' name that are kept */

enum pw_clam_result {
	PW_CLAM_CLEAN,
	PW_CLAM_FOUND,
	PW_CLAM_FAILED, /* clamd could not look */
};

struct pw_clam_reply {
	enum pw_clam_result result;
	struct pw_str text; /* FOUND: the virus' name, never empty; FAILED: why */
};

/* Read one reply, its NUL or LF cut off: "stream: OK", "stream: NAME FOUND", "WHY ERROR".
 *
 * Errors  PW_ERR_PROTOCOL nothing that clamd says
 * Owner   out->text is borrowed from text */
PW_MUST_CHECK enum pw_status pw_clam_reply_parse(struct pw_clam_reply *out,
                                                 struct pw_str text);
/* Append a name fit for logs and headers: printable, without blanks and quotes, at most
 * PW_CLAM_NAME_MAX bytes. */
void pw_clam_put_name(struct pw_buf *out, struct pw_str name);
