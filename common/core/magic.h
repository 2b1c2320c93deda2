/* What a file is by its first bytes, whatever its name and its Content-Type say. */
#pragma once

#include "core/str.h"

/* Bytes of the content from its start that every type can be told by. */
#define PW_MAGIC_BYTES ((size_t)36 * 1024)

enum pw_magic {
	PW_MAGIC_NONE, /* text, or nothing that is known */
#define PW_MAGIC(name, text, class, extensions, types) PW_MAGIC_##name,
#include "core/magic.def"
	PW_MAGICS
};

enum pw_magic_class {
	PW_MAGIC_CLASS_UNKNOWN,
	PW_MAGIC_CLASS_PROGRAM,
	PW_MAGIC_CLASS_SCRIPT,
	PW_MAGIC_CLASS_ARCHIVE,
	PW_MAGIC_CLASS_DISK,
	PW_MAGIC_CLASS_DOCUMENT,
	PW_MAGIC_CLASS_IMAGE,
	PW_MAGIC_CLASS_MEDIA,
	PW_MAGIC_CLASS_TEXT
};

enum pw_magic pw_magic_find(struct pw_str content);
/* "pe", "zip", ...; "" for PW_MAGIC_NONE. */
const char *pw_magic_text(enum pw_magic magic);
enum pw_magic_class pw_magic_class(enum pw_magic magic);

/* Does an extension (without its dot, case ignored) promise something else? False when
 * nothing is known of the content or of the extension; a program fits the extensions of
 * programs only. */
bool pw_magic_belies_name(enum pw_magic magic, struct pw_str extension);
/* Does a media type in lower case promise something else? */
bool pw_magic_belies_type(enum pw_magic magic, struct pw_str type);
