#include "../table.h"

#include <string.h>

#include "core/archive.h"
#include "core/buf.h"
#include "core/office.h"

#define FOLDER PW_SOURCE_DIR "/tests/vectors/archive/"

/* A listing as text: names in order, "*" behind encrypted ones, "/" behind folders that
 * do not say so themselves, then the flags. */
static void put_listing(struct pw_buf *out, const struct pw_archive *a)
{
	for (size_t i = 0; i < a->count; i++) {
		pw_buf_puts(out, a->entries[i].name);
		pw_buf_puts(out, a->entries[i].is_encrypted ? PW_STR("*") : PW_STR(""));
		pw_buf_puts(out, a->entries[i].is_folder ? PW_STR("|") : PW_STR(""));
		pw_buf_putc(out, ' ');
	}
	for (uint32_t flag = 1; flag <= PW_ARCHIVE_VOLUME; flag <<= 1)
		if ((a->flags & flag) != 0)
			pw_buf_printf(out, "<%s>",
			              pw_archive_flag_text((enum pw_archive_flag)flag));
}

static void expect_listing(struct pw_str content, enum pw_magic magic, const char *expect)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf got = { 0 };
	struct pw_archive archive;

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_archive_list(&archive, arena, magic, content), PW_OK);
	put_listing(&got, &archive);
	assert_string_equal(pw_buf_text(&got), expect);
}

static void read_file(struct pw_buf *out, const char *name)
{
	char path[512], chunk[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), FOLDER "%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		pw_buf_puts(out, (struct pw_str){ chunk, n });
	fclose(f);
}

/* What other programs made. */
struct file_row {
	const char *label;
	enum pw_magic magic;
	const char *expect;
};

#define SIZE_PDF                                                                         \
	"gr\xc3\xb6\xc3\x9f"                                                             \
	"e.pdf"
