/* The quota backend `postward`. */
#pragma once

struct module;

/* Make it known to Dovecot's quota plugin, and take it back. */
void backend_register(struct module *module);
void backend_unregister(void);
