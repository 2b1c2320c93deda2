/* The quota backend `postward`. */
#pragma once

/* Make it known to Dovecot's quota plugin, and take it back. */
void backend_register(void);
void backend_unregister(void);
