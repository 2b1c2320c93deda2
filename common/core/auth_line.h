/* Lines of the auth socket, between Dovecot's auth driver and postward-policyd
 * (docs/auth-socket.md): who tried to log in from where, and whether that may be tried
 * now. Both ends read and write them here. */
#pragma once

#include "core/buf.h"

/* First line of the driver, without its LF; policyd answers in the version that was
 * asked for. A policyd of before greets first, with version 1, and knows no other. */
#define PW_AUTH_GREETING "postward-auth\t2"
#define PW_AUTH_GREETING_1 "postward-auth\t1"
/* What wrong passwords are hashed with, chosen by policyd. */
#define PW_AUTH_NONCE_LEN 16
/* Hashes of passwords are 1 to this: twelve bits, which say nearly nothing. */
#define PW_AUTH_PASSWORD_MAX 4096
/* Bytes of a line, LF included; put never writes more. */
#define PW_AUTH_LINE_MAX 2048
/* Whoever is meant by a flush of everything. */
#define PW_AUTH_EVERYBODY "*"

enum pw_auth_kind {
	PW_AUTH_ASK,    /* driver: may this be tried? id, login, remote, service */
	PW_AUTH_OK,     /* policyd: yes. id */
	PW_AUTH_REFUSE, /* policyd: not for so long. id, seconds */
	PW_AUTH_REPORT, /* driver: how it ended. login to session */
	PW_AUTH_FLUSH,  /* policyd: forget cached answers. login or PW_AUTH_EVERYBODY */
	PW_AUTH_KINDS,
};

enum pw_auth_result {
	PW_AUTH_SUCCESS,
	PW_AUTH_FAILURE, /* wrong password */
	PW_AUTH_UNKNOWN, /* no such login */
	PW_AUTH_REFUSED, /* may not log in, whatever the password; never counted */
	PW_AUTH_RESULTS,
};

#define PW_AUTH_CREDENTIAL_UNKNOWN (-1)
#define PW_AUTH_CREDENTIAL_ACCOUNT 0 /* its own password; above: the app password */

/* A line; what its kind does not name is zero after parse and ignored by put. */
struct pw_auth_line {
	enum pw_auth_kind kind;
	enum pw_auth_result result;
	int64_t id;      /* 0 or more; chosen by who asks */
	int64_t seconds; /* 0 or more */
	int64_t port;    /* of the client, 0..65535; 0 = not known */
	int64_t credential;
	int64_t password; /* short hash of a wrong one; 0 = not known, and not written */
	struct pw_str login;
	struct pw_str remote;  /* the client's address; empty = not known */
	struct pw_str service; /* Dovecot's word: imap, smtp, ... */
	struct pw_str session; /* Dovecot's name of it */
};

/* Append line with its LF. Numbers are held within their ranges; of a text longer than
 * any real one (a login: 1000 bytes encoded) only the start is written.
 *
 * Errors  the buffer's own */
PW_MUST_CHECK enum pw_status pw_auth_line_put(struct pw_buf *out,
                                              const struct pw_auth_line *line);

/* Read one line (without its LF; not the greeting). The texts live in scratch until it
 * changes; what it held before is gone.
 *
 * Errors  PW_ERR_SYNTAX not of this protocol; PW_ERR_RANGE a number out of its range;
 *         PW_ERR_LIMIT longer than PW_AUTH_LINE_MAX; PW_ERR_NOMEM. On failure *out is as
 *         it was */
PW_MUST_CHECK enum pw_status
pw_auth_line_parse(struct pw_auth_line *out, struct pw_str text, struct pw_buf *scratch);

/* policyd's first line in answer to PW_AUTH_GREETING, without its LF. */
void pw_auth_greeting_put(struct pw_buf *out, const uint8_t nonce[PW_AUTH_NONCE_LEN]);
/* Errors  PW_ERR_SYNTAX it is another one; nonce_out is as it was */
PW_MUST_CHECK enum pw_status pw_auth_greeting_parse(uint8_t nonce_out[PW_AUTH_NONCE_LEN],
                                                    struct pw_str text);
/* The short hash of a wrong password, 1 to PW_AUTH_PASSWORD_MAX: the same for the same
 * login and password under one nonce.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_auth_password(int64_t *out,
                                              const uint8_t nonce[PW_AUTH_NONCE_LEN],
                                              struct pw_str login,
                                              struct pw_str password);

/* Word of a result: "success"; for logs. */
const char *pw_auth_result_name(enum pw_auth_result result);
