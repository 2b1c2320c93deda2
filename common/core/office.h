/* Marks of macros and passwords in documents, without unpacking them: names of streams in
 * OLE2 compound files, names of entries in OOXML. */
#pragma once

#include "core/archive.h"

enum pw_office_flag {
	PW_OFFICE_MACRO = 1,     /* holds Visual Basic or Excel 4 macros */
	PW_OFFICE_AUTO = 2,      /* OLE2: and the name of one that runs by itself */
	PW_OFFICE_ENCRYPTED = 4, /* asks for a password */
};

/* Flags of a compound file; only its directory entries and the names of macros are looked
 * for. One pass, whatever its tables claim. MS-CFB 2.6, MS-OVBA 2.2 */
uint32_t pw_office_scan_ole(struct pw_str content);
/* Flags of an OOXML document by its entries; 0 for other archives. ECMA-376 part 2 */
uint32_t pw_office_scan_names(const struct pw_archive *archive);
/* Is the archive an OOXML document, an OpenDocument or a Java archive: one file to its
 * reader? */
bool pw_office_is_document(const struct pw_archive *archive);
