#include "tools/settings_file.h"

#include <string.h>

#include "core/conf.h"
#include "io/file.h"

#define FOLDER "/etc/postward/"
#define FILE_BYTES_MAX ((size_t)1024 * 1024)

/* Returns whether the name is there. What cannot be read says nothing: the program it is
 * for complains of it. */
static bool find(struct pw_buf *out, const char *path, const char *name)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_conf_pair pair, found = { 0 };
	struct pw_conf conf;

	if (pw_file_read(&text, path, FILE_BYTES_MAX) != PW_OK ||
	    pw_arena_new(&arena, 0) != PW_OK)
		return false;
	pw_conf_init(&conf, pw_buf_str(&text));
	while (pw_conf_next(&conf, arena, &pair) == PW_OK)
		if (pw_str_eq(pair.name, pw_str_from(name)))
			found = pair;
	pw_buf_puts(out, found.value);
	return found.name.len > 0;
}

void settings_file_value_of(struct pw_buf *out, const char *path, const char *name,
                            const char *fallback)
{
	if (!find(out, path, name))
		pw_buf_puts(out, pw_str_from(fallback));
}

void settings_file_value(struct pw_buf *out, const char *program, const char *name,
                         const char *fallback)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };

	pw_buf_printf(&path, FOLDER "%s.conf", program);
	if (!find(out, pw_buf_text(&path), name))
		settings_file_value_of(out, FOLDER "postward.conf", name, fallback);
}

void settings_file_state(struct pw_buf *out, const char *program)
{
	static const char macro[] = "$program";
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	const char *at;

	settings_file_value(&value, program, "state_directory", "/var/lib/$program");
	at = strstr(pw_buf_text(&value), macro);
	if (at == NULL)
		pw_buf_puts(out, pw_buf_str(&value));
	else
		pw_buf_printf(out, "%.*s%s%s", (int)(at - pw_buf_text(&value)),
		              pw_buf_text(&value), program, at + sizeof(macro) - 1);
}
