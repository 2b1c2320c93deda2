#include "tools/setup/undo.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "io/clock.h"
#include "tools/command.h"
#include "tools/json.h"
#include "tools/postfix.h"
#include "tools/queue.h"
#include "tools/setup/service.h"
#include "tools/setup/wish.h"

/* What a host was set up as; read before its answers go with the other files. */
struct past {
	bool was_edge, had_cluster;
};

static int fail(int code, const char *text)
{
	(void)fprintf(stderr, "postwardctl setup: %s\n", text);
	return code;
}

static struct past read_past(const struct setup_backup *backup, struct pw_arena *arena)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct setup_wish wish = { 0 };
	struct past past = { .had_cluster =
		                     setup_backup_has(backup, "/etc/postgresql/") };

	if (setup_wish_remember(&wish, arena, &why) == PW_OK && wish.role_name != NULL)
		past.was_edge = strcmp(wish.role_name, "edge") == 0;
	return past;
}

static int serve(struct past past)
{
	static const char *const disable[] = { "systemctl",
		                               "disable",
		                               "--now",
		                               "postward-origin.socket",
		                               "postward-origin.service",
		                               NULL };
	bool is_fine = setup_serve("postfix", "restart");

	if (past.had_cluster)
		is_fine = setup_serve("postgresql", "restart") && is_fine;
	if (!past.was_edge)
		is_fine = setup_serve("dovecot", "restart") && is_fine;
	else if (setup_has_systemd())
		is_fine = setup_run(disable) && is_fine;
	return is_fine ? EXIT_FINE : EX_CONFIG;
}

/* In the queues that postsuper -h goes through. */
static int64_t count_queue(void)
{
	PW_AUTO(pw_buf_done) struct pw_buf folder = { 0 };
	struct queue_count queues[QUEUES];
	int64_t count = 0;

	if (tool_postfix_value(&folder, "queue_directory") != PW_OK ||
	    queue_read(queues, pw_buf_text(&folder), pw_clock_wall_ms() / 1000) != PW_OK)
		return 0;
	for (size_t i = 0; i < QUEUES; i++)
		if (strcmp(queues[i].name, "hold") != 0 &&
		    strcmp(queues[i].name, "maildrop") != 0)
			count += queues[i].messages;
	return count;
}

/* The Postfix of before may know nothing of what waits for us, and would send it back. */
static bool hold_queue(struct pw_buf *lines)
{
	static const char *const hold[] = { "postsuper", "-h", "ALL", NULL };
	int64_t count = count_queue();

	if (count == 0)
		return true;
	if (!setup_run(hold))
		return false;
	pw_buf_printf(lines,
	              "on hold: %lld message(s) of the queue, lest the Postfix of before "
	              "return them. To let them go: postsuper -H ALL\n",
	              (long long)count);
	return true;
}

static void report(const struct pw_buf *lines, size_t left, bool is_json, int code)
{
	PW_AUTO(tool_json_put) struct json_object *json = NULL;
	struct json_object *list;
	struct pw_str rest = pw_buf_str(lines);

	if (!is_json) {
		(void)fputs(pw_buf_text(lines), stdout);
		if (left > 0)
			puts("what stays may name files that are gone: put it right, or "
			     "use "
			     "--force");
		puts("the database and the mail stay as they are");
		return;
	}
	json = json_object_new_object();
	list = json_object_new_array();
	json_object_object_add(json, "ok", json_object_new_boolean(code == EXIT_FINE));
	json_object_object_add(json, "left", json_object_new_int64((int64_t)left));
	json_object_object_add(json, "steps", list);
	while (rest.len > 0)
		json_object_array_add(list, tool_json_string(pw_str_cut(&rest, '\n')));
	tool_json_print(json);
}

int setup_undo(struct setup_backup *backup, struct pw_arena *arena, bool is_forced,
               bool is_dry, bool is_json)
{
	PW_AUTO(pw_buf_done) struct pw_buf lines = { 0 };
	struct past past;
	size_t left = 0;
	enum pw_status r;
	int code = EXIT_FINE;

	past = read_past(backup, arena);
	if (setup_backup_count(backup) == 0)
		pw_buf_puts(&lines,
		            PW_STR("nothing to undo: setup has changed no file here\n"));
	else if (!is_dry && !hold_queue(&lines))
		return fail(EX_TEMPFAIL, "the queue could not be put on hold");
	r = setup_backup_undo(backup, is_forced, !is_dry, &lines, &left);
	if (r != PW_OK)
		code = fail(EX_IOERR, pw_status_text(r));
	else if (!is_dry && pw_str_contains(pw_buf_str(&lines), PW_STR(" /")))
		code = serve(past);
	if (code == EXIT_FINE && left > 0)
		code = EXIT_PROBLEMS;
	report(&lines, left, is_json, code);
	return code;
}
