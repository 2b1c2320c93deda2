/* Rar 4 and 5: a chain of blocks, each with its length. */
#include "core/archive_room.h"

/* Rar 4: types and flags of blocks. */
#define MAIN_BLOCK 0x73
#define FILE_BLOCK 0x74
#define END_BLOCK 0x7b
#define MAIN_VOLUME 0x0001
#define MAIN_HIDDEN 0x0080
#define FILE_ENCRYPTED 0x0004
#define FILE_LARGE 0x0100
#define FILE_FOLDER 0x00e0
#define HAS_DATA 0x8000

/* Rar 5. */
#define RAR5_MAIN 1
#define RAR5_FILE 2
#define RAR5_HIDDEN 4
#define RAR5_END 5
#define RAR5_EXTRA_CRYPT 1

/* The name in a file block of rar 4, as far as it is in one byte a letter. */
static bool take_file4(struct pw_listing *l, struct pw_str block, uint64_t flags)
{
	struct pw_bytes b = { .all = block, .at = 11 };
	uint64_t size = pw_bytes_number(&b, 4), name_len;
	struct pw_str name;

	pw_bytes_take(&b, 11); /* host, checksum, time, version, method */
	name_len = pw_bytes_number(&b, 2);
	pw_bytes_take(&b, 4 + ((flags & FILE_LARGE) != 0 ? 8u : 0u));
	name = pw_bytes_take(&b, name_len);
	name.len = pw_str_find(name, '\0'); /* Unicode in a form of its own follows */
	if (b.is_short) {
		l->out->flags |= PW_ARCHIVE_BROKEN;
		return false;
	}
	return pw_listing_add(l, name, size, (flags & FILE_ENCRYPTED) != 0,
	                      (flags & FILE_FOLDER) == FILE_FOLDER);
}

static bool take_main4(struct pw_listing *l, uint64_t flags)
{
	if ((flags & MAIN_VOLUME) != 0)
		l->out->flags |= PW_ARCHIVE_VOLUME;
	if ((flags & MAIN_HIDDEN) == 0)
		return true;
	l->out->flags |= PW_ARCHIVE_HIDDEN | PW_ARCHIVE_ENCRYPTED;
	return false;
}

static void list_rar4(struct pw_listing *l, struct pw_bytes *b)
{
	while (pw_bytes_are_left(b)) {
		struct pw_bytes block = *b;
		uint64_t type, flags, len, data = 0;

		pw_bytes_take(&block, 2);
		type = pw_bytes_number(&block, 1);
		flags = pw_bytes_number(&block, 2);
		len = pw_bytes_number(&block, 2);
		if ((flags & HAS_DATA) != 0 || type == FILE_BLOCK)
			data = pw_bytes_number(&block, 4);
		l->out->steps += 7;
		if (type == END_BLOCK)
			return;
		if (block.is_short || len < 7) {
			l->out->flags |= PW_ARCHIVE_BROKEN;
			return;
		}
		if (type == MAIN_BLOCK && !take_main4(l, flags))
			return;
		if (type == FILE_BLOCK &&
		    !take_file4(l, pw_str_sub(b->all, b->at, (size_t)len), flags))
			return;
		pw_bytes_take(b, len + data);
	}
	if (b->is_short)
		l->out->flags |= PW_ARCHIVE_BROKEN;
}

/* Seven bits a byte, the low ones first. */
static uint64_t take_vint(struct pw_bytes *b)
{
	uint64_t n = 0, byte = 0x80;

	for (unsigned shift = 0; shift < 63 && (byte & 0x80) != 0; shift += 7) {
		byte = pw_bytes_number(b, 1);
		n |= (byte & 0x7f) << shift;
	}
	return n;
}

/* Is there a record of encryption in the extra area? */
static bool is_encrypted5(struct pw_bytes extra)
{
	while (pw_bytes_are_left(&extra)) {
		struct pw_bytes record = { .all = pw_bytes_take(&extra,
			                                        take_vint(&extra)) };

		if (record.all.len > 0 && take_vint(&record) == RAR5_EXTRA_CRYPT)
			return true;
	}
	return false;
}

static bool take_file5(struct pw_listing *l, struct pw_bytes *b, uint64_t extra_len)
{
	struct pw_bytes extra = { .all = { "", 0 } };
	uint64_t flags = take_vint(b), size = take_vint(b), len;
	struct pw_str name;

	take_vint(b); /* attributes */
	pw_bytes_take(b, ((flags & 2) != 0 ? 4u : 0u) + ((flags & 4) != 0 ? 4u : 0u));
	take_vint(b); /* compression */
	take_vint(b); /* host */
	len = take_vint(b);
	name = pw_bytes_take(b, len);
	if (b->is_short) {
		l->out->flags |= PW_ARCHIVE_BROKEN;
		return false;
	}
	if (extra_len <= b->all.len - b->at)
		extra.all =
			pw_str_sub(b->all, b->all.len - (size_t)extra_len, b->all.len);
	l->out->steps += extra.all.len;
	return pw_listing_add(l, name, size, is_encrypted5(extra), (flags & 1) != 0);
}

/* One header of rar 5; false when the listing ends. */
static bool take_header5(struct pw_listing *l, struct pw_str header, uint64_t *data_len)
{
	struct pw_bytes b = { .all = header };
	uint64_t type = take_vint(&b), flags = take_vint(&b);
	uint64_t extra_len = (flags & 1) != 0 ? take_vint(&b) : 0;

	*data_len = (flags & 2) != 0 ? take_vint(&b) : 0;
	if (type == RAR5_END)
		return false;
	if (type == RAR5_HIDDEN) {
		l->out->flags |= PW_ARCHIVE_HIDDEN | PW_ARCHIVE_ENCRYPTED;
		return false;
	}
	if (type == RAR5_MAIN && (take_vint(&b) & 1) != 0)
		l->out->flags |= PW_ARCHIVE_VOLUME;
	return type != RAR5_FILE || take_file5(l, &b, extra_len);
}

static void list_rar5(struct pw_listing *l, struct pw_bytes *b)
{
	while (pw_bytes_are_left(b)) {
		struct pw_str header;
		uint64_t data_len;

		pw_bytes_take(b, 4); /* checksum */
		header = pw_bytes_take(b, take_vint(b));
		l->out->steps += 4 + header.len;
		if (header.len == 0) {
			l->out->flags |= PW_ARCHIVE_BROKEN;
			return;
		}
		if (!take_header5(l, header, &data_len))
			return;
		pw_bytes_take(b, data_len);
	}
	if (b->is_short)
		l->out->flags |= PW_ARCHIVE_BROKEN;
}

void pw_rar_list(struct pw_listing *l, struct pw_str content)
{
	struct pw_bytes b = { .all = content };

	if (pw_str_starts(content, PW_STR("Rar!\x1a\7\1\0"))) {
		pw_bytes_take(&b, 8);
		list_rar5(l, &b);
	} else if (pw_str_starts(content, PW_STR("Rar!\x1a\7\0"))) {
		pw_bytes_take(&b, 7);
		list_rar4(l, &b);
	} else {
		l->out->flags |= PW_ARCHIVE_BROKEN; /* before 1.50: nobody writes it */
	}
}
