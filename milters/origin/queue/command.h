/* Commands of the edge's Postfix to the listener, LMTP or SMTP (RFC 5321 4.1, RFC 2033).
 * Pure. */
#pragma once

#include "core/str.h"

#define COMMAND_LINE_MAX 2048 /* as Postfix's line_length_limit */
#define COMMAND_WORDS_MAX 32

enum command_verb {
	COMMAND_UNKNOWN,
	COMMAND_LHLO,
	COMMAND_EHLO,
	COMMAND_HELO,
	COMMAND_XFORWARD,
	COMMAND_MAIL,
	COMMAND_RCPT,
	COMMAND_DATA,
	COMMAND_RSET,
	COMMAND_NOOP,
	COMMAND_QUIT,
	COMMAND_VERBS
};

struct command {
	enum command_verb verb;
	struct pw_str rest; /* what follows the verb; in the line that was parsed */
	/* MAIL, RCPT: the address with its brackets, then the parameters, then NULL: as
	 * engine/envelope.h wants them; in text */
	char *argv[COMMAND_WORDS_MAX + 1];
	char text[COMMAND_LINE_MAX + 1];
};

/* Take one line, without its line end. Whatever Postfix's smtpd takes of its clients is
 * taken here too, for under smtpd_proxy_filter their own text comes: `mail from: a@b'.
 *
 * Errors  PW_ERR_SYNTAX  control bytes, or MAIL and RCPT whose address or parameters
 *                        cannot be told apart; the verb is set if it was known
 *         PW_ERR_LIMIT   longer than COMMAND_LINE_MAX, or too many parameters */
PW_MUST_CHECK enum pw_status command_parse(struct command *out, struct pw_str line);
