#include "tools/setup/backup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "io/file.h"

#define MANIFEST SETUP_STATE "/manifest"
#define COPIES SETUP_STATE "/files"
#define ENTRIES_MAX 100
#define FILE_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define SUM_MAX 65
#define NO_FILE "-"
#define AT_IT "*"

struct entry {
	const char *path;
	const char *copy; /* below files/; NULL = there was no file */
	char sum[SUM_MAX];
	bool is_gone; /* restored just now */
};

struct setup_backup {
	struct pw_arena *arena;
	struct entry at[ENTRIES_MAX];
	size_t count;
};

void setup_backup_free(struct setup_backup **backup)
{
	if (*backup == NULL)
		return;
	pw_arena_free(&(*backup)->arena);
	free(*backup);
	*backup = NULL;
}

size_t setup_backup_count(const struct setup_backup *backup)
{
	return backup->count;
}

static bool begins(const struct entry *entry, const char *prefix)
{
	return strncmp(entry->path, prefix, strlen(prefix)) == 0;
}

bool setup_backup_has(const struct setup_backup *backup, const char *prefix)
{
	for (size_t i = 0; i < backup->count; i++)
		if (begins(&backup->at[i], prefix))
			return true;
	return false;
}

bool setup_backup_is_unfinished(const struct setup_backup *backup, const char *prefix)
{
	for (size_t i = 0; i < backup->count; i++)
		if (strcmp(backup->at[i].sum, AT_IT) == 0 &&
		    begins(&backup->at[i], prefix))
			return true;
	return false;
}

/* SHA-256 of a file in hexadecimal; NO_FILE where there is none. */
static enum pw_status sum_of(char out[SUM_MAX], const char *path)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len;
	enum pw_status r = pw_file_read(&text, path, FILE_MAX_BYTES);

	if (r == PW_ERR_NOTFOUND) {
		(void)snprintf(out, SUM_MAX, NO_FILE);
		return PW_OK;
	}
	if (r != PW_OK)
		return r;
	if (EVP_Digest(text.at, text.len, digest, &len, EVP_sha256(), NULL) != 1)
		return PW_ERR_CRYPTO;
	for (unsigned int i = 0; i < len && i < (SUM_MAX - 1) / 2; i++)
		(void)snprintf(out + 2 * (size_t)i, 3, "%02x", digest[i]);
	return PW_OK;
}

static enum pw_status take_line(struct setup_backup *backup, struct pw_str line)
{
	struct pw_str path = pw_str_cut(&line, '\t'), state = pw_str_cut(&line, '\t');
	struct pw_str copy = pw_str_cut(&line, '\t'), kept;
	struct entry *entry = &backup->at[backup->count];
	enum pw_status r;

	if (backup->count == ENTRIES_MAX)
		return PW_ERR_LIMIT;
	if (path.len == 0 || path.at[0] != '/' || line.len == 0 || line.len >= SUM_MAX ||
	    (!pw_str_eq(state, PW_STR("file")) && !pw_str_eq(state, PW_STR("absent"))))
		return PW_ERR_SYNTAX;
	*entry = (struct entry){ 0 };
	(void)snprintf(entry->sum, sizeof(entry->sum), "%.*s", PW_FMT(line));
	if ((r = pw_arena_copy(backup->arena, path, &kept)) != PW_OK)
		return r;
	entry->path = kept.at;
	if (pw_str_eq(state, PW_STR("file"))) {
		if ((r = pw_arena_copy(backup->arena, copy, &kept)) != PW_OK)
			return r;
		entry->copy = kept.at;
	}
	backup->count++;
	return PW_OK;
}

enum pw_status setup_backup_open(struct setup_backup **out)
{
	PW_AUTO(setup_backup_free)
	struct setup_backup *backup = calloc(1, sizeof(*backup));
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_str lines;
	enum pw_status r;

	if (backup == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_arena_new(&backup->arena, 0)) != PW_OK)
		return r;
	r = pw_file_read(&text, MANIFEST, FILE_MAX_BYTES);
	if (r != PW_OK && r != PW_ERR_NOTFOUND)
		return r;
	lines = pw_buf_str(&text);
	while (lines.len > 0)
		if ((r = take_line(backup, pw_str_cut(&lines, '\n'))) != PW_OK)
			return r;
	*out = PW_TAKE(backup);
	return PW_OK;
}

