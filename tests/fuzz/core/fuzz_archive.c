/* Properties: any bytes, taken for any kind, give a listing within its bounds: entries,
 * lengths of names, memory, and work in proportion to the bytes; what is said of
 * encrypted entries agrees with the archive's flag. The kind that is found is one that
 * exists, and what it is called fits its own first extension and type. */
#include <stdlib.h>

#include "core/office.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void check_listing(struct pw_arena *arena, enum pw_magic magic,
                          struct pw_str content)
{
	struct pw_archive archive;
	size_t bytes = 0;

	pw_arena_reset(arena);
	must(pw_archive_list(&archive, arena, magic, content) == PW_OK);
	must(archive.count <= PW_ARCHIVE_ENTRIES_MAX);
	must(archive.count == 0 || pw_archive_is_listed(magic));
	must(archive.steps <= 64 * (uint64_t)content.len + 1024);
	for (size_t i = 0; i < archive.count; i++) {
		const struct pw_archive_entry *entry = &archive.entries[i];

		must(entry->name.len <= PW_ARCHIVE_NAME_MAX);
		must(!entry->is_encrypted || (archive.flags & PW_ARCHIVE_ENCRYPTED) != 0);
		bytes += entry->name.len;
	}
	must(bytes <= 4 * content.len);
	must((pw_office_scan_names(&archive) & PW_OFFICE_MACRO) == 0 ||
	     pw_office_is_document(&archive));
}

static struct pw_str first_word(const char *list)
{
	struct pw_str rest = pw_str_from(list);

	return pw_str_cut(&rest, ' ');
}

static void check_magic(enum pw_magic magic)
{
	static const struct {
		const char *extensions, *types;
	} own[PW_MAGICS] = {
		[PW_MAGIC_NONE] = { "", "" },
#define PW_MAGIC(name, text, class, extensions, types)                                   \
	[PW_MAGIC_##name] = { extensions, types },
#include "core/magic.def"
	};

	must(magic < PW_MAGICS);
	must(!pw_magic_belies_name(magic, first_word(own[magic].extensions)));
	must(!pw_magic_belies_type(magic, first_word(own[magic].types)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pw_arena *arena;
	struct pw_str content = { (const char *)data, size };
	uint32_t flags = pw_office_scan_ole(content);

	if (arena == NULL)
		must(pw_arena_new(&arena, 0) == PW_OK);
	must((flags & PW_OFFICE_AUTO) == 0 || (flags & PW_OFFICE_MACRO) != 0);
	check_magic(pw_magic_find(content));
	for (int magic = 0; magic < PW_MAGICS; magic++)
		if (pw_archive_is_listed((enum pw_magic)magic))
			check_listing(arena, (enum pw_magic)magic, content);
	return 0;
}
