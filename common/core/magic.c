#include "core/magic.h"

#include <string.h>

#include "core/ascii.h"

static const struct {
	const char *text;
	enum pw_magic_class class;
	const char *extensions, *types;
} magics[PW_MAGICS] = {
	[PW_MAGIC_NONE] = { "", PW_MAGIC_CLASS_UNKNOWN, "", "" },
#define PW_MAGIC(name, text, class, extensions, types)                                   \
	[PW_MAGIC_##name] = { text, PW_MAGIC_CLASS_##class, extensions, types },
#include "core/magic.def"
};

#define AT(offset, bytes, magic)                                                         \
	{                                                                                \
		offset, sizeof(bytes) - 1, bytes, PW_MAGIC_##magic                       \
	}
/* clang-format off */
/* Long ones: nothing else begins so. */
static const struct signature {
	size_t offset, len;
	const char *bytes;
	enum pw_magic magic;
} signatures[] = {
	AT(0, "\x7f" "ELF", ELF),
	AT(0, "\xfe\xed\xfa\xce", MACHO), AT(0, "\xfe\xed\xfa\xcf", MACHO),
	AT(0, "\xce\xfa\xed\xfe", MACHO), AT(0, "\xcf\xfa\xed\xfe", MACHO),
	AT(0, "\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0", LNK),
	AT(0, "ITSF\3\0\0\0", CHM),
	AT(0, "PK\3\4", ZIP), AT(0, "PK\5\6\0\0", ZIP), AT(0, "PK\7\10PK\3\4", ZIP), AT(0, "PK00PK\3\4", ZIP),
	AT(0, "Rar!\x1a\7\0", RAR), AT(0, "Rar!\x1a\7\1\0", RAR), AT(0, "RE~^", RAR),
	AT(0, "7z\xbc\xaf\x27\x1c", SEVENZIP),
	AT(0, "\x1f\x8b\x08", GZIP),
	AT(0, "\xfd" "7zXZ\0", XZ),
	AT(0, "\x28\xb5\x2f\xfd", ZSTD),
	AT(257, "ustar\0", TAR), AT(257, "ustar  \0", TAR),
	AT(0, "MSCF\0\0\0\0", CAB), AT(0, "\x60\xea", ARJ), AT(7, "**ACE**", ACE),
	AT(2, "-lh0-", LZH), AT(2, "-lh1-", LZH), AT(2, "-lh5-", LZH), AT(2, "-lh6-", LZH), AT(2, "-lh7-", LZH),
	AT(0x8001, "CD001", ISO),
	AT(0, "conectix", VHD), AT(0, "vhdxfile", VHD),
	AT(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
	AT(0, "{\\rt", RTF),
	AT(0, "\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", ONENOTE),
	AT(0, "%!PS", PS), AT(0, "\xc5\xd0\xd3\xc6", PS),
	AT(0, "\x78\x9f\x3e\x22", TNEF),
	AT(0, "\x89PNG\r\n\x1a\n", PNG), AT(0, "\xff\xd8\xff", JPEG),
	AT(0, "GIF87a", GIF), AT(0, "GIF89a", GIF),
	AT(0, "II*\0", TIFF), AT(0, "MM\0*", TIFF), AT(0, "\0\0\1\0", ICO), AT(0, "\0\0\2\0", ICO),
	AT(4, "ftyp", MP4), AT(0, "OggS\0", OGG), AT(0, "ID3\2", MP3), AT(0, "ID3\3", MP3), AT(0, "ID3\4", MP3),
};
/* clang-format on */

static bool has_at(struct pw_str s, size_t offset, struct pw_str bytes)
{
	return pw_str_starts(pw_str_sub(s, offset, s.len), bytes);
}

static uint32_t little32(struct pw_str s, size_t at)
{
	uint32_t n = 0;

	for (size_t i = 4; i-- > 0;)
		n = n << 8 | (at + i < s.len ? (unsigned char)s.at[at + i] : 0u);
	return n;
}

static bool is_zero(struct pw_str s, size_t at, size_t len)
{
	for (size_t i = at; i < at + len; i++)
		if (i >= s.len || s.at[i] != '\0')
			return false;
	return true;
}

/* "MZ" begins words too: a program has a header behind it, or binary bytes. */
static bool is_pe(struct pw_str s)
{
	uint32_t at;

	if (!pw_str_starts(s, PW_STR("MZ")) && !pw_str_starts(s, PW_STR("ZM")))
		return false;
	at = little32(s, 0x3c);
	return has_at(s, at, PW_STR("PE\0\0")) || has_at(s, at, PW_STR("NE")) ||
	       memchr(s.at, '\0', s.len < 64 ? s.len : 64) != NULL;
}

/* The same four bytes begin Java's classes and Mach-O of several machines, of which there
 * are few. */
static enum pw_magic find_cafebabe(struct pw_str s)
{
	if (!pw_str_starts(s, PW_STR("\xca\xfe\xba\xbe")) || s.len < 8)
		return PW_MAGIC_NONE;
	return is_zero(s, 4, 3) && (unsigned char)s.at[7] < 30 ? PW_MAGIC_MACHO
	                                                       : PW_MAGIC_JAVA;
}

static enum pw_magic find_binary(struct pw_str s)
{
	enum pw_magic magic = find_cafebabe(s);

	if (magic != PW_MAGIC_NONE)
		return magic;
	if (is_pe(s))
		return PW_MAGIC_PE;
	if (pw_str_starts(s, PW_STR("BZh")) && has_at(s, 4, PW_STR("1AY&SY")))
		return PW_MAGIC_BZIP2;
	if (pw_str_starts(s, PW_STR("RIFF")))
		return has_at(s, 8, PW_STR("WEBP")) ? PW_MAGIC_WEBP : PW_MAGIC_RIFF;
	if (pw_str_starts(s, PW_STR("BM")) && is_zero(s, 6, 4))
		return PW_MAGIC_BMP;
	return PW_MAGIC_NONE;
}

/* Readers of PDF take it anywhere in the first 1024 bytes. */
static bool is_pdf(struct pw_str s)
{
	return pw_str_contains(pw_str_sub(s, 0, 1024), PW_STR("%PDF-"));
}

static bool has_element(struct pw_str s, struct pw_str name)
{
	char c = s.len > name.len ? s.at[name.len] : '\0';

	return pw_str_starts_nocase(s, name) && (c == '>' || c == '/' || c <= ' ');
}

static enum pw_magic find_text(struct pw_str s)
{
	static const char *const html[] = { "<!doctype html", "<html",   "<head",
		                            "<body",          "<script", "<meta" };

	if (pw_str_starts(s, PW_STR("\xef\xbb\xbf")))
		s = pw_str_sub(s, 3, s.len);
	s = pw_str_trim(pw_str_sub(s, 0, 1024));
	if (pw_str_starts(s, PW_STR("#!")) &&
	    pw_str_contains(pw_str_sub(s, 0, pw_str_find(s, '\n')), PW_STR("/")))
		return PW_MAGIC_SCRIPT;
	for (size_t i = 0; i < PW_LEN(html); i++)
		if (has_element(s, pw_str_from(html[i])))
			return PW_MAGIC_HTML;
	if (has_element(s, PW_STR("<svg")))
		return PW_MAGIC_SVG;
	if (!has_element(s, PW_STR("<?xml")))
		return PW_MAGIC_NONE;
	if (pw_str_contains(s, PW_STR("<svg")))
		return PW_MAGIC_SVG;
	return pw_str_contains(s, PW_STR("<html")) ? PW_MAGIC_HTML : PW_MAGIC_XML;
}

enum pw_magic pw_magic_find(struct pw_str content)
{
	enum pw_magic magic = find_binary(content);

	for (size_t i = 0; magic == PW_MAGIC_NONE && i < PW_LEN(signatures); i++) {
		const struct signature *sig = &signatures[i];

		if (has_at(content, sig->offset, (struct pw_str){ sig->bytes, sig->len }))
			magic = sig->magic;
	}
	if (magic == PW_MAGIC_NONE && is_pdf(content))
		magic = PW_MAGIC_PDF;
	return magic != PW_MAGIC_NONE ? magic : find_text(content);
}

const char *pw_magic_text(enum pw_magic magic)
{
	return magics[magic].text;
}

enum pw_magic_class pw_magic_class(enum pw_magic magic)
{
	return magics[magic].class;
}

static bool fits(struct pw_str pattern, struct pw_str word)
{
	if (pattern.len > 0 && pattern.at[pattern.len - 1] == '*')
		return pw_str_starts_nocase(word,
		                            pw_str_sub(pattern, 0, pattern.len - 1));
	return pw_str_eq_nocase(word, pattern);
}

static bool list_has(const char *list, struct pw_str word)
{
	struct pw_str rest = pw_str_from(list);

	while (rest.at != NULL)
		if (fits(pw_str_cut(&rest, ' '), word))
			return true;
	return false;
}

/* Does an archive, a document, a picture or their like claim the extension as its own?
 * What everybody uses for anything promises nothing. */
static bool is_known_extension(struct pw_str extension)
{
	if (list_has("dat db img key max prn tmp z", extension))
		return false;
	for (size_t i = 1; i < PW_MAGICS; i++)
		if (magics[i].class != PW_MAGIC_CLASS_PROGRAM &&
		    magics[i].extensions[0] != '*' &&
		    list_has(magics[i].extensions, extension))
			return true;
	return false;
}

bool pw_magic_belies_name(enum pw_magic magic, struct pw_str extension)
{
	bool is_program = magics[magic].class == PW_MAGIC_CLASS_PROGRAM;

	if (magic == PW_MAGIC_NONE || extension.len == 0)
		return false;
	if (magics[magic].extensions[0] != '*')
		return !list_has(magics[magic].extensions, extension) &&
		       (is_program || is_known_extension(extension));
	/* HTML and XML that word processors and spreadsheets write */
	return is_known_extension(extension) && !list_has("doc xls ppt", extension);
}

bool pw_magic_belies_type(enum pw_magic magic, struct pw_str type)
{
	if (magic == PW_MAGIC_NONE || type.len == 0)
		return false;
	if (pw_magic_class(magic) == PW_MAGIC_CLASS_IMAGE &&
	    pw_str_starts(type, PW_STR("text/")))
		return false; /* some mailers call everything text */
	return !list_has(magics[magic].types, type);
}
