/* Does an account look stolen? It is used from many networks at once, or suddenly sends
 * much more than it ever did. One thread owns it. Pure.
 *
 * Networks: IPv4 /24 and IPv6 /64 a login was seen from within a window; more than so
 * many look stolen. Volume: messages in one hour of the clock, more than so many and more
 * than so many times the busiest hour the login had; that fades to a half in two weeks.
 * An hour that looked stolen does not count as what is usual.
 *
 * Memory: STOLEN_LOGINS_MAX logins of 2.3 kB; who was idle longest is forgotten. */
#pragma once

#include <stdint.h>

#include "core/ip.h"

#define STOLEN_LOGINS_MAX ((size_t)20000)
#define STOLEN_NETWORKS_MAX 64
/* Of one login and reason one alarm in so long. */
#define STOLEN_QUIET_MS (INT64_C(24) * 60 * 60 * 1000)
#define STOLEN_HOUR_MS (INT64_C(60) * 60 * 1000)

struct stolen_rule {
	int64_t networks; /* 0..STOLEN_NETWORKS_MAX; 0 = not looked at */
	int64_t window_ms;
	int64_t messages; /* 0 = not looked at */
	int64_t factor;
};

enum stolen_why { STOLEN_NETWORKS, STOLEN_VOLUME, STOLEN_WHYS };

struct stolen_alarm {
	enum stolen_why why;
	int64_t count, limit; /* networks, or messages this hour */
	int64_t busiest;      /* of volume: messages in the busiest hour before */
	struct pw_net networks[STOLEN_NETWORKS_MAX + 1];
	size_t network_count; /* within the window, the latest first */
};

struct stolen;

/* Errors  PW_ERR_NOMEM
 * Owner   caller, stolen_free */
PW_MUST_CHECK enum pw_status stolen_new(struct stolen **out, const uint8_t seed[16]);
void stolen_free(struct stolen **stolen);

/* A login is used from an address (unmapped), or has sent a message. True: an alarm, out
 * says what. Without memory nothing is noted.
 *
 * login   in normal form
 * now_ms  a clock that only grows */
bool stolen_note_client(struct stolen *stolen, struct stolen_alarm *out,
                        const struct stolen_rule *rule, struct pw_str login,
                        struct pw_ip client, int64_t now_ms);
bool stolen_note_message(struct stolen *stolen, struct stolen_alarm *out,
                         const struct stolen_rule *rule, struct pw_str login,
                         int64_t now_ms);

/* What is usual for a login, in messages: take over what was known age_ms ago; and say it
 * where an hour is over since it was said last (then true). */
void stolen_set_busiest(struct stolen *stolen, struct pw_str login, int64_t busiest,
                        int64_t age_ms, int64_t now_ms);
bool stolen_tell_busiest(struct stolen *stolen, struct pw_str login,
                         int64_t *busiest_out);
size_t stolen_count(const struct stolen *stolen);
