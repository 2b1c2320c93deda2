#include "origin/stamp/inner.h"

#include <stdlib.h>

#include "io/clock.h"

enum pw_status inner_open(struct inner **out, const char *folder)
{
	PW_AUTO(inner_close) struct inner *inner = calloc(1, sizeof(*inner));
	enum pw_status r;

	if (!inner)
		return PW_ERR_NOMEM;
	alarms_init(&inner->alarms);
	if ((r = replay_open(&inner->replay, folder, pw_clock_wall_ms() / 1000)) !=
	            PW_OK ||
	    (r = patience_new(&inner->patience)) != PW_OK)
		return r;
	*out = PW_TAKE(inner);
	return PW_OK;
}

void inner_close(struct inner **inner)
{
	if (!*inner)
		return;
	replay_close(&(*inner)->replay);
	patience_free(&(*inner)->patience);
	alarms_done(&(*inner)->alarms);
	free(*inner);
	*inner = NULL;
}
