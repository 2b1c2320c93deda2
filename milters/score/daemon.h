/* What all sessions of postward-score share. */
#pragma once

#include "db/snapshot.h"
#include "db/writer.h"
#include "kit/live.h"
#include "mail/judge.h"
#include "score/learner.h"
#include "score/list_health.h"
#include "score/memory.h"
#include "score/reader.h"
#include "score/rules.h"
#include "score/settings.h"
#include "score/virus.h"

struct daemon {
	struct kit_live *live;
	const struct kit_held *start; /* settings that do not change at reload */
	struct pw_resolver *resolver;
	struct pw_dkim_lib *dkim;
	struct pw_psl *psl;
	struct reader *reader;
	struct rules *built_in; /* while there is no snapshot */
	struct pw_snapshot *snapshot;
	struct pw_writer *writer;
	struct memory *memory;
	struct list_health *list_health;
	struct learner *learner; /* NULL: nowhere */
	struct virus_news virus;
};

/* Open DNS, lists, snapshot and history. Neither an absent database nor an absent
 * snapshot is an error.
 *
 * Errors  PW_ERR_CONFIG, PW_ERR_NOMEM, PW_ERR_IO...: logged */
PW_MUST_CHECK enum pw_status daemon_open(struct daemon *daemon);
/* For PW_AUTO; all but the settings. */
void daemon_close(struct daemon *daemon);

/* Queue a row of the history. */
void daemon_record(struct daemon *daemon, struct pw_str row);
/* Queue what a message adds to reputations. */
void daemon_count(struct daemon *daemon, struct pw_str row);
/* Queue a lesson; daemon is a struct daemon. */
void daemon_learn(void *daemon, struct pw_str lesson);
/* Callbacks of struct kit_daemon; user is the daemon. */
enum pw_status daemon_reload(void *user);
void daemon_report(void *user);
void daemon_stop(void *user);
