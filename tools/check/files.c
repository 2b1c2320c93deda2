#include "tools/check/files.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "io/clock.h"
#include "io/file.h"
#include "tools/settings_file.h"

#define FILE_BYTES_MAX ((size_t)1024 * 1024)
#define FILE_AGE_MAX_S 180 /* programs write every minute, or more often */
#define SNAPSHOT_OLD_S 300
#define SNAPSHOT_TOO_OLD_S 3600
#define SPACE_ERROR_PERCENT 3
#define SPACE_WARNING_PERCENT 10
#define SPACE_BYTES_PLENTY ((int64_t)50 * 1024 * 1024 * 1024)
#define QUEUE_MANY 1000
#define QUEUE_STUCK_S 900 /* maildrop and incoming are empty within seconds */

#define FILTER "/etc/fail2ban/filter.d/postfix.conf"
#define FILTER_LOCAL "/etc/fail2ban/filter.d/postfix.local"
#define UNIT "/lib/systemd/system/postfix.service"

/* ---- fail2ban ---- */

/* The last journalmatch; empty without one. */
static struct pw_str journal_match(struct pw_str text)
{
	struct pw_str found = { 0 };

	while (text.len > 0) {
		struct pw_str line = pw_str_cut(&text, '\n');

		if (pw_str_eq(pw_str_trim(pw_str_cut(&line, '=')),
		              PW_STR("journalmatch")))
			found = pw_str_trim(line);
	}
	return found;
}

void judge_filter(struct check_report *report, struct pw_str filter, struct pw_str local,
                  struct pw_str unit)
{
	struct pw_str match = journal_match(local);

	if (match.len == 0)
		match = journal_match(filter);
	if (!pw_str_contains(unit, PW_STR("ExecStart=/bin/true")) ||
	    !pw_str_contains(match, PW_STR("postfix.service")) ||
	    pw_str_contains(match, PW_STR("postfix@-.service")))
		return;
	check_warning(report,
	              "fail2ban's filter postfix looks for lines of postfix.service, "
	              "and Postfix writes them as postfix@-.service: it never bans");
	check_cure(report,
	           "printf '[Init]\\njournalmatch = _SYSTEMD_UNIT=postfix@-.service\\n' "
	           ">>" FILTER_LOCAL " && systemctl reload fail2ban");
}

void check_fail2ban(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf filter = { 0 }, local = { 0 }, unit = { 0 };

	(void)context;
	if (pw_file_read(&filter, FILTER, FILE_BYTES_MAX) != PW_OK) {
		check_skip(report, "fail2ban is not installed");
		return;
	}
	if (pw_file_read(&local, FILTER_LOCAL, FILE_BYTES_MAX) != PW_OK)
		pw_buf_reset(&local);
	if (pw_file_read(&unit, UNIT, FILE_BYTES_MAX) != PW_OK)
		pw_buf_reset(&unit);
	judge_filter(report, pw_buf_str(&filter), pw_buf_str(&local), pw_buf_str(&unit));
}

/* ---- snapshots ---- */

/* The value of a line "NAME value"; false without one. */
static bool find_number(struct pw_str text, const char *program, const char *name,
                        int64_t *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf key = { 0 };

	for (const char *p = program; *p != '\0'; p++)
		pw_buf_putc(&key, *p == '-' ? '_' : *p);
	pw_buf_printf(&key, "_%s", name);
	while (text.len > 0) {
		struct pw_str line = pw_str_cut(&text, '\n');

		if (pw_str_eq(pw_str_cut(&line, ' '), pw_buf_str(&key)))
			return pw_str_to_int64(line, INT64_MIN, INT64_MAX, out) == PW_OK;
	}
	return false;
}

void judge_snapshot(struct check_report *report, const char *program,
                    struct pw_str metrics, int64_t file_age_s)
{
	int64_t age_s = 0;

