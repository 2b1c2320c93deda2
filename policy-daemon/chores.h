/* Chores: what policyd has others do, behind the back of the answering thread: Dovecot
 * closes the sessions of a login (docs/logins.md), Dovecot delivers a warning to its
 * user. For each of the two a bounded
 * queue and a thread; a peer that is away is asked again for a while. */
#pragma once

#include "core/str.h"

struct chores;

/* A chore that was done, worth a row in mail.events. */
struct chores_event {
	const char *kind; /* "sessions_closed", "quota_warning", "rate_notice" */
	struct pw_str login;
	struct pw_str why; /* of a kick */
	int64_t percent;   /* of a warning */
};

struct chores_config {
	const char *doveadm_socket, *lmtp_socket; /* paths, copied; "" = never */
	/* Called in the thread of the chores. */
	void (*tell)(void *arg, const struct chores_event *event);
	void *arg;
};

/* A message to the user of a mailbox. All text is UTF-8 and may name %{user}, %{percent},
 * %{used_mb}, %{quota_mb}. */
struct chores_warning {
	struct pw_str login; /* normal form */
	struct pw_str subject, text;
	int64_t percent, used_bytes, quota_bytes;
	bool is_notice; /* of a limit of sending: the numbers mean nothing */
};

/* Errors  PW_ERR_NOMEM, PW_ERR_IO (no thread)
 * Owner   caller, chores_stop */
PW_MUST_CHECK enum pw_status chores_start(struct chores **out,
                                          const struct chores_config *config);
/* Give up what is still waiting, and free. */
void chores_stop(struct chores **chores);

/* Close all sessions of login, or of "@domain", or of everybody ("*"): at once, and once
 * more after CHORES_AGAIN_MS, for who came in meanwhile by a cached password. why goes
 * into the log. Asked for so many that the queue is full, everybody's are closed. Never
 * blocks; what goes wrong is logged and counted. */
void chores_kick(struct chores *chores, struct pw_str login, struct pw_str why);
#define CHORES_AGAIN_MS 3000
/* Deliver a warning; everything is copied. Never blocks; what goes wrong is logged and
 * counted. */
void chores_warn(struct chores *chores, const struct chores_warning *warning);
