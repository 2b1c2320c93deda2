#include "tools/setup/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINES_MAX 2000 /* of a file, that are compared line by line */

void setup_plan_add(struct setup_plan *plan, const struct setup_step *step)
{
	if (plan->count < SETUP_STEPS_MAX)
		plan->at[plan->count++] = *step;
	else if (plan->status == PW_OK)
		plan->status = PW_ERR_LIMIT;
}

const char *setup_text_of(struct setup_plan *plan, const struct pw_buf *text)
{
	struct pw_str copy = { "", 0 };
	enum pw_status r = pw_buf_status(text);

	if (r == PW_OK)
		r = pw_arena_copy(plan->arena, pw_buf_str(text), &copy);
	if (r != PW_OK && plan->status == PW_OK)
		plan->status = r;
	return r == PW_OK ? copy.at : "";
}

static const char *format_text(struct setup_plan *plan, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static const char *format_text(struct setup_plan *plan, const char *format, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len > 0) {
		char *room = pw_arena_alloc(plan->arena, (size_t)len + 1);

		if (room != NULL && vsnprintf(room, (size_t)len + 1, format, args) == len)
			return room;
		plan->status = PW_ERR_NOMEM;
	}
	return "";
}

const char *setup_text(struct setup_plan *plan, const char *format, ...)
{
	va_list args;
	const char *text;

	va_start(args, format);
	text = format_text(plan, format, args);
	va_end(args);
	return text;
}

void setup_note(struct setup_plan *plan, const char *format, ...)
{
	struct setup_step note = { .kind = SETUP_NOTE };
	va_list args;

	va_start(args, format);
	note.name = format_text(plan, format, args);
	va_end(args);
	setup_plan_add(plan, &note);
}

size_t setup_plan_changes(const struct setup_plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->count; i++)
		n += plan->at[i].kind != SETUP_NOTE;
	return n;
}

bool setup_plan_has(const struct setup_plan *plan, enum setup_kind kind)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->at[i].kind == kind)
			return true;
	return false;
}

bool setup_plan_resumes(const struct setup_plan *plan, const char *prefix)
{
	return plan->earlier != NULL && setup_backup_is_unfinished(plan->earlier, prefix);
}

bool setup_plan_has_file(const struct setup_plan *plan, const char *prefix)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->at[i].kind == SETUP_FILE &&
		    strncmp(plan->at[i].name, prefix, strlen(prefix)) == 0)
			return true;
	return setup_plan_resumes(plan, prefix);
}

static bool has_line(const char *text, struct pw_str line)
{
	struct pw_str rest = pw_str_from(text);

	while (rest.len > 0)
		if (pw_str_eq(pw_str_cut(&rest, '\n'), line))
			return true;
	return false;
}

/* Lines of text that other lacks, each behind a sign. */
static void print_difference(struct pw_buf *out, char sign, const char *text,
                             const char *other)
{
	struct pw_str rest = pw_str_from(text), line;

	for (size_t i = 0; rest.len > 0 && i < LINES_MAX; i++) {
		line = pw_str_cut(&rest, '\n');
		if (line.len > 0 && !has_line(other, line))
			pw_buf_printf(out, "    %c%.*s\n", sign, PW_FMT(line));
	}
}

static void print_file(struct pw_buf *out, const struct setup_step *step)
{
	if (step->value == NULL) {
		pw_buf_printf(out, "remove %s\n", step->name);
		return;
	}
	pw_buf_printf(out, "%s %s (%04o %s:%s)\n",
	              step->before == NULL ? "write" : "change", step->name, step->mode,
	              step->owner, step->group);
	if (step->is_secret)
		return;
	print_difference(out, '-', step->before, step->value);
	print_difference(out, '+', step->value, step->before);
}

/* As one word of a shell; no value of ours has a quote. */
static void print_assignment(struct pw_buf *out, const char *command,
                             const struct setup_step *step)
{
	pw_buf_printf(out, "postconf %s '%s = %s'\n", command, step->name, step->value);
	if (step->before != NULL && step->before[0] != '\0')
		pw_buf_printf(out, "    was: %s\n", step->before);
}

void setup_step_print(struct pw_buf *out, const struct setup_step *step)
{
	switch (step->kind) {
	case SETUP_FILE:
		print_file(out, step);
		break;
	case SETUP_MAIN:
		print_assignment(out, "-e", step);
		break;
	case SETUP_SERVICE:
		print_assignment(out, "-Me", step);
		break;
	case SETUP_OPTION:
		print_assignment(out, "-Pe", step);
		break;
	case SETUP_SERVICE_GONE:
		pw_buf_printf(out, "postconf -MX '%s'\n", step->name);
		break;
	case SETUP_CREATE:
		pw_buf_printf(out, "database: create %s\n", step->name);
		break;
	case SETUP_MIGRATE:
	case SETUP_SQL:
		pw_buf_printf(out, "database: %s\n", step->name);
		break;
	case SETUP_USER:
		pw_buf_printf(out, "database: add mailbox %s with a new password\n",
		              step->name);
		break;
	case SETUP_RUN:
		pw_buf_printf(out, "run %s\n", step->name);
		break;
	case SETUP_SERVE:
		pw_buf_printf(out, "%s %s\n", step->value, step->name);
		break;
	case SETUP_KEYS:
		pw_buf_printf(out, "postwardctl dkim new %s\n", step->name);
		break;
	case SETUP_NOTE:
		pw_buf_printf(out, "note: %s\n", step->name);
		break;
	}
}
