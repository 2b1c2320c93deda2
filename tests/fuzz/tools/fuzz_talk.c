/* Whatever a server says. Properties: a reply is a code of three digits or none, and its
 * text whole lines; what is concluded from it is said in whole problems. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/clock.h"
#include "tools/edge/look.h"
#include "tools/edge/talk.h"

#define SAID_MAX 32768

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_report(const struct check_report *report)
{
	struct pw_str rest = pw_buf_str(&report->bytes);
	struct check_problem p;

	while (check_next(&rest, &p))
		if (p.text.len == 0)
			abort();
	if (rest.len > 0)
		abort();
}

static void judge(int code, struct pw_str lines)
{
	PW_AUTO(check_report_done) struct check_report report = { 0 };

	judge_inner_offer(&report, lines, false, 1000, PW_STR("10.9.0.1"),
	                  PW_STR("10.9.0.2"));
	judge_stamp_reply(&report, code, lines);
	check_report(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_buf_done) struct pw_buf reply = { 0 };
	struct talk t = { 0 };
	int ends[2], code;

	if (size > SAID_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		return 0;
	if (write(ends[1], data, size) != (ssize_t)size)
		abort();
	(void)close(ends[1]);
	t.fd = ends[0];
	t.deadline_ms = pw_clock_mono_ms() + 1000;
	do {
		pw_buf_reset(&reply);
		code = talk_hear(&t, &reply);
		if (code > 999 || (code < 0 && code != TALK_LOST && code != TALK_SILENT))
			abort();
		if (code >= 0 && (reply.len == 0 || reply.at[reply.len - 1] != '\n'))
			abort();
		judge(code, pw_buf_str(&reply));
	} while (code >= 0);
	talk_close(&t);
	return 0;
}
