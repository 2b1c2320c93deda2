/* The connection of usage_client on Dovecot's event loop: one a process. */
#pragma once

#include "client.h"

/* Connect to path when there is reason to; later calls change nothing. changed is called
 * when policyd has said something.
 *
 * Errors  as usage_client_new */
PW_MUST_CHECK enum pw_status link_open(const char *path, void (*changed)(void));
void link_close(void);

/* Take hold of a user and wait shortly for the limits, if they are not known yet. NULL: a
 * name that cannot be asked about, or no memory. */
struct usage_entry *link_join(const char *user);
void link_leave(struct usage_entry *entry);

/* Look whether policyd has said something, and send what there is to say. Never waits. */
void link_turn(void);
