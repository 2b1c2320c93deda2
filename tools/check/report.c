#include <stdio.h>
#include <string.h>

#include "tools/check/check.h"

#define TEXT_MAX 2048
#define REPORT_FULL ((size_t)128 * 1024)

/* A report is records of three parts: a letter, the text up to a NUL, the cure up to a
 * NUL. A process hands it to another as it stands. */
static const char letters[] = {
	[CHECK_ERROR] = 'e',
	[CHECK_WARNING] = 'w',
	[CHECK_SKIPPED] = 's',
};

void check_report_done(struct check_report *report)
{
	pw_buf_done(&report->bytes);
}

PW_PRINTF(2, 0)
static void put_text(struct pw_buf *out, const char *fmt, va_list args)
{
	char text[TEXT_MAX];

	(void)vsnprintf(text, sizeof(text), fmt, args);
	pw_buf_puts(out, pw_str_from(text));
	pw_buf_putc(out, '\0');
}

PW_PRINTF(3, 0)
static void put(struct check_report *report, enum check_severity severity,
                const char *fmt, va_list args)
{
	if (report->is_full)
		return;
	if (report->bytes.len >= REPORT_FULL) {
		report->is_full = true;
		pw_buf_printf(&report->bytes, "%c%s%c%c", letters[CHECK_WARNING],
		              "there are more problems than can be told", '\0', '\0');
		return;
	}
	pw_buf_putc(&report->bytes, letters[severity]);
	put_text(&report->bytes, fmt, args);
	pw_buf_putc(&report->bytes, '\0');
}

#define PUT(report, severity, fmt)                                                       \
	do {                                                                             \
		va_list args;                                                            \
                                                                                         \
		va_start(args, fmt);                                                     \
		put(report, severity, fmt, args);                                        \
		va_end(args);                                                            \
	} while (0)

void check_error(struct check_report *report, const char *fmt, ...)
{
	PUT(report, CHECK_ERROR, fmt);
}

void check_warning(struct check_report *report, const char *fmt, ...)
{
	PUT(report, CHECK_WARNING, fmt);
}

void check_skip(struct check_report *report, const char *fmt, ...)
{
	PUT(report, CHECK_SKIPPED, fmt);
}

void check_blind(struct check_report *report, const char *fmt, ...)
{
	char why[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	check_warning(report, "could not look: %s", why);
}

void check_cure(struct check_report *report, const char *fmt, ...)
{
	va_list args;

	if (report->bytes.len == 0 || report->is_full)
		return;
	pw_buf_truncate(&report->bytes, report->bytes.len - 1);
	va_start(args, fmt);
	put_text(&report->bytes, fmt, args);
	va_end(args);
}

bool check_next(struct pw_str *rest, struct check_problem *out)
{
	const char *letter;

	if (rest->len == 0 ||
	    (letter = memchr(letters, rest->at[0], sizeof(letters))) == NULL)
		return false;
	out->severity = (enum check_severity)(letter - letters);
	*rest = pw_str_sub(*rest, 1, rest->len);
	out->text = pw_str_cut(rest, '\0');
	out->cure = pw_str_cut(rest, '\0');
	return true;
}
