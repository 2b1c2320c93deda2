#include "core/status.h"

#include "core/base.h"

static const char *const texts[] = {
	[0] = "ok",
	[1] = "out of memory",
	[2] = "limit exceeded",
	[3] = "syntax error",
	[4] = "out of range",
	[5] = "not found",
	[6] = "timed out",
	[7] = "unavailable",
	[8] = "system error",
	[9] = "refused",
	[10] = "protocol error",
	[11] = "bad configuration",
	[12] = "internal error",
	[13] = "cryptography failed",
};

const char *pw_status_text(enum pw_status status)
{
	unsigned int i = (unsigned int)-(int)status;

	return status <= 0 && i < PW_LEN(texts) ? texts[i] : "unknown status";
}
