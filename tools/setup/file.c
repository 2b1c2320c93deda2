#include "tools/setup/file.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "io/file.h"

#define FILE_MAX_BYTES ((size_t)4 * 1024 * 1024)

const char *setup_file_text(struct setup_plan *plan, const char *path)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r = pw_file_read(&text, path, FILE_MAX_BYTES);

	if (r == PW_ERR_NOTFOUND)
		return NULL;
	if (r != PW_OK && plan->status == PW_OK)
		plan->status = r;
	return setup_text_of(plan, &text);
}

/* A user or group that is not there yet is none of ours. */
static bool has_owner(const struct setup_step *file, const struct stat *now)
{
	const struct passwd *user = getpwnam(file->owner);
	const struct group *group = getgrnam(file->group);

	return user != NULL && group != NULL && user->pw_uid == now->st_uid &&
	       group->gr_gid == now->st_gid;
}

void setup_plan_file(struct setup_plan *plan, const struct setup_step *file)
{
	struct setup_step step = *file;
	struct stat now;

	step.kind = SETUP_FILE;
	step.before = setup_file_text(plan, step.name);
	if (step.value == NULL && step.before == NULL)
		return;
	if (step.value != NULL && step.before != NULL &&
	    strcmp(step.value, step.before) == 0 && stat(step.name, &now) == 0 &&
	    (now.st_mode & 07777) == step.mode && has_owner(&step, &now))
		return;
	setup_plan_add(plan, &step);
}

/* Does this line begin `name = value`? */
static bool begins(struct pw_str line, const char *name)
{
	struct pw_str before = pw_str_cut(&line, '=');

	return line.at != NULL && before.len > 0 && before.at[0] != ' ' &&
	       before.at[0] != '\t' &&
	       pw_str_eq(pw_str_trim_wsp(before), pw_str_from(name));
}

struct pw_str setup_conf_value(struct pw_str text, const char *name)
{
	while (text.len > 0) {
		struct pw_str line = pw_str_cut(&text, '\n');

		if (!begins(line, name))
			continue;
		(void)pw_str_cut(&line, '=');
		return pw_str_trim(line);
	}
	return (struct pw_str){ NULL, 0 };
}

void setup_conf_set(struct pw_buf *out, struct pw_str text, const char *name,
                    const char *value)
{
	bool is_ours = false, is_written = false;

	while (text.len > 0) {
		struct pw_str line = pw_str_cut(&text, '\n');
		bool goes_on = line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t');

		is_ours = goes_on ? is_ours : begins(line, name);
		if (!is_ours)
			pw_buf_printf(out, "%.*s\n", PW_FMT(line));
		else if (!is_written)
			pw_buf_printf(out, "%s = %s\n", name, value);
		is_written = is_written || is_ours;
	}
	if (!is_written)
		pw_buf_printf(out, "%s = %s\n", name, value);
}
