/* What all sessions of postward-origin share. */
#pragma once

#include "kit/kit.h"
#include "kit/live.h"
#include "origin/fallback/fallback.h"
#include "origin/queue/listener.h"
#include "origin/stamp/inner.h"

struct daemon {
	struct kit_live *live;
	struct fallback *fallback; /* role edge */
	struct listener *listener; /* role edge */
	struct inner *inner;       /* role inner */
};

/* Open what outlives sessions and settings.
 *
 * Errors  as fallback_open, listener_open, inner_open: already logged */
PW_MUST_CHECK enum pw_status daemon_open(struct daemon *daemon);
/* For PW_AUTO, once no session runs; all but the settings. */
void daemon_close(struct daemon *daemon);
/* Fill in what the kit needs of the daemon: its settings, signals and drain. */
void daemon_describe(struct kit_daemon *kit, struct daemon *daemon);
