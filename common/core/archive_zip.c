/* Zip (APPNOTE 6.3): the central directory counts; without one that fits, the local
 * headers in front of the data are read. */
#include <string.h>

#include "core/archive_room.h"

#define END_LENGTH 22         /* of the end record (4.3.16) */
#define COMMENT_MAX 0xffff    /* behind it */
#define CENTRAL_LENGTH 46     /* of a directory entry (4.3.12) */
#define LOCAL_LENGTH 30       /* of a local header (4.3.7) */
#define FLAG_ENCRYPTED 0x0001 /* 4.4.4 */
#define FLAG_HIDDEN 0x2000    /* the central directory is encrypted */

/* The central directory: where it begins, how many entries it claims, and how far
 * everything is moved by what stands in front of the archive. */
struct directory {
	uint64_t at, count, moved;
};

static uint64_t number_at(struct pw_str s, uint64_t at, size_t len)
{
	struct pw_bytes b = { .all = s };

	pw_bytes_take(&b, at);
	return pw_bytes_number(&b, len);
}

static bool is_at(struct pw_str s, uint64_t at, const char *signature)
{
	return at < s.len && pw_str_starts(pw_str_sub(s, (size_t)at, s.len),
	                                   (struct pw_str){ signature, 4 });
}

/* The end record: the last one whose comment ends where the archive does. */
static bool find_end(struct pw_listing *l, struct pw_str s, size_t *end_out)
{
	size_t end = s.len >= END_LENGTH ? s.len - END_LENGTH : 0;
	size_t least = end > COMMENT_MAX ? end - COMMENT_MAX : 0;

	for (; s.len >= END_LENGTH; end--) {
		l->out->steps++;
		if (is_at(s, end, "PK\5\6") &&
		    end + END_LENGTH + number_at(s, end + 20, 2) <= s.len) {
			*end_out = end;
			return true;
		}
		if (end == least)
			return false;
	}
	return false;
}

/* Zip64 (4.3.14): sizes of 64 bits stand in a record of their own. */
static bool read_zip64(struct pw_str s, size_t end, struct directory *dir, uint64_t *size)
{
	uint64_t at;

	if (end < 20 || !is_at(s, end - 20, "PK\6\7"))
		return false;
	at = number_at(s, end - 12, 8);
	if (at > s.len || s.len - at < 56 || !is_at(s, at, "PK\6\6"))
		return false;
	dir->count = number_at(s, at + 32, 8);
	*size = number_at(s, at + 40, 8);
	dir->at = number_at(s, at + 48, 8);
	return true;
}

static bool find_directory(struct pw_listing *l, struct pw_str s, struct directory *dir)
{
	uint64_t size;
	size_t end;

	if (!find_end(l, s, &end))
		return false;
	dir->moved = 0;
	if (number_at(s, end + 4, 2) != 0 && number_at(s, end + 4, 2) != 0xffff)
		l->out->flags |= PW_ARCHIVE_VOLUME;
	if (read_zip64(s, end, dir, &size))
		return dir->at <= s.len &&
		       (dir->count == 0 || is_at(s, dir->at, "PK\1\2"));
	dir->count = number_at(s, end + 10, 2);
	size = number_at(s, end + 12, 4);
	dir->at = number_at(s, end + 16, 4);
	if (size <= end && dir->at < end - size) { /* something stands in front */
		dir->moved = end - size - dir->at;
		dir->at += dir->moved;
	}
	return dir->at <= end && (dir->count == 0 || is_at(s, dir->at, "PK\1\2"));
}

/* Does the local header say the same name? */
static bool has_local_name(struct pw_str s, uint64_t at, struct pw_str name)
{
	struct pw_bytes b = { .all = s };

	if (at > s.len || !is_at(s, at, "PK\3\4"))
		return false;
	pw_bytes_take(&b, at + 26);
	if (pw_bytes_number(&b, 2) != name.len)
		return false;
	pw_bytes_take(&b, 2);
	return pw_str_eq(pw_bytes_take(&b, name.len), name);
}

static bool is_folder(struct pw_str name)
{
	return name.len > 0 && name.at[name.len - 1] == '/';
}

/* One entry of the central directory; false when it is none or no more are wanted. */
static bool take_central(struct pw_listing *l, struct pw_bytes *b, uint64_t moved)
{
	struct pw_str entry = pw_bytes_take(b, CENTRAL_LENGTH), name;
	uint64_t flags, local;

	if (entry.len == 0 || !is_at(entry, 0, "PK\1\2")) {
		l->out->flags |= PW_ARCHIVE_BROKEN;
		return false;
	}
	flags = number_at(entry, 8, 2);
	local = number_at(entry, 42, 4);
	name = pw_bytes_take(b, number_at(entry, 28, 2));
	pw_bytes_take(b, number_at(entry, 30, 2) + number_at(entry, 32, 2));
	l->out->steps += CENTRAL_LENGTH + 2 * name.len;
	if (b->is_short) {
		l->out->flags |= PW_ARCHIVE_BROKEN;
		return false;
	}
	if ((flags & FLAG_HIDDEN) != 0)
		l->out->flags |= PW_ARCHIVE_HIDDEN;
	else if (local != 0xffffffff && !has_local_name(b->all, local + moved, name))
		l->out->flags |= PW_ARCHIVE_TWO_NAMES;
	return pw_listing_add(l, name, number_at(entry, 24, 4),
	                      (flags & FLAG_ENCRYPTED) != 0, is_folder(name));
}

/* Next local header at or behind from; s.len if there is none. */
static size_t find_local(struct pw_listing *l, struct pw_str s, size_t from)
{
	const char *hit =
		from < s.len ? memmem(s.at + from, s.len - from, "PK\3\4", 4) : NULL;
	size_t at = hit != NULL ? (size_t)(hit - s.at) : s.len;

	l->out->steps += at - (from < at ? from : at);
	return at;
}

static void list_locals(struct pw_listing *l, struct pw_str s)
{
	size_t at = find_local(l, s, 0);

	while (at < s.len) {
		struct pw_bytes b = { .all = s, .at = at };
		struct pw_str header = pw_bytes_take(&b, LOCAL_LENGTH), name;
		uint64_t flags = number_at(header, 6, 2), data;

		name = pw_bytes_take(&b, number_at(header, 26, 2));
		pw_bytes_take(&b, number_at(header, 28, 2));
		if (b.is_short ||
		    !pw_listing_add(l, name, number_at(header, 22, 4),
		                    (flags & FLAG_ENCRYPTED) != 0, is_folder(name)))
			return;
		l->out->steps += LOCAL_LENGTH + name.len;
		data = number_at(header, 18, 4);
		pw_bytes_take(&b, data <= s.len - b.at ? data : 0);
		at = find_local(l, s, b.at);
	}
}

void pw_zip_list(struct pw_listing *l, struct pw_str content)
{
	struct pw_bytes b = { .all = content };
	struct directory dir;

	if (!find_directory(l, content, &dir)) {
		l->out->flags |= PW_ARCHIVE_BROKEN;
		list_locals(l, content);
		return;
	}
	pw_bytes_take(&b, dir.at);
	while (dir.count-- > 0)
		if (!take_central(l, &b, dir.moved))
			return;
}
