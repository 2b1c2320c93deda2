/* Who may write to which list or alias, from mail.snapshot_posting_rights. Built row by
 * row, then immutable. Pure. */
#pragma once

#include "core/str.h"

#define POSTING_ROWS_MAX 1000000
/* Addresses looked at for one writer, whatever the aliases say; more are not judged. */
#define POSTING_STEPS_MAX 5000

struct catalog;
struct posting;

enum posting_level { POSTING_DOMAIN, POSTING_MEMBERS, POSTING_MODERATORS };

struct posting_right {
	int64_t id;
	enum posting_level level;
	struct pw_str alias, text;
	struct posting_moderator {
		struct pw_str who; /* an address, or "@domain" */
		struct posting_moderator *next;
	} * moderators;
	bool trusts_sender, is_dry_run;
};

/* Who writes, in normal form; what there is not is empty. The sender of a login is its
 * own, by now. */
struct posting_writer {
	struct pw_str login, sender;
};

/* Errors  PW_ERR_NOMEM
 * Owner   caller, posting_free */
PW_MUST_CHECK enum pw_status posting_new(struct posting **out, const uint8_t seed[16]);
void posting_free(struct posting **posting);

/* Fields of a row: alias, who_may, moderators (one a line), trust_sender, text, dry_run,
 * id.
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_RANGE the row was left out; PW_ERR_NOMEM, PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status posting_add(struct posting *posting,
                                         const struct pw_str *fields);
bool posting_is_empty(const struct posting *posting);
/* The right that guards an address in normal form; NULL = everybody may write to it. */
const struct posting_right *posting_find(const struct posting *posting,
                                         struct pw_str address);

/* May this writer? Members are the addresses the alias leads to, and the logins whose
 * mailboxes it reaches. */
bool posting_may(const struct posting_right *right, const struct catalog *catalog,
                 const struct posting_writer *writer);