static enum pw_status write_manifest(const struct setup_backup *backup)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r;

	for (size_t i = 0; i < backup->count; i++) {
		const struct entry *entry = &backup->at[i];

		pw_buf_printf(&text, "%s\t%s\t%s\t%s\n", entry->path,
		              entry->copy != NULL ? "file" : "absent",
		              entry->copy != NULL ? entry->copy : "-", entry->sum);
	}
	if ((r = pw_buf_status(&text)) != PW_OK)
		return r;
	if (backup->count > 0)
		return pw_file_replace(MANIFEST, pw_buf_str(&text), 0600);
	return unlink(MANIFEST) == 0 || errno == ENOENT ? PW_OK : PW_ERR_IO;
}

/* Content, mode and owner. */
static enum pw_status copy_file(const char *from, const char *to)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct stat now;
	enum pw_status r = pw_file_read(&text, from, FILE_MAX_BYTES);

	if (r != PW_OK)
		return r;
	if (stat(from, &now) != 0)
		return PW_ERR_IO;
	if ((r = pw_file_replace(to, pw_buf_str(&text), 0600)) != PW_OK)
		return r;
	if (chown(to, now.st_uid, now.st_gid) != 0 || chmod(to, now.st_mode & 07777) != 0)
		return PW_ERR_IO;
	return PW_OK;
}

static enum pw_status make_folders(void)
{
	static const char *const folders[] = { "/var/lib/postward", SETUP_STATE, COPIES };

	for (size_t i = 0; i < PW_LEN(folders); i++)
		if (mkdir(folders[i], i == 0 ? 0755 : 0700) != 0 && errno != EEXIST)
			return PW_ERR_IO;
	return PW_OK;
}

static struct entry *find(struct setup_backup *backup, const char *path)
{
	for (size_t i = 0; i < backup->count; i++)
		if (strcmp(backup->at[i].path, path) == 0)
			return &backup->at[i];
	return NULL;
}

static bool is_taken(const struct setup_backup *backup, const char *name)
{
	for (size_t i = 0; i < backup->count; i++)
		if (backup->at[i].copy != NULL && strcmp(backup->at[i].copy, name) == 0)
			return true;
	return false;
}

/* A name no other copy has: a number and the file's own name. */
static enum pw_status keep(struct setup_backup *backup, struct entry *entry)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 }, path = { 0 };
	size_t number = backup->count;
	struct pw_str kept;
	enum pw_status r;

	do {
		pw_buf_reset(&name);
		pw_buf_printf(&name, "%02zu-%s", ++number, strrchr(entry->path, '/') + 1);
	} while (is_taken(backup, pw_buf_text(&name)));
	pw_buf_printf(&path, COPIES "/%s", pw_buf_text(&name));
	if ((r = pw_buf_status(&path)) != PW_OK ||
	    (r = copy_file(entry->path, pw_buf_text(&path))) != PW_OK ||
	    (r = pw_arena_copy(backup->arena, pw_buf_str(&name), &kept)) != PW_OK)
		return r;
	entry->copy = kept.at;
	return PW_OK;
}

static enum pw_status add_entry(struct setup_backup *backup, const char *path)
{
	struct entry *entry = &backup->at[backup->count];
	struct pw_str kept;
	enum pw_status r;

	if (backup->count == ENTRIES_MAX)
		return PW_ERR_LIMIT;
	*entry = (struct entry){ 0 };
	if ((r = pw_arena_copy(backup->arena, pw_str_from(path), &kept)) != PW_OK)
		return r;
	entry->path = kept.at;
	if (access(path, F_OK) == 0 && (r = keep(backup, entry)) != PW_OK)
		return r;
	backup->count++;
	return PW_OK;
}

enum pw_status setup_backup_before(struct setup_backup *backup, const char *path)
{
	struct entry *entry = find(backup, path);
	enum pw_status r;

	if (entry != NULL && strcmp(entry->sum, AT_IT) == 0)
		return PW_OK;
	if ((r = make_folders()) != PW_OK)
		return r;
	if (entry == NULL && (r = add_entry(backup, path)) != PW_OK)
		return r;
	entry = find(backup, path);
	(void)snprintf(entry->sum, sizeof(entry->sum), AT_IT);
	return write_manifest(backup);
}

