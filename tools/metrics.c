/* postwardctl metrics: the numbers of all programs, and of what stands around them, as
 * Prometheus text. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "io/clock.h"
#include "io/counters.h"
#include "io/file.h"
#include "tools/check/certificates.h"
#include "tools/command.h"
#include "tools/exposition.h"
#include "tools/input.h"
#include "tools/options.h"
#include "tools/queue.h"
#include "tools/settings_file.h"

#define FILE_BYTES_MAX ((size_t)1024 * 1024)
#define FRESH_S 180 /* programs write every minute, or more often */
#define TIMEOUT_MS 5000
#define SECONDS_PER_DAY 86400.0
#define TEXTFILE_MODE 0644

static const char usage[] =
	"usage: postwardctl metrics [--textfile FILE]\n"
	"Prints the numbers of all programs as Prometheus text.\n"
	"  --textfile FILE  write them there instead, in one step, for node_exporter\n";

/* What is put together. text: numbers of our own. */
struct page {
	struct pw_arena *arena;
	struct exposition *all;
	struct pw_buf text;
	int64_t now_s;
};

static void page_done(struct page *page)
{
	pw_buf_done(&page->text);
	pw_arena_free(&page->arena);
}

static void put_head(struct page *page, const char *name, const char *help)
{
	pw_buf_printf(&page->text, "# HELP postward_%s %s\n# TYPE postward_%s gauge\n",
	              name, help, name);
}

/* ---- programs ---- */

/* What a program wrote, and when. The program owns the file and may have been taken over:
 * nothing in its place is waited for. An old file is told with its age, since a counter
 * that stands still says less than one that is gone. */
struct source {
	const char *program;
	bool is_known; /* it has, or had, a folder of its own */
	bool is_there;
	int64_t age_s;
};

static enum pw_status read_source(struct page *page, struct source *source)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 }, text = { 0 }, prefix = { 0 };
	struct stat file;
	const char *why;
	enum pw_status r;

	settings_file_state(&path, source->program);
	source->is_known = stat(pw_buf_text(&path), &file) == 0;
	pw_buf_puts(&path, PW_STR("/metrics.prom"));
	r = tool_read_regular(&text, pw_buf_text(&path), FILE_BYTES_MAX, &why);
	if (r != PW_OK && r != PW_ERR_NOTFOUND)
		(void)fprintf(stderr, "postwardctl metrics: %s: %s\n", pw_buf_text(&path),
		              why);
	if (r != PW_OK || stat(pw_buf_text(&path), &file) != 0)
		return PW_OK;
	source->is_there = true;
	source->age_s = page->now_s - (int64_t)file.st_mtime;
	pw_counter_put_name(&prefix, source->program,
	                    &(struct pw_counter_row){ .name = "" });
	if ((r = pw_buf_status(&prefix)) != PW_OK)
		return r;
	return exposition_add(page->all, pw_buf_str(&prefix), pw_buf_str(&text));
}

static enum pw_status add_programs(struct page *page)
{
	struct source sources[] = { { .program = "postward-origin" },
		                    { .program = "postward-score" },
		                    { .program = "postward-dkim" },
		                    { .program = "postward-policyd" } };
	enum pw_status r = PW_OK;

	for (size_t i = 0; r == PW_OK && i < PW_LEN(sources); i++)
		r = read_source(page, &sources[i]);
	put_head(page, "up", "Whether a program has written its numbers lately.");
	for (size_t i = 0; i < PW_LEN(sources); i++)
		if (sources[i].is_known)
			pw_buf_printf(&page->text, "postward_up{program=\"%s\"} %d\n",
			              sources[i].program,
			              sources[i].is_there && sources[i].age_s <= FRESH_S);
	put_head(page, "metrics_age_seconds", "Time since a program wrote its numbers.");
	for (size_t i = 0; i < PW_LEN(sources); i++)
		if (sources[i].is_there)
			pw_buf_printf(
				&page->text,
				"postward_metrics_age_seconds{program=\"%s\"} %" PRId64
				"\n",
				sources[i].program, sources[i].age_s);
	return r;
}

/* ---- what stands around them ---- */

