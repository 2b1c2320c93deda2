#include "core/archive.h"

#include <string.h>

#include "core/archive_room.h"

static bool grow(struct pw_listing *l)
{
	size_t room = l->room == 0 ? 16 : l->room * 2;
	struct pw_archive_entry *entries =
		pw_arena_array(l->arena, room, sizeof(*entries));

	if (entries == NULL) {
		l->status = PW_ERR_NOMEM;
		return false;
	}
	if (l->out->count > 0)
		memcpy(entries, l->entries, l->out->count * sizeof(*entries));
	l->entries = entries;
	l->room = room;
	return true;
}

bool pw_listing_add(struct pw_listing *l, struct pw_str name, uint64_t size_bytes,
                    bool is_encrypted, bool is_folder)
{
	size_t cut = name.len > PW_ARCHIVE_NAME_MAX ? name.len - PW_ARCHIVE_NAME_MAX : 0;
	struct pw_archive_entry *entry;

	if (is_encrypted)
		l->out->flags |= PW_ARCHIVE_ENCRYPTED;
	if (l->out->count == PW_ARCHIVE_ENTRIES_MAX) {
		l->out->flags |= PW_ARCHIVE_MORE;
		return false;
	}
	if (l->out->count == l->room && !grow(l))
		return false;
	entry = &l->entries[l->out->count];
	*entry = (struct pw_archive_entry){ .size_bytes = size_bytes,
		                            .is_encrypted = is_encrypted,
		                            .is_folder = is_folder };
	l->status =
		pw_arena_copy(l->arena, pw_str_sub(name, cut, name.len), &entry->name);
	l->out->count += l->status == PW_OK ? 1 : 0;
	return l->status == PW_OK;
}

/* RFC 1952 2.3: the name, if there is one. */
static void list_gzip(struct pw_listing *l, struct pw_str content)
{
	struct pw_bytes b = { .all = content, .at = 3 };
	uint64_t flags = pw_bytes_number(&b, 1);
	struct pw_str name;

	pw_bytes_take(&b, 6);
	if ((flags & 4) != 0)
		pw_bytes_take(&b, pw_bytes_number(&b, 2));
	name = pw_str_sub(content, b.at, content.len);
	name.len = pw_str_find(name, '\0');
	l->out->steps += name.len;
	if (b.is_short || ((flags & 8) != 0 && b.at + name.len == content.len))
		l->out->flags |= PW_ARCHIVE_BROKEN;
	else if ((flags & 8) != 0)
		pw_listing_add(l, name, 0, false, false);
}

/* Cabinets: a table of CFFILE, 16 bytes and a name each. */
static void list_cab(struct pw_listing *l, struct pw_str content)
{
	struct pw_bytes b = { .all = content, .at = 16 };
	uint64_t from = pw_bytes_number(&b, 4), count;

	b.at = 28;
	count = pw_bytes_number(&b, 2);
	if ((pw_bytes_number(&b, 2) & 3) != 0)
		l->out->flags |= PW_ARCHIVE_VOLUME;
	b.at = 0;
	pw_bytes_take(&b, from);
	for (; count > 0 && pw_bytes_are_left(&b); count--) {
		uint64_t size = pw_bytes_number(&b, 4);
		struct pw_str name;

		pw_bytes_take(&b, 12);
		name = pw_str_sub(content, b.at, content.len);
		name.len = pw_str_find(name, '\0');
		pw_bytes_take(&b, name.len + 1);
		l->out->steps += 16 + name.len;
		if (b.is_short || !pw_listing_add(l, name, size, false, false))
			break;
	}
	if (b.is_short)
		l->out->flags |= PW_ARCHIVE_BROKEN;
}

static void (*find_list(enum pw_magic magic))(struct pw_listing *l, struct pw_str content)
{
	static void (*const lists[PW_MAGICS])(struct pw_listing * l,
	                                      struct pw_str content) = {
		[PW_MAGIC_ZIP] = pw_zip_list, [PW_MAGIC_RAR] = pw_rar_list,
		[PW_MAGIC_TAR] = pw_tar_list, [PW_MAGIC_SEVENZIP] = pw_sevenzip_list,
		[PW_MAGIC_GZIP] = list_gzip,  [PW_MAGIC_CAB] = list_cab,
	};

	return lists[magic];
}

bool pw_archive_is_listed(enum pw_magic magic)
{
	return find_list(magic) != NULL;
}

enum pw_status pw_archive_list(struct pw_archive *out, struct pw_arena *arena,
                               enum pw_magic magic, struct pw_str content)
{
	struct pw_listing l = { .out = out, .arena = arena, .status = PW_OK };

	*out = (struct pw_archive){ 0 };
	if (find_list(magic) != NULL)
		find_list(magic)(&l, content);
	out->entries = l.entries;
	return l.status;
}

const char *pw_archive_flag_text(enum pw_archive_flag flag)
{
	switch (flag) {
	case PW_ARCHIVE_ENCRYPTED:
		return "encrypted";
	case PW_ARCHIVE_HIDDEN:
		return "names-encrypted";
	case PW_ARCHIVE_PACKED:
		return "names-packed";
	case PW_ARCHIVE_BROKEN:
		return "broken";
	case PW_ARCHIVE_MORE:
		return "more-entries";
	case PW_ARCHIVE_TWO_NAMES:
		return "two-names";
	case PW_ARCHIVE_VOLUME:
		return "volume";
	}
	return "";
}
