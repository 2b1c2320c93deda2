#include "tools/check/services.h"

#include <signal.h>
#include <unistd.h>

#include "io/child.h"
#include "io/clock.h"
#include "io/file.h"

#define RESTARTS_MANY 5

struct unit {
	struct pw_str id, load, active, sub, file, restarts;
};

static void read_pair(struct unit *unit, struct pw_str line)
{
	const struct {
		const char *name;
		struct pw_str *value;
	} fields[] = {
		{ "Id", &unit->id },
		{ "LoadState", &unit->load },
		{ "ActiveState", &unit->active },
		{ "SubState", &unit->sub },
		{ "UnitFileState", &unit->file },
		{ "NRestarts", &unit->restarts },
	};
	struct pw_str name = pw_str_cut(&line, '=');

	for (size_t i = 0; i < PW_LEN(fields); i++)
		if (pw_str_eq(name, pw_str_from(fields[i].name)))
			*fields[i].value = line;
}

static void judge_unit(struct check_report *report, const struct unit *unit)
{
	bool is_active = pw_str_eq(unit->active, PW_STR("active"));
	int64_t restarts = 0;

	if (pw_str_eq(unit->load, PW_STR("not-found"))) {
		check_error(report, "%.*s is not installed", PW_FMT(unit->id));
		check_cure(report, "apt install %.*s",
		           PW_FMT(pw_str_sub(unit->id, 0, pw_str_rfind(unit->id, '.'))));
		return;
	}
	if (!is_active) {
		check_error(report, "%.*s does not run: %.*s (%.*s)", PW_FMT(unit->id),
		            PW_FMT(unit->active), PW_FMT(unit->sub));
		check_cure(report, "systemctl restart %.*s; journalctl -u %.*s -n 20",
		           PW_FMT(unit->id), PW_FMT(unit->id));
	} else if (pw_str_to_int64(unit->restarts, 0, INT64_MAX, &restarts) == PW_OK &&
	           restarts >= RESTARTS_MANY) {
		check_warning(report,
		              "%.*s has been restarted %lld times after it failed",
		              PW_FMT(unit->id), (long long)restarts);
		check_cure(report, "journalctl -u %.*s -p warning", PW_FMT(unit->id));
	}
	if (pw_str_eq(unit->file, PW_STR("disabled"))) {
		check_warning(report, "%.*s is not started at boot", PW_FMT(unit->id));
		check_cure(report, "systemctl enable %.*s", PW_FMT(unit->id));
	}
}

void judge_units(struct check_report *report, struct pw_str text)
{
	struct unit unit = { 0 };

	while (text.len > 0) {
		struct pw_str line = pw_str_trim(pw_str_cut(&text, '\n'));

		if (line.len > 0)
			read_pair(&unit, line);
		if ((line.len == 0 || text.len == 0) && unit.id.len > 0) {
			judge_unit(report, &unit);
			unit = (struct unit){ 0 };
		}
	}
}

static int64_t left_ms(const struct check_context *context)
{
	return context->deadline_ms - pw_clock_mono_ms();
}

/* Without systemd the sockets tell who runs. */
static void look_at_units(struct check_report *report,
                          const struct check_context *context)
{
	static const char what[] =
		"-pId,LoadState,ActiveState,SubState,UnitFileState,NRestarts";
	static const char *const edge[] = { "systemctl", "show", what,
		                            "postward-origin.service", NULL };
	static const char *const inner[] = { "systemctl",
		                             "show",
		                             what,
		                             "postward-score.service",
		                             "postward-dkim.service",
		                             "postward-policyd.service",
		                             "dovecot.service",
		                             NULL };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 }, err = { 0 };
	int code = 0;
	enum pw_status r;

	r = pw_child_run(context->role == CHECK_EDGE ? edge : inner, (struct pw_str){ 0 },
	                 &out, &err, left_ms(context), &code);
	if (r != PW_OK || code != 0)
		check_blind(report, "systemctl: %s",
		            r != PW_OK ? pw_status_text(r) : pw_buf_text(&err));
	else
		judge_units(report, pw_buf_str(&out));
}

/* postfix(1) says by its exit code whether the master runs. */
static void look_at_postfix(struct check_report *report,
                            const struct check_context *context)
{
	static const char *const argv[] = { "postfix", "status", NULL };
	PW_AUTO(pw_buf_done) struct pw_buf err = { 0 };
	int code = 0;
	enum pw_status r;

	if (geteuid() != 0) {
		check_blind(report, "only root may ask whether Postfix runs");
		check_cure(report, "sudo postwardctl check");
		return;
	}
	r = pw_child_run(argv, (struct pw_str){ 0 }, NULL, &err, left_ms(context), &code);
	if (r != PW_OK) {
		check_blind(report, "postfix: %s", pw_status_text(r));
	} else if (code != 0) {
		check_error(report, "Postfix does not run");
		check_cure(report, "systemctl restart postfix; postfix check");
	}
}

void check_services(struct check_report *report, const struct check_context *context)
{
	look_at_postfix(report, context);
	if (access("/run/systemd/system", F_OK) == 0)
		look_at_units(report, context);
}
