/* The list of banned clients that an inner host gives to its edge: lines "ADDRESS
 * SECONDS", the last one "end COUNT". An address is one IPv4 address or an IPv6 /64.
 * Pure. */
#pragma once

#include "core/arena.h"
#include "core/ip.h"

#define PW_BANLIST_MAX ((size_t)100 * 1000)
#define PW_BANLIST_SECONDS_MAX ((int64_t)366 * 86400)
/* Most bytes of a list that can be good. */
#define PW_BANLIST_BYTES_MAX (PW_BANLIST_MAX * 64 + 64)

struct pw_ban {
	struct pw_net net;
	int64_t seconds; /* left of it */
};

struct pw_banlist {
	struct pw_ban *at; /* sorted, every address once */
	size_t count;
};

/* The address or /64 that is banned with this one. */
struct pw_net pw_ban_net(struct pw_ip ip);
/* Have two networks an address in common? */
bool pw_ban_overlaps(const struct pw_net *a, const struct pw_net *b);
/* Append a line of a list, and its last line. */
void pw_ban_put(struct pw_buf *out, const struct pw_ban *ban);
void pw_banlist_put_end(struct pw_buf *out, size_t count);

/* Take a whole list. An address that stands twice is banned for the longer time.
 *
 * line_out  on failure: number of the line, from 1
 *
 * Errors  PW_ERR_SYNTAX (a line, a count that is wrong, no end, something behind it),
 *         PW_ERR_RANGE (seconds), PW_ERR_LIMIT (more than PW_BANLIST_MAX), PW_ERR_NOMEM
 * Owner   lives in arena */
PW_MUST_CHECK enum pw_status pw_banlist_parse(struct pw_banlist *out,
                                              struct pw_arena *arena, struct pw_str text,
                                              size_t *line_out);
