/* man-page TEMPLATE OUTPUT [USAGE]: a manual page from a hand-written one, whose lines
 *
 *     .\"@ settings PROGRAM    a list of a program's own settings; `common` for the
 * shared
 *     .\"@ counters PROGRAM    a list of its counters
 *     .\"@ commands            postwardctl's commands, from USAGE (man/usage.sh)
 *     .\"@ include FILE        what several pages have alike, beside TEMPLATE
 *
 * are replaced. It is run while building. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "io/file.h"
#include "man/sections.h"
#include "man/tables.h"
#include "man/usage.h"

#define PAGE_MODE 0644

struct job {
	const char *template, *output, *usage;
};

static enum pw_status put_file(struct pw_buf *out, const char *path)
{
	return pw_file_read(out, path, PW_FILE_READ_MAX);
}

static enum pw_status put_settings(struct pw_buf *out, const struct job *job,
                                   struct pw_str program)
{
	const struct man_program *p = man_program_find(program);

	(void)job;
	if (!p)
		return PW_ERR_NOTFOUND;
	sections_put_settings(out, &p->settings);
	return pw_buf_status(out);
}

static enum pw_status put_counters(struct pw_buf *out, const struct job *job,
                                   struct pw_str program)
{
	const struct man_program *p = man_program_find(program);

	(void)job;
	if (!p || p->counters.count == 0)
		return PW_ERR_NOTFOUND;
	sections_put_counters(out, &p->counters);
	return pw_buf_status(out);
}

static enum pw_status put_commands(struct pw_buf *out, const struct job *job,
                                   struct pw_str none)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r;

	(void)none;
	if (!job->usage)
		return PW_ERR_NOTFOUND;
	if ((r = put_file(&text, job->usage)) != PW_OK)
		return r;
	usage_put_commands(out, pw_buf_str(&text));
	return pw_buf_status(out);
}

static enum pw_status put_include(struct pw_buf *out, const struct job *job,
                                  struct pw_str name)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	struct pw_str template = pw_str_from(job->template);
	size_t slash = pw_str_rfind(template, '/');
	enum pw_status r;

	if (slash < template.len)
		pw_buf_puts(&path, pw_str_sub(template, 0, slash + 1));
	pw_buf_puts(&path, name);
	if ((r = pw_buf_status(&path)) != PW_OK)
		return r;
	return put_file(out, pw_buf_text(&path));
}

static const struct {
	const char *name;
	enum pw_status (*put)(struct pw_buf *out, const struct job *job,
	                      struct pw_str argument);
} directives[] = {
	{ "settings", put_settings },
	{ "counters", put_counters },
	{ "commands", put_commands },
	{ "include", put_include },
};

static enum pw_status put_directive(struct pw_buf *out, const struct job *job,
                                    struct pw_str argument)
{
	struct pw_str name = pw_str_cut(&argument, ' ');

	for (size_t i = 0; i < PW_LEN(directives); i++)
		if (pw_str_eq(name, pw_str_from(directives[i].name)))
			return directives[i].put(out, job, argument);
	return PW_ERR_NOTFOUND;
}

/* Make the page; *line_out is the last line of the template that was looked at. */
static enum pw_status make(struct pw_buf *out, const struct job *job, struct pw_str page,
                           unsigned int *line_out)
{
	static const struct pw_str mark = PW_STR(".\\\"@ ");
	enum pw_status r;

	for (*line_out = 1; page.len > 0; (*line_out)++) {
		struct pw_str line = pw_str_cut(&page, '\n');

		if (pw_str_starts(line, mark)) {
			r = put_directive(out, job, pw_str_sub(line, mark.len, line.len));
			if (r != PW_OK)
				return r;
			continue;
		}
		pw_buf_puts(out, line);
		pw_buf_putc(out, '\n');
	}
	return pw_buf_status(out);
}

static int fail(const char *path, unsigned int line, enum pw_status r)
{
	fprintf(stderr, "%s:%u: %s\n", path, line, pw_status_text(r));
	return EX_DATAERR;
}

int main(int argc, char **argv)
{
	PW_AUTO(pw_buf_done) struct pw_buf template = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf page = { 0 };
	struct job job;
	unsigned int line = 0;
	enum pw_status r;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: %s TEMPLATE OUTPUT [USAGE]\n", argv[0]);
		return EX_USAGE;
	}
	job = (struct job){ argv[1], argv[2], argc == 4 ? argv[3] : NULL };
	if ((r = put_file(&template, job.template)) != PW_OK ||
	    (r = make(&page, &job, pw_buf_str(&template), &line)) != PW_OK)
		return fail(job.template, line, r);
	if ((r = pw_file_replace(job.output, pw_buf_str(&page), PAGE_MODE)) != PW_OK)
		return fail(job.output, 0, r);
	return EX_OK;
}
