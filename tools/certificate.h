/* What a certificate says, and whether its key fits. */
#pragma once

#include <stdint.h>

#include "core/buf.h"

struct certificate {
	int64_t not_before_s, not_after_s; /* Unix time */
	bool is_self_signed;
	bool is_for_host; /* its names include the host's */
	bool has_key;     /* a private key could be read */
	bool key_fits;
};

/* The first certificate of PEM text, and the first private key of another (or the same).
 * Pure.
 *
 * host  name that it should be for; empty = not looked at
 *
 * Errors  PW_ERR_SYNTAX no certificate in it; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status certificate_parse(struct certificate *out,
                                               struct pw_str chain, struct pw_str key,
                                               struct pw_str host);
/* The same from files; each may be a list parted by blanks and commas.
 *
 * why  which file, and what is wrong with it
 *
 * Errors  those of pw_file_read for the certificate and of certificate_parse; a key that
 * cannot be read leaves has_key false, and why says so */
PW_MUST_CHECK enum pw_status certificate_read(struct certificate *out,
                                              struct pw_str chain, struct pw_str key,
                                              struct pw_str host, struct pw_buf *why);
