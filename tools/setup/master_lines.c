/* Lines of master.cf that are no smtpd of a port; and what both files read them with. */
#include "tools/setup/master.h"

#include "tools/postconf.h"

bool master_next(struct pw_str *rest, const char *const *names, size_t count,
                 struct pw_str fields[FIELDS])
{
	while (rest->len > 0) {
		struct pw_str line = pw_str_cut(rest, '\n'), port;
		size_t n = 0;

		while (n < FIELDS && postconf_next_item(&line, &fields[n]))
			n++;
		if (n < FIELDS || !pw_str_eq(fields[FIELD_TYPE], PW_STR("inet")))
			continue;
		port = fields[FIELD_NAME];
		if (pw_str_contains(port, PW_STR(":")))
			port = pw_str_sub(port, pw_str_rfind(port, ':') + 1, port.len);
		for (size_t i = 0; i < count && names[i] != NULL; i++)
			if (pw_str_eq(port, pw_str_from(names[i])))
				return true;
	}
	return false;
}

bool master_is_smtpd(const struct pw_str fields[FIELDS])
{
	return pw_str_eq(fields[FIELD_COMMAND], PW_STR("smtpd"));
}

struct pw_str master_address(struct pw_str name)
{
	size_t colon = pw_str_rfind(name, ':');

	return colon < name.len ? pw_str_sub(name, 0, colon) : PW_STR("");
}

bool master_is_loopback(struct pw_str address)
{
	return pw_str_starts(address, PW_STR("127.")) ||
	       pw_str_eq(address, PW_STR("localhost")) ||
	       pw_str_eq(address, PW_STR("[::1]"));
}

/* clang-format off */
/* Services that are no smtpd of a port: the whole line is ours. */
static const struct fixed {
	const char *name, *line;
	bool is_screen; /* comes with postscreen */
} fixed[] = {
	{ "postward/unix", "postward unix - - y - - lmtp -o syslog_name=postfix/postward"
	  " -o lmtp_send_xforward_command=yes -o lmtp_line_length_limit=0"
	  " -o lmtp_tls_security_level=none", false },
	{ "dnsblog/unix",  "dnsblog unix - - y - 0 dnsblog", true },
	{ "tlsproxy/unix", "tlsproxy unix - - y - 0 tlsproxy", true },
};
/* clang-format on */

/* The line of a service as postconf prints it, its columns parted by one blank; at is
 * NULL where there is none. */
static struct pw_str find_line(const struct master_work *w, const char *name)
{
	struct pw_str rest = pw_buf_str(&w->now->services);

	while (rest.len > 0) {
		struct pw_str line = pw_str_cut(&rest, '\n'), words = line, first, type;
		PW_AUTO(pw_buf_done) struct pw_buf found = { 0 };

		if (!postconf_next_item(&words, &first) ||
		    !postconf_next_item(&words, &type))
			continue;
		pw_buf_printf(&found, "%.*s/%.*s", PW_FMT(first), PW_FMT(type));
		if (pw_str_eq(pw_buf_str(&found), pw_str_from(name)))
			return line;
	}
	return (struct pw_str){ NULL, 0 };
}

static bool is_same_line(struct pw_str line, struct pw_str wanted)
{
	struct pw_str one, two;

	while (postconf_next_item(&wanted, &two))
		if (!postconf_next_item(&line, &one) || !pw_str_eq(one, two))
			return false;
	return !postconf_next_item(&line, &one);
}

static void plan_line(const struct master_work *w, const char *name, const char *line)
{
	struct pw_str before = find_line(w, name);

	if (before.at == NULL || !is_same_line(before, pw_str_from(line)))
		setup_plan_add(w->plan, &(struct setup_step){ .kind = SETUP_SERVICE,
		                                              .name = name,
		                                              .value = line });
}

/* What an smtpd behind postscreen was told while it stood in front. */
static struct pw_str arguments_of(struct pw_str line)
{
	struct pw_str item;

	for (size_t i = 0; i < FIELDS; i++)
		(void)postconf_next_item(&line, &item);
	return pw_str_trim(line);
}

/* postscreen in place of the one smtpd of port 25, and that one behind it. */
static void plan_screen(const struct master_work *w)
{
	static const char *const port[] = { "smtp", "25" };
	struct pw_str rest = pw_buf_str(&w->now->services), fields[FIELDS];
	struct pw_str arguments = PW_STR("");
	const char *name = "smtp";
	size_t count = 0;

	while (master_next(&rest, port, PW_LEN(port), fields)) {
		if (master_is_loopback(master_address(fields[FIELD_NAME])))
			continue;
		count++;
		name = setup_text(w->plan, "%.*s", PW_FMT(fields[FIELD_NAME]));
		if (master_is_smtpd(fields))
			arguments = arguments_of(
				find_line(w, setup_text(w->plan, "%s/inet", name)));
	}
	if (count > 1) {
		setup_note(w->plan, "port 25 is served by several lines of master.cf: "
		                    "postscreen was not put in front of them");
		return;
	}
	plan_line(w, setup_text(w->plan, "%s/inet", name),
	          setup_text(w->plan, "%s inet n - y - 1 postscreen", name));
	if (find_line(w, "smtpd/pass").at == NULL)
		plan_line(w, "smtpd/pass",
		          setup_text(w->plan, "smtpd pass - - y - - smtpd%s%.*s",
		                     arguments.len > 0 ? " " : "", PW_FMT(arguments)));
	for (size_t i = 0; i < PW_LEN(fixed); i++)
		if (fixed[i].is_screen)
			plan_line(w, fixed[i].name, fixed[i].line);
}

void master_plan_lines(const struct master_work *w)
{
	for (size_t i = 0; i < PW_LEN(fixed); i++)
		if (!fixed[i].is_screen)
			plan_line(w, fixed[i].name, fixed[i].line);
	if (setup_wish_screens(w->wish))
		plan_screen(w);
}
