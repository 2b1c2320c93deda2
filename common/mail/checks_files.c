/* Attachments: what they are called, what they are, what archives hold. */
#include "core/office.h"
#include "mail/checks_room.h"

#define BLANKS_MIN 8 /* in a row: they push the extension out of sight */

/* The last extension, as a file system would take it: blanks and dots at the end do not
 * count, and what stands before a path's last part neither. */
static struct pw_str extension(struct pw_str name)
{
	size_t dot;

	while (name.len > 0 && ((unsigned char)name.at[name.len - 1] <= ' ' ||
	                        name.at[name.len - 1] == '.'))
		name.len--;
	dot = pw_str_rfind(name, '.');
	if (dot == name.len)
		return (struct pw_str){ "", 0 };
	name = pw_str_sub(name, dot + 1, name.len);
	return pw_str_find(name, '/') < name.len || pw_str_find(name, '\\') < name.len
	               ? (struct pw_str){ "", 0 }
	               : name;
}

static struct pw_str stem(struct pw_str name)
{
	struct pw_str last = extension(name);

	return last.len == 0 ? name
	                     : pw_str_sub(name, 0, (size_t)(last.at - name.at) - 1);
}

/* Where a program that takes the name for a C string sees its end; all of it otherwise.
 */
static struct pw_str before_nul(struct pw_str name)
{
	size_t end = pw_str_find(name, '\0');

	for (size_t i = 0; i + 3 <= end; i++)
		if (pw_str_starts(pw_str_sub(name, i, 3), PW_STR("%00")))
			end = i;
	return pw_str_sub(name, 0, end);
}

/* U+202A..202E and U+2066..2069 turn the direction, U+200B..200F are invisible. */
static bool has_trick_characters(struct pw_str name)
{
	for (size_t i = 0; i + 2 < name.len; i++) {
		const unsigned char *b = (const unsigned char *)name.at + i;

		if (b[0] != 0xe2 || (b[1] != 0x80 && b[1] != 0x81))
			continue;
		if (b[1] == 0x80 &&
		    ((b[2] >= 0xaa && b[2] <= 0xae) || (b[2] >= 0x8b && b[2] <= 0x8f)))
			return true;
		if (b[1] == 0x81 && b[2] >= 0xa6 && b[2] <= 0xa9)
			return true;
	}
	return false;
}

static bool has_many_blanks(struct pw_str name)
{
	size_t run = 0;

	for (size_t i = 0; i < name.len && run < BLANKS_MIN; i++)
		run = name.at[i] == ' ' ? run + 1 : 0;
	return run == BLANKS_MIN;
}

static bool is_program(struct pw_str name)
{
	return pw_list_has(PW_LIST_PROGRAM_EXTENSION, extension(name));
}

static void check_program(const struct pw_check *c, struct pw_str name)
{
	if (!is_program(name))
		return;
	pw_fire(c, PW_SYM_BAD_EXTENSION, name);
	if (pw_list_has(PW_LIST_DOCUMENT_EXTENSION, extension(stem(name))))
		pw_fire(c, PW_SYM_DOUBLE_EXTENSION, name);
}

static void check_name(const struct pw_check *c, struct pw_str name)
{
	static const char *const html[] = { "htm", "html", "shtml", "svg" };
	struct pw_str last = extension(name), seen = before_nul(name);

	if (name.len == 0)
		return;
	if (has_trick_characters(name))
		pw_fire(c, PW_SYM_BAD_UNICODE_NAME, name);
	for (size_t i = 0; i < PW_LEN(html); i++)
		if (pw_str_eq_nocase(last, pw_str_from(html[i])))
			pw_fire(c, PW_SYM_HTML_ATTACHMENT, name);
	check_program(c, name);
	if (seen.len < name.len)
		check_program(c, seen);
}

static void check_magic(const struct pw_check *c, const struct pw_part *part)
{
	struct pw_str what = pw_str_from(pw_magic_text(part->magic));

	if (pw_magic_belies_name(part->magic, extension(part->name)) ||
	    pw_magic_belies_name(part->magic, extension(part->other_name)) ||
	    pw_magic_belies_type(part->magic, part->type))
		pw_fire(c, PW_SYM_TYPE_MISMATCH, what);
	if ((part->office & PW_OFFICE_MACRO) != 0)
		pw_fire(c, PW_SYM_OFFICE_MACRO, part->name);
	if ((part->office & PW_OFFICE_ENCRYPTED) != 0)
		pw_fire(c, PW_SYM_ARCHIVE_ENCRYPTED, part->name);
}

/* Kinds that mail carries in archives to get past filters. What ends in .tar.gz and its
 * like is one archive to everybody. */
static bool is_inner_archive(struct pw_str name)
{
	static const char *const names[] = { "zip", "rar", "7z",  "ace", "arj",
		                             "cab", "lzh", "iso", "img", "vhd" };
	struct pw_str last = extension(name);

	for (size_t i = 0; i < PW_LEN(names); i++)
		if (pw_str_eq_nocase(last, pw_str_from(names[i])))
			return true;
	return false;
}

static void check_entry(const struct pw_check *c, const struct pw_archive_entry *entry)
{
	if (entry->is_folder)
		return;
	if (is_program(entry->name) || is_program(before_nul(entry->name)))
		pw_fire(c, PW_SYM_ARCHIVE_BAD_EXT, entry->name);
	if (is_inner_archive(entry->name))
		pw_fire(c, PW_SYM_ARCHIVE_IN_ARCHIVE, entry->name);
	if (has_trick_characters(entry->name) || has_many_blanks(entry->name))
		pw_fire(c, PW_SYM_ARCHIVE_OBFUSCATED, entry->name);
}

static void check_archive(const struct pw_check *c, const struct pw_part *part)
{
	const struct pw_archive *archive = part->archive;

	if ((archive->flags & PW_ARCHIVE_ENCRYPTED) != 0)
		pw_fire(c, PW_SYM_ARCHIVE_ENCRYPTED, part->name);
	if ((archive->flags & PW_ARCHIVE_TWO_NAMES) != 0)
		pw_fire(c, PW_SYM_ARCHIVE_OBFUSCATED, part->name);
	if (pw_office_is_document(archive))
		return; /* what is inside belongs to it */
	for (size_t i = 0; i < archive->count; i++)
		check_entry(c, &archive->entries[i]);
}

void pw_check_files(const struct pw_check *c)
{
	for (size_t i = 0; i < c->message->part_count; i++) {
		const struct pw_part *part = &c->message->parts[i];

		check_name(c, part->name);
		check_name(c, part->other_name);
		check_magic(c, part);
		if (part->archive != NULL)
			check_archive(c, part);
	}
}
