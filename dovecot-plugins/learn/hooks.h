/* Where the learning hook sits in Dovecot: in every mailbox's copy and commit. */
#pragma once

struct module;

void hooks_register(struct module *module);
/* What is still queued gets one last try; then the log hears what was lost. */
void hooks_unregister(void);
