#include "policyd/again.h"

bool again_is_due(const struct again *again, int64_t now_ms)
{
	return now_ms >= again->next_ms;
}

void again_asked(struct again *again, enum pw_status result, int64_t every_ms,
                 int64_t now_ms)
{
	if (result == PW_OK)
		again->next_ms = now_ms + every_ms;
	else
		again->next_ms = now_ms + (result == PW_ERR_AWAY ? AGAIN_AWAY_MS
		                                                 : AGAIN_FAILED_MS);
}
