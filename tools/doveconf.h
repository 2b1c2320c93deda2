/* Dovecot's settings as doveconf(1) prints them, of 2.3 and 2.4. Pure, but for
 * doveconf_read. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

/* One line; a block begins with an entry of its own that has no key. */
struct doveconf_entry {
	struct pw_str block;      /* "service auth/unix_listener x", "" outside of all */
	unsigned int number;      /* which block of the file, from 1; 0 outside of all */
	struct pw_str key, value; /* value without quotes */
};

struct doveconf {
	struct doveconf_entry *at;
	size_t count, room;
	int major, minor;         /* 2, 3; 0, 0 = not known */
	struct pw_buf complaints; /* what doveconf said besides */
};

/* For PW_AUTO. */
void doveconf_done(struct doveconf *conf);
/* Read what doveconf -n prints.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   texts live in arena; doveconf_done */
PW_MUST_CHECK enum pw_status doveconf_parse(struct doveconf *out, struct pw_arena *arena,
                                            struct pw_str text);
/* Ask Dovecot for all that is not a default.
 *
 * why  a line for a person when it fails: doveconf's own words, if it refused
 *
 * Errors  as pw_child_run; PW_ERR_CONFIG doveconf refused; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status doveconf_read(struct doveconf *out, struct pw_arena *arena,
                                           int64_t timeout_ms, struct pw_buf *why);

/* Value of a setting outside of all blocks, or of the first such block; at == NULL if it
 * has its default. */
struct pw_str doveconf_value(const struct doveconf *conf, const char *block,
                             const char *key);
/* Is a word in a list like mail_plugins: one line of words (2.3), or a block of
 * `word = yes` (2.4)? block: "", "protocol imap". */
bool doveconf_has_word(const struct doveconf *conf, const char *block, const char *list,
                       const char *word);

/* A passdb or userdb in its order. */
struct doveconf_database {
	struct pw_str driver, master, result_failure, result_internalfail;
};
/* Next one: start with *pos = 0; false at the end.
 *
 * kind  "passdb" or "userdb" */
bool doveconf_next_database(const struct doveconf *conf, const char *kind, size_t *pos,
                            struct doveconf_database *out);
