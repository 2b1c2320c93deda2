/* Migrations of the schema: files NNNN-name.sql in a folder against the rows of
 * mail.schema_version. Forward only, one transaction each. */
#pragma once

#include "core/buf.h"
#include "db/session.h"

#define MIGRATIONS_MAX 9999
#define MIGRATION_NAME_MAX 100

enum migration_state {
	MIGRATION_PENDING, /* file, not carried out */
	MIGRATION_APPLIED,
	MIGRATION_CHANGED, /* the file is not what was carried out */
	MIGRATION_NO_FILE, /* carried out, by a newer release */
};

struct migration {
	int version;
	char name[MIGRATION_NAME_MAX + 1];
	char checksum[65]; /* SHA-256 of the file, hexadecimal */
	enum migration_state state;
};

struct migrations {
	char *folder;
	struct migration *at; /* in order of version */
	size_t count, room;
};

/* For PW_AUTO. */
void migrations_done(struct migrations *all);

/* Read the folder.
 *
 * folder  NULL = $PW_SQL_DIR, /usr/share/postward/sql, or ../../sql/migrations beside the
 *         program, the first that is there
 * why     a line when it fails
 *
 * Errors  PW_ERR_NOTFOUND no such folder or nothing in it; PW_ERR_SYNTAX two files of a
 * number; PW_ERR_IO, PW_ERR_NOMEM, PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status migrations_read(struct migrations *out, const char *folder,
                                             struct pw_buf *why);

/* Fill in the states.
 *
 * Errors  PW_ERR_DENIED, PW_ERR_PROTOCOL (why says what), PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status migrations_compare(struct migrations *all,
                                                struct pw_db_session *session,
                                                struct pw_buf *why);

/* Carry out one that is pending. Another program may be quicker: then nothing is done.
 *
 * Errors  PW_ERR_PROTOCOL the server refused it (why: file:line: message), nothing of it
 *         remains; PW_ERR_IO, PW_ERR_NOMEM reading it; PW_ERR_STATE the file has changed
 *         since it was read */
PW_MUST_CHECK enum pw_status migration_apply(struct migration *one, const char *folder,
                                             struct pw_db_session *session,
                                             struct pw_buf *why);

const char *migration_state_text(enum migration_state state);
