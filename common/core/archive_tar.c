/* Tar (POSIX ustar, pax, GNU long names): a header of 512 bytes, then the data in blocks.
 */
#include "core/archive_room.h"

#define BLOCK 512

/* A number in octal digits, or of GNU's form in bytes. */
static uint64_t take_number(struct pw_str field)
{
	uint64_t n = 0;

	if (field.len > 0 && ((unsigned char)field.at[0] & 0x80) != 0) {
		for (size_t i = 1; i < field.len; i++)
			n = n << 8 | (unsigned char)field.at[i];
		return n;
	}
	for (size_t i = 0; i < field.len; i++) {
		if (field.at[i] >= '0' && field.at[i] <= '7')
			n = n << 3 | (uint64_t)(field.at[i] - '0');
		else if (field.at[i] != ' ' || n > 0)
			break;
	}
	return n;
}

static struct pw_str text_of(struct pw_str field)
{
	return pw_str_sub(field, 0, pw_str_find(field, '\0'));
}

/* "path" among the lines "LENGTH KEY=VALUE\n" of a pax header. */
static struct pw_str pax_path(struct pw_str data)
{
	while (data.len > 0) {
		struct pw_str line = pw_str_cut(&data, '\n');

		pw_str_cut(&line, ' ');
		if (line.at != NULL && pw_str_starts(line, PW_STR("path=")))
			return pw_str_sub(line, 5, line.len);
	}
	return (struct pw_str){ "", 0 };
}

static struct pw_str name_of(struct pw_str header, struct pw_str long_name)
{
	return long_name.len > 0 ? long_name : text_of(pw_str_sub(header, 0, 100));
}

void pw_tar_list(struct pw_listing *l, struct pw_str content)
{
	struct pw_bytes b = { .all = content };
	struct pw_str long_name = { "", 0 };

	while (pw_bytes_are_left(&b)) {
		struct pw_str header = pw_bytes_take(&b, BLOCK), data;
		char type = header.len > 0 ? header.at[156] : '\0';
		uint64_t size = take_number(pw_str_sub(header, 124, 12));

		if (header.len == 0 || header.at[0] == '\0')
			break; /* blocks of NUL end it */
		data = pw_str_sub(content, b.at,
		                  size < content.len ? (size_t)size : content.len);
		l->out->steps += BLOCK;
		if (type == 'L' || type == 'x') {
			long_name = type == 'L' ? text_of(data) : pax_path(data);
			l->out->steps += data.len;
		} else if (type != 'g' && type != 'K') {
			if (!pw_listing_add(l, name_of(header, long_name), size, false,
			                    type == '5'))
				return;
			long_name = (struct pw_str){ "", 0 };
		}
		pw_bytes_take(&b, size > content.len
		                          ? size
		                          : (size + BLOCK - 1) / BLOCK * BLOCK);
	}
	if (b.is_short)
		l->out->flags |= PW_ARCHIVE_BROKEN;
}