	if (file_age_s > FILE_AGE_MAX_S) {
		check_warning(report, "%s wrote its numbers last %" PRId64 " s ago",
		              program, file_age_s);
		check_cure(report, "systemctl restart %s; journalctl -u %s -n 20",
		           program, program);
		return;
	}
	if (find_number(metrics, program, "snapshot_age_milliseconds", &age_s))
		age_s = age_s < 0 ? age_s : age_s / 1000;
	else if (!find_number(metrics, program, "snapshot_age_seconds", &age_s))
		return;
	if (age_s >= 0 && age_s < SNAPSHOT_OLD_S)
		return;
	(age_s < 0 || age_s >= SNAPSHOT_TOO_OLD_S ? check_error : check_warning)(
		report,
		age_s < 0 ? "%s has never heard from the database"
			  : "%s goes by data that the database confirmed %" PRId64
			    " s ago",
		program, age_s);
	check_cure(report, "postwardctl check --only database; journalctl -u %s -n 20",
	           program);
}

/* Programs write their numbers once a minute: these may be of before this was made. */
static bool is_fresh(const char *path)
{
	struct stat state;

	return stat(path, &state) == 0 &&
	       pw_clock_wall_ms() / 1000 - (int64_t)state.st_mtime < FILE_AGE_MAX_S;
}

static void look_at_snapshot(struct check_report *report, const char *program)
{
	PW_AUTO(pw_buf_done) struct pw_buf folder = { 0 }, path = { 0 }, text = { 0 };
	struct stat file;
	enum pw_status r;

	settings_file_state(&folder, program);
	pw_buf_printf(&path, "%s/metrics.prom", pw_buf_text(&folder));
	r = pw_file_read(&text, pw_buf_text(&path), FILE_BYTES_MAX);
	if (r == PW_OK && stat(pw_buf_text(&path), &file) == 0) {
		judge_snapshot(report, program, pw_buf_str(&text),
		               pw_clock_wall_ms() / 1000 - (int64_t)file.st_mtime);
	} else if (r == PW_ERR_DENIED) {
		check_blind(report, "%s: %s", pw_buf_text(&path), pw_status_text(r));
		check_cure(report, "sudo postwardctl check");
	} else if (!is_fresh(pw_buf_text(&folder))) {
		check_warning(report, "%s has never written its numbers: %s: %s", program,
		              pw_buf_text(&path), pw_status_text(r));
		check_cure(report, "systemctl restart %s; journalctl -u %s -n 20",
		           program, program);
	}
}

void check_snapshots(struct check_report *report, const struct check_context *context)
{
	static const struct {
		const char *program;
		unsigned int roles;
	} programs[] = {
		{ "postward-origin", CHECK_EDGE },
		{ "postward-score", CHECK_MAILBOXES },
		{ "postward-dkim", CHECK_MAILBOXES },
		{ "postward-policyd", CHECK_MAILBOXES },
	};

	if (is_fresh(SETUP_CONF)) {
		check_skip(report, "postwardctl setup has just been run");
		return;
	}
	for (size_t i = 0; i < PW_LEN(programs); i++)
		if ((programs[i].roles & context->role) != 0)
			look_at_snapshot(report, programs[i].program);
}

/* ---- space ---- */

void judge_space(struct check_report *report, const char *folder, int64_t free_bytes,
                 int64_t free_percent, int64_t free_files_percent)
{
	bool is_bytes =
		free_bytes < SPACE_BYTES_PLENTY && free_percent < SPACE_WARNING_PERCENT;
	int64_t percent = is_bytes && free_percent < free_files_percent
	                          ? free_percent
	                          : free_files_percent;

	if (percent >= SPACE_WARNING_PERCENT)
		return;
	(percent < SPACE_ERROR_PERCENT ? check_error : check_warning)(
		report, "%s: only %" PRId64 " %% of %s are free", folder, percent,
		percent == free_files_percent ? "its files" : "its space");
	check_cure(report, "df -h%s %s", percent == free_files_percent ? "i" : "",
	           folder);
}

