/* What systemd wants to hear, and what it hands over; nothing happens without systemd.
 * Needs no libsystemd (sd_notify(3), sd_listen_fds(3)). */
#pragma once

#include <stdint.h>

/* Ready to serve; to be sent once the sockets listen. */
void pw_notify_ready(void);
/* Reload began (Type=notify-reload wants the time); pw_notify_ready ends it. */
void pw_notify_reloading(void);
/* Draining. */
void pw_notify_stopping(void);
/* Alive; to be sent every pw_notify_watchdog_ms(). */
void pw_notify_watchdog(void);
/* One line for `systemctl status`. */
void pw_notify_status(const char *text);
/* How often systemd wants a sign of life: half of its limit, 0 = never. */
int64_t pw_notify_watchdog_ms(void);

/* The passed descriptor of that FileDescriptorName, close-on-exec, or -1. Each can be
 * asked for any number of times; only meant for this process (LISTEN_PID). */
int pw_notify_listen_fd(const char *name);
