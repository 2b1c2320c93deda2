#include "origin/fallback/fallback.h"

#include <stdlib.h>

enum pw_status fallback_open(struct fallback **out, const char *folder,
                             size_t recipients_max, const char *dns_servers)
{
	PW_AUTO(fallback_close) struct fallback *made = calloc(1, sizeof(*made));
	enum pw_status r;

	if (!made)
		return PW_ERR_NOMEM;
	made->folder = folder;
	if ((r = known_open(&made->known, folder, recipients_max)) != PW_OK ||
	    (r = doubt_open(&made->doubt, folder)) != PW_OK ||
	    (r = holds_new(&made->holds, folder, dns_servers)) != PW_OK)
		return r;
	*out = PW_TAKE(made);
	return PW_OK;
}

void fallback_close(struct fallback **fallback)
{
	if (!*fallback)
		return;
	known_close(&(*fallback)->known);
	doubt_close(&(*fallback)->doubt);
	holds_free(&(*fallback)->holds);
	free(*fallback);
	*fallback = NULL;
}
