/* 7z: the header stands at the end, mostly compressed, which is all that can be said
 * then. Of a plain one the names are read; where they begin is searched, not calculated:
 * what stands before them describes the compression. */
#include <string.h>

#include "core/archive_room.h"
#include "core/buf.h"

/* Ids of properties. */
#define ID_END 0x00
#define ID_HEADER 0x01
#define ID_FILES 0x05
#define ID_NAMES 0x11
#define ID_ENCODED_HEADER 0x17
#define PROPERTIES_MAX 32 /* before the names */

static const char aes[] = "\x06\xf1\x07\x01"; /* id of the method */

/* A number of 7z: the first byte tells how many follow. */
static uint64_t take_number(struct pw_bytes *b)
{
	uint64_t first = pw_bytes_number(b, 1), n = 0;

	for (unsigned i = 0, mask = 0x80; i < 8; i++, mask >>= 1) {
		if ((first & mask) == 0)
			return n | (first & (mask - 1)) << (8 * i);
		n |= pw_bytes_number(b, 1) << (8 * i);
	}
	return n;
}

/* At the id of files: the bytes of the names, if it looks like that and holds as many. */
static bool find_names(struct pw_listing *l, struct pw_bytes b, uint64_t *count,
                       struct pw_str *names)
{
	if (pw_bytes_number(&b, 1) != ID_FILES)
		return false;
	*count = take_number(&b);
	if (*count == 0 || *count > b.all.len / 2)
		return false;
	for (int i = 0; i < PROPERTIES_MAX; i++) {
		uint64_t id = take_number(&b);
		struct pw_str data = pw_bytes_take(&b, take_number(&b));

		l->out->steps++;
		if (b.is_short || id == ID_END)
			return false;
		if (id != ID_NAMES)
			continue;
		if (data.len < 3 || data.len % 2 == 0 || data.at[0] != 0 ||
		    data.at[data.len - 1] != 0 || data.at[data.len - 2] != 0)
			return false;
		*names = pw_str_sub(data, 1, data.len);
		return true;
	}
	return false;
}

/* One unit of UTF-16 (or a pair of them) as UTF-8; the bytes it took. */
static size_t put_letter(struct pw_buf *out, struct pw_str s)
{
	struct pw_bytes b = { .all = s };
	uint64_t c = pw_bytes_number(&b, 2), low;

	if (c >= 0xd800 && c < 0xdc00 && s.len >= 4) {
		low = pw_bytes_number(&b, 2);
		if (low >= 0xdc00 && low < 0xe000)
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		else
			b.at = 2;
	}
	if (c < 0x80) {
		pw_buf_putc(out, (char)c);
	} else if (c < 0x800) {
		pw_buf_putc(out, (char)(0xc0 | c >> 6));
		pw_buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		pw_buf_putc(out, (char)(0xe0 | c >> 12));
		pw_buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		pw_buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		pw_buf_putc(out, (char)(0xf0 | c >> 18));
		pw_buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		pw_buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		pw_buf_putc(out, (char)(0x80 | (c & 0x3f)));
	}
	return b.at;
}

static void add_names(struct pw_listing *l, uint64_t count, struct pw_str names,
                      bool is_encrypted)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	size_t at = 0;

	l->out->steps += names.len;
	for (; count > 0 && at + 1 < names.len; count--) {
		pw_buf_reset(&name);
		while (at + 1 < names.len && (names.at[at] != 0 || names.at[at + 1] != 0))
			at += put_letter(&name, pw_str_sub(names, at, names.len));
		at += 2;
		if (pw_buf_status(&name) != PW_OK)
			l->status = PW_ERR_NOMEM;
		if (l->status != PW_OK ||
		    !pw_listing_add(l, pw_buf_str(&name), 0, is_encrypted, false))
			return;
	}
	if (count > 0)
		l->out->flags |= PW_ARCHIVE_BROKEN;
}

static void list_plain(struct pw_listing *l, struct pw_str header)
{
	bool is_encrypted = pw_str_contains(header, (struct pw_str){ aes, 4 });
	uint64_t count;
	struct pw_str names;

	for (size_t at = 0; at < header.len; at++) {
		struct pw_bytes b = { .all = header, .at = at };

		l->out->steps++;
		if (!find_names(l, b, &count, &names))
			continue;
		add_names(l, count, names, is_encrypted);
		return;
	}
}

void pw_sevenzip_list(struct pw_listing *l, struct pw_str content)
{
	struct pw_bytes b = { .all = content, .at = 0 };
	uint64_t offset, len;
	struct pw_str header;

	pw_bytes_take(&b, 12); /* signature, version, checksum */
	offset = pw_bytes_number(&b, 8);
	len = pw_bytes_number(&b, 8);
	pw_bytes_take(&b, 4);
	pw_bytes_take(&b, offset);
	header = pw_bytes_take(&b, len);
	if (b.is_short) {
		l->out->flags |= PW_ARCHIVE_BROKEN;
		return;
	}
	if (header.len == 0)
		return; /* an empty archive */
	if (header.at[0] == ID_HEADER)
		list_plain(l, header);
	else if (header.at[0] != ID_ENCODED_HEADER)
		l->out->flags |= PW_ARCHIVE_BROKEN;
	else if (pw_str_contains(header, (struct pw_str){ aes, 4 }))
		l->out->flags |= PW_ARCHIVE_HIDDEN | PW_ARCHIVE_ENCRYPTED;
	else
		l->out->flags |= PW_ARCHIVE_PACKED;
}
