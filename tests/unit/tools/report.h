/* What a judgement reported, as text: "e text" or "w text" a line. */
#pragma once

#include "../table.h"

#include "tools/check/check.h"

static inline void report_render(struct pw_buf *out, const struct check_report *report)
{
	struct pw_str rest = pw_buf_str(&report->bytes);
	struct check_problem p;

	while (check_next(&rest, &p))
		pw_buf_printf(out, "%c %.*s\n", "ews"[p.severity], PW_FMT(p.text));
	assert_int_equal(rest.len, 0);
}

/* wanted: a piece of the only problem, first letter its severity; "" = there is none. */
static inline void report_expect(const struct check_report *report, const char *wanted)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_str all, first;

	report_render(&text, report);
	all = pw_buf_str(&text);
	if (wanted[0] == '\0') {
		assert_string_equal(pw_buf_text(&text), "");
		return;
	}
	first = pw_str_cut(&all, '\n');
	if (all.len > 0 || first.len == 0 || first.at[0] != wanted[0] ||
	    !pw_str_contains(first, pw_str_from(wanted + 2)))
		fail_msg("wanted \"%s\", got:\n%s", wanted, pw_buf_text(&text));
}