static void look_at_space(struct check_report *report, const char *folder)
{
	struct statvfs fs;
	int64_t bytes, percent, files;

	if (statvfs(folder, &fs) != 0 || fs.f_blocks == 0)
		return;
	bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	percent = (int64_t)(fs.f_bavail * 100 / fs.f_blocks);
	files = fs.f_files > 0 ? (int64_t)(fs.f_favail * 100 / fs.f_files) : 100;
	judge_space(report, folder, bytes, percent, files);
}

void check_space(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf queue = { 0 };

	pw_buf_puts(&queue, postconf_value(&context->postfix, NULL, "queue_directory"));
	if (queue.len > 0)
		look_at_space(report, pw_buf_text(&queue));
	if (context->role == CHECK_EDGE)
		return;
	look_at_space(report, "/srv/mail");
	look_at_space(report, "/var/lib/postgresql");
}

/* ---- queue ---- */

void judge_queue(struct check_report *report, const struct queue_count queues[QUEUES])
{
	for (size_t i = 0; i < QUEUES; i++) {
		const struct queue_count *q = &queues[i];
		bool is_passage = strcmp(q->name, "maildrop") == 0 ||
		                  strcmp(q->name, "incoming") == 0;

		if (is_passage && q->oldest_s > QUEUE_STUCK_S)
			check_error(report,
			            "%" PRId64 " messages stand still in queue %s, since "
			            "%" PRId64 " s",
			            q->messages, q->name, q->oldest_s);
		else if (strcmp(q->name, "hold") == 0 && q->messages > 0)
			check_warning(report, "%" PRId64 " messages are on hold",
			              q->messages);
		else if (q->messages >= QUEUE_MANY)
			check_warning(report, "%" PRId64 " messages in queue %s",
			              q->messages, q->name);
		else
			continue;
		check_cure(report, "postqueue -p");
	}
}

void judge_held(struct check_report *report, const struct queue_count queues[QUEUES])
{
	for (size_t i = 0; i < QUEUES; i++) {
		const struct queue_count *q = &queues[i];

		if (strcmp(q->name, "hold") != 0 || q->messages == 0)
			continue;
		check_warning(report,
		              "%" PRId64 " messages are on hold, the oldest for %" PRId64
		              " hours: those with X-Postward-Refused were refused by the "
		              "inner host, and nobody has been told; postsuper -H ID "
		              "sends one once more, postsuper -d ID deletes it",
		              q->messages, q->oldest_s / 3600);
		check_cure(report, "postwardctl edge held");
	}
}

/* False: it could not be read, which is reported. */
static bool read_queues(struct check_report *report, const struct check_context *context,
                        struct queue_count queues[QUEUES])
{
	PW_AUTO(pw_buf_done) struct pw_buf folder = { 0 };
	enum pw_status r;

	pw_buf_puts(&folder, postconf_value(&context->postfix, NULL, "queue_directory"));
	if (folder.len == 0) {
		check_blind(report, "%.*s", PW_FMT(context->postfix_why));
		return false;
	}
	r = queue_read(queues, pw_buf_text(&folder), pw_clock_wall_ms() / 1000);
	if (r == PW_OK)
		return true;
	check_blind(report, "%s: %s", pw_buf_text(&folder), pw_status_text(r));
	if (r == PW_ERR_DENIED)
		check_cure(report, "sudo postwardctl check");
	return false;
}

/* What an edge has on hold is check_held's. */
void check_queue(struct check_report *report, const struct check_context *context)
{
	struct queue_count queues[QUEUES];

	if (!read_queues(report, context, queues))
		return;
	for (size_t i = 0; i < QUEUES; i++)
		if (context->role == CHECK_EDGE && strcmp(queues[i].name, "hold") == 0)
			queues[i].messages = 0;
	judge_queue(report, queues);
}

void check_held(struct check_report *report, const struct check_context *context)
{
	struct queue_count queues[QUEUES];

	if (read_queues(report, context, queues))
		judge_held(report, queues);
}
