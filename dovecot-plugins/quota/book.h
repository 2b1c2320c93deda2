/* The users of this process: what policyd said about them, and what it has not been told
 * yet. It says which lines to send and learns from those that come; nothing is ever
 * waited for. Pure. */
#pragma once

#include "protocol.h"

/* Users that are gone and wait only for their last count to be told; beyond it the oldest
 * is forgotten. */
#define USAGE_BOOK_LEFT_MAX 256

struct usage_book;

/* A user. Fields are for reading. */
struct usage_entry {
	struct usage_entry *next;
	struct pw_str name;
	struct usage_limits limits;
	struct usage_count count; /* the newest; told or not */
	int64_t sent_us, told_us; /* began_us of what was sent, of what has arrived */
	unsigned int holders;     /* 0 = only the last count is left */
	bool has_limits;          /* policyd has told them at some time */
	bool is_watched;          /* asked for on this connection */
	bool is_answered;         /* and there was an answer */
	bool is_put_off;          /* policyd could not take the count; later */
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, usage_book_free */
PW_MUST_CHECK enum pw_status usage_book_new(struct usage_book **out);
void usage_book_free(struct usage_book **book);

/* Take hold of a user; *out is good until usage_book_leave.
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_LIMIT a name the wire cannot say; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status
usage_book_join(struct usage_book *book, struct usage_entry **out, struct pw_str name);
void usage_book_leave(struct usage_book *book, struct usage_entry *entry);
/* The user's mailboxes hold so much; an older count than the one known changes nothing.
 */
void usage_book_count(struct usage_entry *entry, const struct usage_count *count);

/* Append the lines that are to be sent now; they count as sent.
 *
 * Errors  PW_ERR_NOMEM: then the connection must be given up */
PW_MUST_CHECK enum pw_status usage_book_put(struct usage_book *book, struct pw_buf *out);
/* Learn from a line of the server (LF cut off).
 *
 * Errors  PW_ERR_PROTOCOL not a line of this protocol; the connection must be given up */
PW_MUST_CHECK enum pw_status usage_book_take(struct usage_book *book, struct pw_str line);
/* The connection is gone: what was not acknowledged is to be sent again. */
void usage_book_disconnect(struct usage_book *book);
/* Is there something policyd could not take? retry: send that again. */
bool usage_book_is_put_off(const struct usage_book *book);
void usage_book_retry(struct usage_book *book);
/* Is there anybody to watch, or anything left to tell? */
bool usage_book_is_busy(const struct usage_book *book);
