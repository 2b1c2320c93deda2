#include "core/office.h"

#include <string.h>

#include "core/ascii.h"

#define ENTRY_LENGTH 128 /* of a directory entry (MS-CFB 2.6.1) */
#define HEADER_LENGTH 512

static const struct {
	const char *name;
	uint32_t flags;
} streams[] = {
	{ "_VBA_PROJECT", PW_OFFICE_MACRO },
	{ "_VBA_PROJECT_CUR", PW_OFFICE_MACRO },
	{ "VBA", PW_OFFICE_MACRO },
	{ "Macros", PW_OFFICE_MACRO },
	{ "EncryptedPackage", PW_OFFICE_ENCRYPTED },
};

/* The name of a directory entry, in UTF-16 with a NUL, is name in ASCII. */
static bool has_name(const unsigned char *entry, const char *name)
{
	size_t len = strlen(name);

	if (entry[64] != (len + 1) * 2 || entry[65] != 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (pw_lower((char)entry[2 * i]) != pw_lower(name[i]) ||
		    entry[2 * i + 1] != 0)
			return false;
	return true;
}

/* Entries stand at multiples of their length, in whichever sectors: each place is looked
 * at, no table is followed. */
static uint32_t scan_entries(struct pw_str content)
{
	uint32_t flags = 0;

	for (size_t at = HEADER_LENGTH; at + ENTRY_LENGTH <= content.len;
	     at += ENTRY_LENGTH) {
		const unsigned char *entry = (const unsigned char *)content.at + at;

		if (entry[66] != 1 && entry[66] != 2) /* storage, stream */
			continue;
		for (size_t i = 0; i < PW_LEN(streams); i++)
			if (has_name(entry, streams[i].name))
				flags |= streams[i].flags;
	}
	return flags;
}

/* Does name begin here? In the compressed source (MS-OVBA 2.4.1) a name seen for the
 * first time stands as it is, but for a byte of flags, 0, after each eight letters. */
static bool begins(struct pw_str s, const char *name)
{
	size_t at = 0;

	for (; *name != '\0'; name++, at++) {
		if (at > 0 && at < s.len && s.at[at] == '\0')
			at++;
		if (at >= s.len || s.at[at] != *name)
			return false;
	}
	return true;
}

/* Names of macros that run by themselves. */
static bool has_auto_macro(struct pw_str content)
{
	static const char *const names[] = {
		"AutoOpen",       "Auto_Open",     "AutoExec",         "AutoClose",
		"Auto_Close",     "AutoNew",       "Document_Open",    "DocumentOpen",
		"Document_Close", "Workbook_Open", "Workbook_Activate"
	};

	for (size_t at = 0; at < content.len; at++) {
		if (strchr("ADW", content.at[at]) == NULL || content.at[at] == '\0')
			continue;
		for (size_t i = 0; i < PW_LEN(names); i++)
			if (begins(pw_str_sub(content, at, content.len), names[i]))
				return true;
	}
	return false;
}

uint32_t pw_office_scan_ole(struct pw_str content)
{
	uint32_t flags = scan_entries(content);

	if ((flags & PW_OFFICE_MACRO) != 0 && has_auto_macro(content))
		flags |= PW_OFFICE_AUTO;
	return flags;
}

static bool has_entry(const struct pw_archive *archive, const char *name)
{
	for (size_t i = 0; i < archive->count; i++)
		if (pw_str_eq_nocase(archive->entries[i].name, pw_str_from(name)))
			return true;
	return false;
}

static bool is_ooxml(const struct pw_archive *archive)
{
	return has_entry(archive, "[Content_Types].xml");
}

uint32_t pw_office_scan_names(const struct pw_archive *archive)
{
	uint32_t flags = 0;

	if (!is_ooxml(archive))
		return 0;
	for (size_t i = 0; i < archive->count; i++) {
		struct pw_str name = archive->entries[i].name;

		if (pw_str_ends_nocase(name, PW_STR("vbaProject.bin")) ||
		    pw_str_starts_nocase(name, PW_STR("xl/macrosheets/")))
			flags |= PW_OFFICE_MACRO;
	}
	return flags;
}

bool pw_office_is_document(const struct pw_archive *archive)
{
	return is_ooxml(archive) || has_entry(archive, "META-INF/MANIFEST.MF") ||
	       has_entry(archive, "META-INF/manifest.xml");
}