enum pw_status setup_backup_after(struct setup_backup *backup)
{
	enum pw_status r;

	for (size_t i = 0; i < backup->count; i++)
		if (strcmp(backup->at[i].sum, AT_IT) == 0 &&
		    (r = sum_of(backup->at[i].sum, backup->at[i].path)) != PW_OK)
			return r;
	return backup->count > 0 ? write_manifest(backup) : PW_OK;
}

/* Folders that setup makes go with the last file in them. */
static void remove_folder(const char *path)
{
	static const char *const folders[] = { "/etc/postward/postfix",
		                               "/etc/postward/tls",
		                               "/etc/dovecot/sieve" };

	for (size_t i = 0; i < PW_LEN(folders); i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0)
			(void)rmdir(folders[i]);
}

static enum pw_status restore(const struct entry *entry)
{
	PW_AUTO(pw_buf_done) struct pw_buf copy = { 0 };
	enum pw_status r;

	if (entry->copy == NULL) {
		if (unlink(entry->path) != 0 && errno != ENOENT)
			return PW_ERR_IO;
		remove_folder(entry->path);
		return PW_OK;
	}
	pw_buf_printf(&copy, COPIES "/%s", entry->copy);
	if ((r = pw_buf_status(&copy)) != PW_OK)
		return r;
	return copy_file(pw_buf_text(&copy), entry->path);
}

/* As setup left it, or as it was before. */
static bool is_known(const struct entry *entry, const char *sum)
{
	return strcmp(entry->sum, AT_IT) == 0 || strcmp(entry->sum, sum) == 0 ||
	       (entry->copy == NULL && strcmp(sum, NO_FILE) == 0);
}

static enum pw_status undo_one(const struct entry *entry, bool is_forced,
                               bool should_change, struct pw_buf *out, bool *is_done)
{
	char sum[SUM_MAX];
	enum pw_status r = sum_of(sum, entry->path);

	if (r != PW_OK)
		return r;
	*is_done = false;
	if (is_forced || is_known(entry, sum)) {
		pw_buf_printf(out, "%s %s\n", entry->copy != NULL ? "restore" : "remove",
		              entry->path);
		r = should_change ? restore(entry) : PW_OK;
		*is_done = r == PW_OK;
		return r;
	}
	pw_buf_printf(out, "left %s: changed since setup (--force restores it)\n",
	              entry->path);
	return PW_OK;
}

static void remove_copy(const struct entry *entry)
{
	PW_AUTO(pw_buf_done) struct pw_buf copy = { 0 };

	if (entry->copy == NULL)
		return;
	pw_buf_printf(&copy, COPIES "/%s", entry->copy);
	(void)unlink(pw_buf_text(&copy));
}

/* What is restored leaves the manifest, and then its copy goes. */
static enum pw_status forget_restored(struct setup_backup *backup)
{
	struct entry gone[ENTRIES_MAX];
	size_t kept = 0, restored = 0;
	enum pw_status r;

	for (size_t i = 0; i < backup->count; i++)
		if (backup->at[i].is_gone)
			gone[restored++] = backup->at[i];
		else
			backup->at[kept++] = backup->at[i];
	backup->count = kept;
	r = write_manifest(backup);
	for (size_t i = 0; i < restored && r == PW_OK; i++)
		remove_copy(&gone[i]);
	if (r == PW_OK && kept == 0) {
		(void)rmdir(COPIES);
		(void)rmdir(SETUP_STATE);
	}
	return r;
}

enum pw_status setup_backup_undo(struct setup_backup *backup, bool is_forced,
                                 bool should_change, struct pw_buf *out, size_t *left_out)
{
	enum pw_status r = PW_OK, saved = PW_OK;

	*left_out = 0;
	/* Postfix came last, so it leaves what the others bring first */
	for (size_t i = backup->count; i-- > 0 && r == PW_OK;) {
		r = undo_one(&backup->at[i], is_forced, should_change, out,
		             &backup->at[i].is_gone);
		*left_out += r == PW_OK && !backup->at[i].is_gone;
	}
	if (should_change)
		saved = forget_restored(backup);
	return r != PW_OK ? r : saved;
}
