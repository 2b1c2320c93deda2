#include "../table.h"

#include <string.h>

#include "core/magic.h"

struct row {
	const char *label;
	struct pw_str content;
	enum pw_magic magic;
};

#define C(text)                                                                          \
	{                                                                                \
		text, sizeof(text) - 1                                                   \
	}
/* clang-format off */
static struct row rows[] = {
	{ "nothing", C(""), PW_MAGIC_NONE },
	{ "text", C("Hello\n"), PW_MAGIC_NONE },
	{ "program", C("MZ\x90\0\3\0\0\0"), PW_MAGIC_PE },
	{ "a word that begins as programs do", C("MZ is a former code of the Mozart trains\n"), PW_MAGIC_NONE },
	{ "ELF", C("\x7f" "ELF\2\1"), PW_MAGIC_ELF },
	{ "Mach-O", C("\xcf\xfa\xed\xfe\7\0\0\1"), PW_MAGIC_MACHO },
	{ "Mach-O of two machines", C("\xca\xfe\xba\xbe\0\0\0\2"), PW_MAGIC_MACHO },
	{ "Java", C("\xca\xfe\xba\xbe\0\0\0\x34"), PW_MAGIC_JAVA },
	{ "shortcut", C("\x4c\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0\x46"), PW_MAGIC_LNK },
	{ "script", C("#!/bin/sh\necho\n"), PW_MAGIC_SCRIPT },
	{ "script of another path", C("#!nix a/b\n"), PW_MAGIC_SCRIPT },
	{ "not a path", C("#! the end\na/b\n"), PW_MAGIC_NONE },
	{ "zip", C("PK\3\4\24\0"), PW_MAGIC_ZIP },
	{ "zip without entries", C("PK\5\6\0\0\0\0"), PW_MAGIC_ZIP },
	{ "rar 4", C("Rar!\x1a\7\0"), PW_MAGIC_RAR },
	{ "rar 5", C("Rar!\x1a\7\1\0"), PW_MAGIC_RAR },
	{ "7z", C("7z\xbc\xaf\x27\x1c\0\4"), PW_MAGIC_SEVENZIP },
	{ "gzip", C("\x1f\x8b\x08\0"), PW_MAGIC_GZIP },
	{ "bzip2", C("BZh91AY&SY"), PW_MAGIC_BZIP2 },
	{ "xz", C("\xfd" "7zXZ\0\0"), PW_MAGIC_XZ },
	{ "zstd", C("\x28\xb5\x2f\xfd\x24"), PW_MAGIC_ZSTD },
	{ "cab", C("MSCF\0\0\0\0"), PW_MAGIC_CAB },
	{ "ace", C("\1\2\3\4\5\6\7**ACE**"), PW_MAGIC_ACE },
	{ "lzh", C("\1\2-lh5-"), PW_MAGIC_LZH },
	{ "vhd", C("conectix\0\0\0\2"), PW_MAGIC_VHD },
	{ "PDF", C("%PDF-1.7\n"), PW_MAGIC_PDF },
	{ "PDF behind rubbish", C("\r\nrubbish %PDF-1.4"), PW_MAGIC_PDF },
	{ "OLE2", C("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), PW_MAGIC_OLE },
	{ "RTF", C("{\\rtf1"), PW_MAGIC_RTF },
	{ "OneNote", C("\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3"), PW_MAGIC_ONENOTE },
	{ "PNG", C("\x89PNG\r\n\x1a\n"), PW_MAGIC_PNG },
	{ "JPEG", C("\xff\xd8\xff\xe0"), PW_MAGIC_JPEG },
	{ "GIF", C("GIF89a"), PW_MAGIC_GIF },
	{ "BMP", C("BM\1\2\3\4\0\0\0\0"), PW_MAGIC_BMP },
	{ "words with BM", C("BM lalala"), PW_MAGIC_NONE },
	{ "WebP", C("RIFF\1\2\3\4WEBPVP8 "), PW_MAGIC_WEBP },
	{ "WAV", C("RIFF\1\2\3\4WAVEfmt "), PW_MAGIC_RIFF },
	{ "MP4", C("\0\0\0\x20" "ftypisom"), PW_MAGIC_MP4 },
	{ "HTML", C("\xef\xbb\xbf \r\n<!DOCTYPE html>\n"), PW_MAGIC_HTML },
	{ "HTML without a doctype", C("<HTML lang=\"en\">"), PW_MAGIC_HTML },
	{ "no element of HTML", C("<html5> is"), PW_MAGIC_NONE },
	{ "XHTML", C("<?xml version=\"1.0\"?><html>"), PW_MAGIC_HTML },
	{ "SVG", C("<?xml version=\"1.0\"?>\n<svg "), PW_MAGIC_SVG },
	{ "XML", C("<?xml version=\"1.0\"?>\n<a/>"), PW_MAGIC_XML },
};
/* clang-format on */

static void check_row(void **state)
{
	const struct row *row = *state;

	assert_int_equal(pw_magic_find(row->content), row->magic);
	for (size_t len = 0; len < row->content.len; len++) /* cut anywhere: no harm */
		assert_true(pw_magic_find(pw_str_sub(row->content, 0, len)) < PW_MAGICS);
}

/* Those whose bytes stand far inside. */
static void inner_bytes(void **state)
{
	static char bytes[PW_MAGIC_BYTES];
	struct pw_str all = { bytes, sizeof(bytes) };

	(void)state;
	memcpy(bytes + 257, "ustar", 6);
	assert_int_equal(pw_magic_find(all), PW_MAGIC_TAR);
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes + 0x8001, "CD001", 5);
	assert_int_equal(pw_magic_find(all), PW_MAGIC_ISO);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(pw_magic_find(all), PW_MAGIC_NONE);
}

static void names_and_types_that_do_not_fit(void **state)
{
	static const struct {
		enum pw_magic magic;
		const char *extension, *type;
		bool belies_name, belies_type;
	} expect[] = {
		{ PW_MAGIC_PE, "exe", "application/octet-stream", false, false },
		{ PW_MAGIC_PE, "PDF", "application/pdf", true, true },
		{ PW_MAGIC_PE, "unheard", "application/x-unheard", true, true },
		{ PW_MAGIC_PE, "", "", false, false },
		{ PW_MAGIC_ZIP, "docx", "application/vnd.openxmlformats", false, false },
		{ PW_MAGIC_ZIP, "pdf", "image/png", true, true },
		{ PW_MAGIC_ZIP, "unheard", "application/x-unheard", false, false },
		{ PW_MAGIC_ZIP, "dat", "application/octet-stream", false, false },
		{ PW_MAGIC_PDF, "pdf", "application/pdf", false, false },
		{ PW_MAGIC_PDF, "jpg", "image/jpeg", true, true },
		{ PW_MAGIC_JPEG, "png", "image/png", true, false },
		{ PW_MAGIC_RTF, "doc", "application/msword", false, false },
		{ PW_MAGIC_HTML, "pdf", "application/pdf", true, true },
		{ PW_MAGIC_HTML, "xls", "application/vnd.ms-excel", false, false },
		{ PW_MAGIC_HTML, "txt", "text/plain", false, false },
		{ PW_MAGIC_SCRIPT, "sh", "text/x-sh", false, false },
		{ PW_MAGIC_SCRIPT, "png", "image/png", true, true },
		{ PW_MAGIC_NONE, "exe", "image/png", false, false },
	};

	(void)state;
	for (size_t i = 0; i < PW_LEN(expect); i++) {
		assert_int_equal(pw_magic_belies_name(expect[i].magic,
		                                      pw_str_from(expect[i].extension)),
		                 expect[i].belies_name);
		assert_int_equal(pw_magic_belies_type(expect[i].magic,
		                                      pw_str_from(expect[i].type)),
		                 expect[i].belies_type);
	}
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 2] = {
		cmocka_unit_test(inner_bytes),
		cmocka_unit_test(names_and_types_that_do_not_fit),
	};

	PW_TABLE_TESTS(tests, 2, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
