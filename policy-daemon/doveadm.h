/* Dovecot's doveadm protocol, as far as closing sessions needs it. Pure: bytes in and
 * out. One connection carries one command: Dovecot 2.4.1 leaves the answer to a second
 * one unfinished. Version 1.0 of the protocol is spoken by 2.3 and 2.4 alike. */
#pragma once

#include "core/buf.h"

/* Most bytes of an answer: 2.3 names every user it closed. */
#define DOVEADM_ANSWER_MAX ((size_t)1024 * 1024)

enum doveadm_answer {
	DOVEADM_MORE,   /* not all of it yet */
	DOVEADM_CLOSED, /* sessions were closed */
	DOVEADM_NONE,   /* there were none */
	DOVEADM_DENIED, /* the listener wants a password: its mode is not 0600 */
	DOVEADM_FAILED, /* Dovecot could not do it */
	DOVEADM_ALIEN,  /* that is no doveadm server */
};

/* All a client sends to close the sessions of login, of "@domain", or of all ("*").
 *
 * Errors  PW_ERR_SYNTAX a login that is empty or has control characters; the buffer's
 *         own */
PW_MUST_CHECK enum pw_status doveadm_put_kick(struct pw_buf *out, struct pw_str login);
/* What the bytes that came so far say. is_end: there will be no more. */
enum doveadm_answer doveadm_read(struct pw_str bytes, bool is_end);
/* "denied", "failed", ...: for the log. */
const char *doveadm_answer_name(enum doveadm_answer answer);