static struct file_row file_rows[] = {
	{ "plain.zip", PW_MAGIC_ZIP, "readme.txt setup.exe d/| d/" SIZE_PDF " " },
	{ "encrypted.zip", PW_MAGIC_ZIP,
	  "readme.txt* setup.exe* d/| d/" SIZE_PDF "* <encrypted>" },
	{ "nested.zip", PW_MAGIC_ZIP, "readme.txt plain.zip " },
	{ "stream.zip", PW_MAGIC_ZIP, "readme.txt setup.exe " },
	{ "plain.7z", PW_MAGIC_SEVENZIP, "d d/" SIZE_PDF " readme.txt setup.exe " },
	{ "packed.7z", PW_MAGIC_SEVENZIP, "<names-packed>" },
	{ "encrypted.7z", PW_MAGIC_SEVENZIP,
	  "d* d/" SIZE_PDF "* readme.txt* setup.exe* <encrypted>" },
	{ "hidden.7z", PW_MAGIC_SEVENZIP, "<encrypted><names-encrypted>" },
	{ "plain.tar", PW_MAGIC_TAR,
	  "./| ./readme.txt ./setup.exe ./d/| ./d/" SIZE_PDF " " },
	{ "gnu.tar", PW_MAGIC_TAR,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.exe " },
	{ "pax.tar", PW_MAGIC_TAR,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.exe d/| d/" SIZE_PDF " " },
	{ "named.gz", PW_MAGIC_GZIP, "readme.txt " },
};

static void check_file(void **state)
{
	const struct file_row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf content = { 0 };

	read_file(&content, row->label);
	assert_int_equal(pw_magic_find(pw_buf_str(&content)), row->magic);
	expect_listing(pw_buf_str(&content), row->magic, row->expect);
}

/* A program that unpacks itself: offsets count from where the archive begins. */
static void zip_behind_a_program(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf content = { 0 };

	(void)state;
	read_file(&content, "moved.zip");
	assert_int_equal(pw_magic_find(pw_buf_str(&content)), PW_MAGIC_PE);
	expect_listing(pw_buf_str(&content), PW_MAGIC_ZIP,
	               "readme.txt setup.exe d/| d/" SIZE_PDF " ");
}

/* Cut anywhere an archive shows what is there and never more (but that a zip in a zip
 * without its directory cannot be told from its surroundings). */
static void cut_anywhere(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	for (size_t i = 0; i < PW_LEN(file_rows); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf content = { 0 };
		struct pw_archive whole, cut;

		read_file(&content, file_rows[i].label);
		pw_arena_reset(arena);
		assert_int_equal(pw_archive_list(&whole, arena, file_rows[i].magic,
		                                 pw_buf_str(&content)),
		                 PW_OK);
		for (size_t len = 0; len < content.len; len += 7) {
			assert_int_equal(
				pw_archive_list(&cut, arena, file_rows[i].magic,
			                        pw_str_sub(pw_buf_str(&content), 0, len)),
				PW_OK);
			assert_true(cut.count <= whole.count ||
			            strcmp(file_rows[i].label, "nested.zip") == 0);
		}
	}
}

static void zip_without_its_directory(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf content = { 0 };

	(void)state;
	read_file(&content, "encrypted.zip");
	expect_listing(pw_str_sub(pw_buf_str(&content), 0, 250), PW_MAGIC_ZIP,
	               "readme.txt* setup.exe* d/| d/" SIZE_PDF "* <encrypted><broken>");
}

static void zip_that_says_two_names(void **state)
{
	PW_AUTO(pw_buf_done) struct pw_buf content = { 0 };
	char *name;

	(void)state;
	read_file(&content, "plain.zip");
	name = memmem(content.at, content.len, "setup.exe", 9);
	assert_non_null(name);
	memcpy(name, "setup.txt", 9); /* the local header */
	expect_listing(pw_buf_str(&content), PW_MAGIC_ZIP,
	               "readme.txt setup.exe d/| d/" SIZE_PDF " <two-names>");
}

/* Offsets and sizes as a stranger sets them. */
static void zip_with_hostile_numbers(void **state)
{
	static const size_t places[] = { 8, 10, 12, 16, 20 }; /* in the end record */
	PW_AUTO(pw_buf_done) struct pw_buf content = { 0 };
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_archive archive;

	(void)state;
	read_file(&content, "plain.zip");
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	for (size_t i = 0; i < PW_LEN(places); i++) {
		char *at = content.at + content.len - 22 + places[i], kept[2];

		memcpy(kept, at, 2);
		memset(at, 0xff, 2);
		assert_int_equal(pw_archive_list(&archive, arena, PW_MAGIC_ZIP,
		                                 pw_buf_str(&content)),
		                 PW_OK);
		assert_int_equal(archive.count,
		                 4); /* the local headers, if nothing else */
		memcpy(at, kept, 2);
	}
}

#define C(text)                                                                          \
	{                                                                                \
		text, sizeof(text) - 1                                                   \
	}
/* clang-format off */
#define RAR4 "Rar!\x1a\7\0" "\xcf\x90\x73\0\0\x0d\0\0\0\0\0\0\0"
#define RAR4_FILE(flags, name_len, name)                                                             \
	"\1\2\x74" flags "\x80" name_len "\5\0\0\0" "\7\0\0\0" "\3\1\1\1\1\1\1\1\1\x1d\x33"          \
	"\5\0" "\x20\0\0\0" name "hello"
#define RAR5 "Rar!\x1a\7\1\0" "\1\1\1\1\3\1\0\0"
static struct bytes_row {
	const char *label;
	enum pw_magic magic;
	struct pw_str content;
	const char *expect;
} bytes_rows[] = {
	{ "rar 4", PW_MAGIC_RAR, C(RAR4 RAR4_FILE("\0", "\x25\0", "a.exe") "\xc4\x3d\x7b\0\x40\7\0"), "a.exe " },
	{ "rar 4 with a password", PW_MAGIC_RAR, C(RAR4 RAR4_FILE("\4", "\x25\0", "a.exe")), "a.exe* <encrypted>" },
	{ "rar 4, a folder", PW_MAGIC_RAR, C(RAR4 RAR4_FILE("\xe0", "\x25\0", "a.dir")), "a.dir| " },
	{ "rar 4, names encrypted", PW_MAGIC_RAR, C("Rar!\x1a\7\0" "\xcf\x90\x73\x80\0\x0d\0\0\0\0\0\0\0\1\2\3"),
	  "<encrypted><names-encrypted>" },
	{ "rar 4, a volume", PW_MAGIC_RAR, C("Rar!\x1a\7\0" "\xcf\x90\x73\1\0\x0d\0\0\0\0\0\0\0"), "<volume>" },
	{ "rar 4, a block without length", PW_MAGIC_RAR, C("Rar!\x1a\7\0" "\1\2\x73\0\0\0\0"), "<broken>" },
	{ "rar 4, a name beyond its block", PW_MAGIC_RAR, C(RAR4 RAR4_FILE("\0", "\x24\0", "a.exe")), "<broken>" },
	{ "rar 5", PW_MAGIC_RAR, C(RAR5 "\1\1\1\1\x0e\2\2\5\0\7\0\1\0\5a.exe" "hello" "\1\1\1\1\3\5\0\0"), "a.exe " },
	{ "rar 5 with a password", PW_MAGIC_RAR, C(RAR5 "\1\1\1\1\x12\2\3\3\5\0\7\0\1\0\5a.exe\2\1\0" "hello" "\1\1\1\1\3\5\0\0"),
	  "a.exe* <encrypted>" },
	{ "rar 5, names encrypted", PW_MAGIC_RAR, C("Rar!\x1a\7\1\0" "\1\1\1\1\4\4\0\0\0"), "<encrypted><names-encrypted>" },
	{ "rar 5, a header without end", PW_MAGIC_RAR, C("Rar!\x1a\7\1\0" "\1\1\1\1\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "<broken>" },
	{ "cab", PW_MAGIC_CAB,
	  C("MSCF\0\0\0\0" "\x50\0\0\0\0\0\0\0" "\x24\0\0\0\0\0\0\0\3\1" "\1\0\2\0" "\0\0\0\0\0\0"
	    "\7\0\0\0\0\0\0\0\0\0\1\1\1\1\0\0" "a.exe\0" "\7\0\0\0\0\0\0\0\0\0\1\1\1\1\0\0" "b.txt\0"), "a.exe b.txt " },
	{ "cab, files beyond its end", PW_MAGIC_CAB, C("MSCF\0\0\0\0" "\x50\0\0\0\0\0\0\0" "\xff\xff\xff\xff\0\0\0\0\3\1\1\0\2\0\0\0\0\0"),
	  "<broken>" },
	{ "gzip without a name", PW_MAGIC_GZIP, C("\x1f\x8b\x08\0\0\0\0\0\0\3\1\2"), "" },
	{ "gzip, a name without end", PW_MAGIC_GZIP, C("\x1f\x8b\x08\x08\0\0\0\0\0\3name"), "<broken>" },
	{ "gzip, a name behind an extra field", PW_MAGIC_GZIP, C("\x1f\x8b\x08\x0c\0\0\0\0\0\3\2\0xxa.tar\0"), "a.tar " },
	{ "7z, a header beyond its end", PW_MAGIC_SEVENZIP,
	  C("7z\xbc\xaf\x27\x1c\0\4\1\1\1\1\xff\xff\xff\xff\xff\xff\xff\x7f\1\0\0\0\0\0\0\0\1\1\1\1"), "<broken>" },
	{ "7z without entries", PW_MAGIC_SEVENZIP,
	  C("7z\xbc\xaf\x27\x1c\0\4\1\1\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "" },
	{ "zip without anything", PW_MAGIC_ZIP, C("PK\3\4"), "<broken>" },
	{ "zip without entries", PW_MAGIC_ZIP, C("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "" },
	{ "what is no archive", PW_MAGIC_PDF, C("%PDF-"), "" },
};
/* clang-format on */

static void check_bytes(void **state)
{
	const struct bytes_row *row = *state;

	expect_listing(row->content, row->magic, row->expect);
}

/* Bad input 5: entries without end are counted, not kept; the work is in proportion. */
static void entries_without_end(void **state)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf zip = { 0 };
	struct pw_archive archive;

	(void)state;
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	for (int i = 0; i < 100000; i++) {
		pw_buf_puts(&zip,
		            (struct pw_str){ "PK\3\4\24\0\0\0\0\0\0\0\0\0\1\1\1\1"
		                             "\xff\xff\xff\xff\xff\xff\xff\xff\5\0\0\0",
		                             30 });
		pw_buf_puts(&zip, PW_STR("a.txt"));
	}
	assert_int_equal(pw_archive_list(&archive, arena, PW_MAGIC_ZIP, pw_buf_str(&zip)),
	                 PW_OK);
	assert_int_equal(archive.count, PW_ARCHIVE_ENTRIES_MAX);
	assert_true((archive.flags & PW_ARCHIVE_MORE) != 0);
	assert_true(archive.steps <= zip.len * 2);
	assert_true(pw_arena_used(arena) < 200000);
}

/* Bad input 32: of a name of 10 KB its end is kept. */
static void names_without_end(void **state)
{
	static char tar[4 * 512 + 10240];
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_archive archive;

	(void)state;
	memset(tar, 0, sizeof(tar));
	memcpy(tar, "././@LongLink", 14);
	memcpy(tar + 124, "00000024000", 12); /* 10240 */
	memcpy(tar + 156, "L", 1);
	memset(tar + 512, 'a', 10236);
	memcpy(tar + 512 + 10235, ".exe", 5);
	memcpy(tar + 512 + 10240, "aaa", 4);
	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	assert_int_equal(pw_archive_list(&archive, arena, PW_MAGIC_TAR,
	                                 (struct pw_str){ tar, sizeof(tar) }),
	                 PW_OK);
	assert_int_equal(archive.count, 1);
	assert_int_equal(archive.entries[0].name.len, PW_ARCHIVE_NAME_MAX);
	assert_true(pw_str_ends_nocase(archive.entries[0].name, PW_STR("a.exe")));
}

/* A directory entry of a compound file. */
static void put_stream(char *at, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		at[2 * i] = name[i];
	at[64] = (char)(2 * (len + 1));
	at[66] = 2;
}

static void macros_of_compound_files(void **state)
{
	static char ole[4096];
	struct pw_str all = { ole, sizeof(ole) };

	(void)state;
	memset(ole, 0, sizeof(ole));
	memcpy(ole, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8);
	put_stream(ole + 1024, "WordDocument");
	memcpy(ole + 3000, "Document_Open", 13);
	assert_int_equal(pw_office_scan_ole(all), 0); /* a word of the text */
	put_stream(ole + 1024 + 128, "_VBA_PROJECT");
	assert_int_equal(pw_office_scan_ole(all), PW_OFFICE_MACRO | PW_OFFICE_AUTO);
	memcpy(ole + 3000, "Document\0_Open", 14); /* as compression leaves it */
	assert_int_equal(pw_office_scan_ole(all), PW_OFFICE_MACRO | PW_OFFICE_AUTO);
	memset(ole + 3000, 0, 20);
	assert_int_equal(pw_office_scan_ole(all), PW_OFFICE_MACRO);
	put_stream(ole + 1024 + 256, "EncryptedPackage");
	assert_int_equal(pw_office_scan_ole(all), PW_OFFICE_MACRO | PW_OFFICE_ENCRYPTED);
	for (size_t len = 0; len < sizeof(ole); len++)
		assert_true(pw_office_scan_ole(pw_str_sub(all, 0, len)) <= 7);
}

static void macros_of_packed_documents(void **state)
{
	struct pw_archive_entry entries[] = {
		{ .name = PW_STR("[Content_Types].xml") },
		{ .name = PW_STR("word/document.xml") },
		{ .name = PW_STR("word/vbaProject.bin") },
	};
	struct pw_archive archive = { .entries = entries, .count = 2 };

	(void)state;
	assert_int_equal(pw_office_scan_names(&archive), 0);
	assert_true(pw_office_is_document(&archive));
	archive.count = 3;
	assert_int_equal(pw_office_scan_names(&archive), PW_OFFICE_MACRO);
	entries[0].name = PW_STR("other.xml"); /* somebody's backup */
	assert_int_equal(pw_office_scan_names(&archive), 0);
	assert_false(pw_office_is_document(&archive));
}

#define SINGLE 9

int main(void)
{
	struct CMUnitTest tests[SINGLE + PW_LEN(file_rows) + PW_LEN(bytes_rows)] = {
		cmocka_unit_test(zip_behind_a_program),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(zip_without_its_directory),
		cmocka_unit_test(zip_that_says_two_names),
		cmocka_unit_test(zip_with_hostile_numbers),
		cmocka_unit_test(entries_without_end),
		cmocka_unit_test(names_without_end),
		cmocka_unit_test(macros_of_compound_files),
		cmocka_unit_test(macros_of_packed_documents),
	};

	PW_TABLE_TESTS(tests, SINGLE, file_rows, check_file);
	PW_TABLE_TESTS(tests, SINGLE + PW_LEN(file_rows), bytes_rows, check_bytes);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
