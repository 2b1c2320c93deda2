/* The parts are slices of the line in order; the extra fields, joined again, are read the
 * same. A size or quota rule is never negative but for what it does not say. */
#include <stdlib.h>

#include "core/buf.h"
#include "core/passwd_file.h"
#include "core/quota_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_within(struct pw_str part, struct pw_str whole)
{
	if (part.at && (part.at < whole.at || part.at + part.len > whole.at + whole.len))
		abort();
}

static void check_rule(struct pw_str value)
{
	struct pw_quota_rule rule;
	int64_t bytes;

	if (pw_quota_rule_parse(&rule, value) == PW_OK &&
	    (rule.bytes < -1 || rule.messages < -1))
		abort();
	if (pw_size_parse(value, 1024, &bytes) == PW_OK && bytes < 0)
		abort();
}

static void join(struct pw_buf *out, struct pw_str extra)
{
	struct pw_str name, value;

	while (pw_passwd_next_extra(&extra, &name, &value)) {
		check_rule(value);
		pw_buf_puts(out, name);
		if (value.at)
			pw_buf_putc(out, '=');
		pw_buf_puts(out, value);
		pw_buf_putc(out, ' ');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str line = { (const char *)data, size };
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 }, twice = { 0 };
	struct pw_passwd_entry e;

	check_rule(line);
	if (pw_passwd_parse(&e, line) != PW_OK)
		return 0;
	if (e.user.len == 0 || pw_str_find(e.user, ':') < e.user.len)
		abort();
	must_be_within(e.user, line);
	must_be_within(e.password, line);
	must_be_within(e.gecos, line);
	must_be_within(e.extra, line);
	join(&once, e.extra);
	join(&twice, pw_buf_str(&once));
	if (!pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)))
		abort();
	return 0;
}
