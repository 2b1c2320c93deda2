/* Dovecot's auth cache kept true: while there is one, the database is asked every second
 * whose login has changed, and what is cached of those is dropped. Asked over the
 * connection of the lookups, so that both see the same; works on a standby and through
 * PgBouncer, where NOTIFY does not. */
#pragma once

#include "lib.h" /* before ours: it brings a bool of its own */

struct database;

/* Told before answers about a login are forgotten; login NULL = all. What is being worked
 * out with older rows must not be taken for new. */
typedef void changes_told_fn(const char *login);

/* Begin to follow the changes, with the first lookup; later calls do nothing. */
void changes_follow(struct database *database, changes_told_fn *told);
/* The driver goes. */
void changes_deinit(void);

/* A login was answered under another name than the mailbox's (an alias, capitals): its
 * cached answer is not found by that name. */
void changes_note_alias(void);

/* Drop what is cached about a login, `*` or `@domain`. */
void changes_forget(const char *login);

/* May a cached answer be used after its time, while the database is away? Only if all
 * changes were followed until it went. */
bool changes_are_known(void);
