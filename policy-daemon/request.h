/* The Postfix policy protocol (SMTPD_POLICY_README): lines "name=value", an empty line
 * ends a request. Pure: bytes in, fields out. Attribute order is free, unknown names are
 * ignored, of a name given twice the first counts, CRLF is taken for LF. */
#pragma once

#include "core/str.h"

#define REQUEST_BYTES_MAX ((size_t)16 * 1024)
#define REQUEST_ATTRIBUTES_MAX 100

enum request_stage {
	STAGE_OTHER, /* a name we do not know */
	STAGE_CONNECT,
	STAGE_EHLO,
	STAGE_HELO,
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_END_OF_MESSAGE,
	STAGE_VRFY,
	STAGE_ETRN,
	STAGE_IDS,
};

/* Borrowed from the bytes; what was not sent is empty. */
struct request {
	enum request_stage stage;
	struct pw_str instance, queue_id;
	struct pw_str client_name, client_address;
	struct pw_str sender, recipient, login;
	struct pw_str context, server_port;
	size_t length;                       /* bytes, its empty line included */
	int64_t client_port;                 /* 0 = not known */
	int64_t recipient_count, size_bytes; /* 0 where not known yet; never negative */
};

/* Is there a whole request at the start of the bytes?
 *
 * scanned  in/out: how much of bytes was looked at before; 0 for a new request */
bool request_is_whole(struct pw_str bytes, size_t *scanned);

/* Read the request at the start of the bytes, which is there whole.
 *
 * Errors  PW_ERR_SYNTAX a line without '=', a NUL, or not "request=smtpd_access_policy";
 *         PW_ERR_LIMIT too many attributes or bytes. The peer is no Postfix: close, do
 * not answer
 */
PW_MUST_CHECK enum pw_status request_parse(struct request *out, struct pw_str bytes);

/* "RCPT", "END-OF-MESSAGE", ...; "other". */
const char *request_stage_name(enum request_stage stage);
