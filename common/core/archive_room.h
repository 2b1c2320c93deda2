/* Shared by the files of archives; nobody else includes it. */
#pragma once

#include "core/archive.h"

/* Bytes read in order, little end first. What is not there reads as zero and is
 * remembered. */
struct pw_bytes {
	struct pw_str all;
	size_t at;
	bool is_short;
};

static inline struct pw_str pw_bytes_take(struct pw_bytes *b, uint64_t len)
{
	struct pw_str s = pw_str_sub(b->all, b->at, b->all.len);

	if (len > s.len) {
		b->is_short = true;
		b->at = b->all.len;
		return (struct pw_str){ "", 0 };
	}
	b->at += (size_t)len;
	return pw_str_sub(s, 0, (size_t)len);
}

static inline uint64_t pw_bytes_number(struct pw_bytes *b, size_t len)
{
	struct pw_str s = pw_bytes_take(b, len);
	uint64_t n = 0;

	for (size_t i = s.len; i-- > 0;)
		n = n << 8 | (unsigned char)s.at[i];
	return n;
}

static inline bool pw_bytes_are_left(const struct pw_bytes *b)
{
	return !b->is_short && b->at < b->all.len;
}

/* The listing while it is made. */
struct pw_listing {
	struct pw_archive *out;
	struct pw_arena *arena;
	struct pw_archive_entry *entries;
	size_t room;
	enum pw_status status;
};

/* Another entry; false when no more are wanted (too many, or no memory). */
bool pw_listing_add(struct pw_listing *l, struct pw_str name, uint64_t size_bytes,
                    bool is_encrypted, bool is_folder);

void pw_zip_list(struct pw_listing *l, struct pw_str content);      /* archive_zip.c */
void pw_rar_list(struct pw_listing *l, struct pw_str content);      /* archive_rar.c */
void pw_sevenzip_list(struct pw_listing *l, struct pw_str content); /* archive_7z.c */
void pw_tar_list(struct pw_listing *l, struct pw_str content);      /* archive_tar.c */
