/* What all sessions of postward-dkim share. */
#pragma once

#include "db/snapshot.h"
#include "dkim/guard.h"
#include "dkim/keystore.h"
#include "dkim/maker.h"
#include "dkim/settings.h"
#include "kit/live.h"

struct daemon {
	struct kit_live *live;
	const struct kit_held *start; /* settings that do not change at reload */
	struct pw_snapshot *snapshot;
	struct maker *maker;
	struct guard *guard;
	struct keystore *keystore; /* of the snapshot's thread */
	uint8_t seed[16];          /* of the hash tables */
	char delimiter;
};

/* Start the maker of keys, open the snapshot of keys and senders and wait for the first.
 *
 * Errors  as maker_start and pw_snapshot_open: logged; PW_ERR_IO no random bytes */
PW_MUST_CHECK enum pw_status daemon_open(struct daemon *daemon);
/* For PW_AUTO; all but the settings. */
void daemon_close(struct daemon *daemon);

/* Callbacks of struct kit_daemon; user is the daemon. */
enum pw_status daemon_reload(void *user);
void daemon_report(void *user);
