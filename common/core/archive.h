/* Names of what archives hold: zip, rar (4, 5), 7z, tar, gzip, cab. Nothing is unpacked:
 * only directories and headers are read, whatever offsets they claim. */
#pragma once

#include "core/arena.h"
#include "core/magic.h"

#define PW_ARCHIVE_ENTRIES_MAX 500 /* names kept */
#define PW_ARCHIVE_NAME_MAX 512 /* bytes of a name kept: its end, where the kind stands  \
	                         */

enum pw_archive_flag {
	PW_ARCHIVE_ENCRYPTED = 1,  /* at least one entry needs a password */
	PW_ARCHIVE_HIDDEN = 2,     /* the names themselves are encrypted */
	PW_ARCHIVE_PACKED = 4,     /* 7z: the names are compressed, not read */
	PW_ARCHIVE_BROKEN = 8,     /* the structure does not fit the bytes */
	PW_ARCHIVE_MORE = 16,      /* more entries than are kept */
	PW_ARCHIVE_TWO_NAMES = 32, /* zip: directory and local header differ */
	PW_ARCHIVE_VOLUME = 64,    /* one of several volumes */
};

struct pw_archive_entry {
	struct pw_str name;  /* bytes as they are; 7z: UTF-8 */
	uint64_t size_bytes; /* unpacked, as it claims; 0 if it does not say */
	bool is_encrypted, is_folder;
};

struct pw_archive {
	const struct pw_archive_entry *entries;
	size_t count;
	uint32_t flags;
	uint64_t steps; /* blocks read and bytes searched, in proportion to the content */
};

/* Can content of that kind be listed? */
bool pw_archive_is_listed(enum pw_magic magic);
/* List content, which is what magic says. Names live in arena.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_archive_list(struct pw_archive *out,
                                             struct pw_arena *arena, enum pw_magic magic,
                                             struct pw_str content);
/* "encrypted", ... for one flag; "" for none. */
const char *pw_archive_flag_text(enum pw_archive_flag flag);
