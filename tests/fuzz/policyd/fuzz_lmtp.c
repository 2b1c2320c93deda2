/* Whatever a server says, we send whole lines, in order, and nothing after the end; the
 * message goes out only after a 3xx. */
#include <stdlib.h>

#include "policyd/lmtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lmtp lmtp = { LMTP_GREETING, PW_STR("ann@example.test"),
		             PW_STR("Subject: secret\r\n\r\n.\r\n") };
	PW_AUTO(pw_buf_done) struct pw_buf said = { 0 };
	struct pw_str rest = { (const char *)data, size };
	enum lmtp_result result = LMTP_MORE;
	bool has_gone = false;

	while (result == LMTP_MORE && rest.len > 0) {
		struct pw_str line = pw_str_cut(&rest, '\n');

		result = lmtp_feed(&lmtp, line, &said);
		has_gone |= pw_str_starts(pw_str_trim(line), PW_STR("3"));
	}
	if (said.len > 0 && said.at[said.len - 1] != '\n')
		abort();
	if (pw_str_contains(pw_buf_str(&said), PW_STR("secret")) && !has_gone)
		abort();
	if ((result == LMTP_DELIVERED) !=
	    pw_str_contains(pw_buf_str(&said), PW_STR("QUIT")))
		abort();
	return 0;
}