static void put_days(struct page *page, const char *service,
                     struct certificate_files files)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct certificate cert;

	if (files.chain.len == 0)
		return;
	if (certificate_read(&cert, files.chain, (struct pw_str){ 0 },
	                     (struct pw_str){ 0 }, &why) == PW_OK)
		pw_buf_printf(&page->text,
		              "postward_certificate_days_left{service=\"%s\"} %.2f\n",
		              service,
		              (double)(cert.not_after_s - page->now_s) / SECONDS_PER_DAY);
}

static void add_queue(struct page *page, struct pw_str folder)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	struct queue_count queues[QUEUES];

	pw_buf_puts(&path, folder);
	if (folder.len == 0 ||
	    queue_read(queues, pw_buf_text(&path), page->now_s) != PW_OK)
		return;
	put_head(page, "postfix_queue_messages", "Messages in Postfix's queue.");
	for (size_t i = 0; i < QUEUES; i++)
		pw_buf_printf(&page->text,
		              "postward_postfix_queue_messages{queue=\"%s\"} %" PRId64
		              "\n",
		              queues[i].name, queues[i].messages);
	put_head(page, "postfix_queue_oldest_seconds", "Age of the oldest of them.");
	for (size_t i = 0; i < QUEUES; i++)
		pw_buf_printf(
			&page->text,
			"postward_postfix_queue_oldest_seconds{queue=\"%s\"} %" PRId64
			"\n",
			queues[i].name, queues[i].oldest_s);
}

/* A host without Postfix or Dovecot, or with one that cannot be read, has no such
 * numbers. */
static void add_servers(struct page *page)
{
	PW_AUTO(postconf_done) struct postconf postfix = { 0 };
	PW_AUTO(doveconf_done) struct doveconf dovecot = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	put_head(page, "certificate_days_left", "Days until a certificate expires.");
	if (postconf_read(&postfix, TIMEOUT_MS, &why) == PW_OK) {
		put_days(page, "postfix", certificate_of_postfix(&postfix));
		add_queue(page, postconf_value(&postfix, NULL, "queue_directory"));
	}
	if (doveconf_read(&dovecot, page->arena, TIMEOUT_MS, &why) == PW_OK)
		put_days(page, "dovecot", certificate_of_dovecot(&dovecot));
}

static enum pw_status fill(struct page *page)
{
	enum pw_status r;

	if ((r = pw_arena_new(&page->arena, 0)) != PW_OK ||
	    (r = exposition_new(&page->all, page->arena)) != PW_OK)
		return r;
	page->now_s = pw_clock_wall_ms() / 1000;
	put_head(page, "build_info", "Version of postward.");
	pw_buf_puts(&page->text,
	            PW_STR("postward_build_info{version=\"" PW_VERSION "\"} 1\n"));
	if ((r = add_programs(page)) != PW_OK)
		return r;
	add_servers(page);
	if ((r = pw_buf_status(&page->text)) != PW_OK)
		return r;
	return exposition_add(page->all, PW_STR("postward_"), pw_buf_str(&page->text));
}

static int write_out(const char *textfile, const struct pw_buf *text)
{
	enum pw_status r;

	if (textfile == NULL)
		return fwrite(text->at, 1, text->len, stdout) == text->len &&
		                       fflush(stdout) == 0
		               ? EXIT_FINE
		               : EX_IOERR;
	r = pw_file_replace(textfile, pw_buf_str(text), TEXTFILE_MODE);
	if (r == PW_OK)
		return EXIT_FINE;
	(void)fprintf(stderr, "postwardctl metrics: %s: %s\n", textfile,
	              r == PW_ERR_IO ? strerror(errno) : pw_status_text(r));
	return EX_CANTCREAT;
}

int command_metrics(int argc, char **argv)
{
	const char *textfile = NULL;
	const struct tool_option options[] = { { "textfile", .text = &textfile } };
	PW_AUTO(page_done) struct page page = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r;
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), usage, argc, argv, &operand,
	                       &code))
		return code;
	if (operand < argc)
		return tool_wrong_use(usage);
	if ((r = fill(&page)) == PW_OK) {
		exposition_put(&text, page.all);
		r = pw_buf_status(&text);
	}
	if (r == PW_OK)
		return write_out(textfile, &text);
	(void)fprintf(stderr, "postwardctl metrics: %s\n", pw_status_text(r));
	return EX_SOFTWARE;
}
