/* First line: flags. Second: a pattern; the rest is a text. Properties: a pattern is
 * taken or refused with a reason; one that is taken is no larger than allowed, and
 * looking for it ends in bounded time (the fuzzer's own limit) in text, and in runs of
 * its letters; what is found lies in the text; with more steps, what was found is found
 * again; where something is found, so is one of the words that the pattern is said to
 * need. */
#include <stdlib.h>
#include <string.h>

#include "core/literals.h"
#include "mail/patterns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static struct pw_finder *finder; /* NULL: no word is needed */

static void check_words(struct pw_str text)
{
	bool mark = false;

	if (finder == NULL)
		return;
	pw_finder_look(finder, text, &mark);
	must(mark);
}

static void look(const struct pw_pattern *pattern, struct pw_matching *matching,
                 struct pw_str text)
{
	struct pw_str found = { 0 }, again = { 0 };
	int64_t steps = pw_match_steps(text.len);

	if (pw_pattern_match(pattern, matching, text, steps, &found) != PW_MATCH_YES)
		return;
	check_words(text);
	must(found.len <= text.len);
	must(found.len == 0 ||
	     (found.at >= text.at && found.at + found.len <= text.at + text.len));
	must(pw_pattern_match(pattern, matching, text, steps * 2, &again) ==
	     PW_MATCH_YES);
	must(found.at == again.at && found.len == again.len);
}

static void look_in_runs(const struct pw_pattern *pattern, struct pw_matching *matching,
                         struct pw_str unit)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	while (unit.len > 0 && text.len < 8000)
		pw_buf_puts(&text, unit);
	pw_buf_putc(&text, '\n');
	look(pattern, matching, pw_buf_str(&text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str rest = { (const char *)data, size };
	struct pw_str flags = pw_str_cut(&rest, '\n'), text = pw_str_cut(&rest, '\n');
	PW_AUTO(pw_pattern_free) struct pw_pattern *pattern = NULL;
	PW_AUTO(pw_matching_free) struct pw_matching *matching = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r = pw_pattern_new(&pattern, text, flags, &why);
	struct pw_literals literals;

	if (r != PW_OK) {
		must(r == PW_ERR_SYNTAX && why.len > 0 && pattern == NULL);
		return 0;
	}
	must(pw_pattern_size(pattern) <= PW_PATTERN_COMPILED_MAX);
	must(pw_matching_new(&matching) == PW_OK);
	pw_literals_of(&literals, text, flags);
	if (literals.count > 0) {
		must(pw_finder_new(&finder) == PW_OK);
		must(pw_finder_add(finder, &literals, 0) == PW_OK);
	}
	look(pattern, matching, rest);
	look(pattern, matching, text);
	look_in_runs(pattern, matching, pw_str_sub(text, 0, 1));
	look_in_runs(pattern, matching, text);
	pw_finder_free(&finder);
	return 0;
}
