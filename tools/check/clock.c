#include "tools/check/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/timex.h>

#define APART_ERROR_MS 30000
#define APART_WARNING_MS 2000

void judge_clocks(struct check_report *report, int64_t theirs_ms, int64_t ours_ms)
{
	int64_t apart_ms =
		theirs_ms > ours_ms ? theirs_ms - ours_ms : ours_ms - theirs_ms;

	if (apart_ms < APART_WARNING_MS)
		return;
	(apart_ms < APART_ERROR_MS ? check_warning : check_error)(
		report, "the database's clock is %" PRId64 " s %s ours", apart_ms / 1000,
		theirs_ms > ours_ms ? "ahead of" : "behind");
	check_cure(report, "timedatectl set-ntp true");
}

/* The kernel knows whether somebody keeps the clock right, whichever program does. */
void check_clock(struct check_report *report, const struct check_context *context)
{
	struct timex state = { .modes = 0 };
	int answer = adjtimex(&state);

	(void)context;
	if (answer < 0) {
		check_blind(report, "adjtimex: %s", strerror(errno));
		return;
	}
	if (answer != TIME_ERROR && (state.status & STA_UNSYNC) == 0)
		return;
	check_warning(report, "nothing keeps the clock right: signatures, limits and "
	                      "certificates depend on it");
	check_cure(report, "apt install systemd-timesyncd && timedatectl set-ntp true");
}
