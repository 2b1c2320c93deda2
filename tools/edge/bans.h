/* The list of banned clients on the edge: as it is kept between being fetched and being
 * loaded, whom it never hits, and what nft is told. Pure. */
#pragma once

#include "core/banlist.h"

/* Where it is kept; who is never banned, one network a line; whom to ask. */
#define BANS_FILE "/var/lib/postward-bans/list"
#define BANS_ALLOW_FILE "/etc/postward/bans.allow"
#define BANS_PORT 10028
#define BANS_TABLE "postward_bans"
#define BANS_FILE_BYTES_MAX (PW_BANLIST_BYTES_MAX + 64)

struct bans_list {
	int64_t at_s; /* wall clock, when it was fetched */
	struct pw_banlist list;
};

struct bans_never {
	struct pw_net *at;
	size_t count;
};

/* The kept form: when, then the list as it came. */
void bans_put(struct pw_buf *out, int64_t at_s, struct pw_str list);
/* Errors  as pw_banlist_parse; line_out counts the first line too */
PW_MUST_CHECK enum pw_status bans_parse(struct bans_list *out, struct pw_arena *arena,
                                        struct pw_str text, size_t *line_out);
/* Networks one a line; # begins a comment.
 *
 * more      networks that are appended
 * line_out  on failure
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_NOMEM
 * Owner   lives in arena */
PW_MUST_CHECK enum pw_status bans_never_parse(struct bans_never *out,
                                              struct pw_arena *arena, struct pw_str text,
                                              const struct bans_never *more,
                                              size_t *line_out);

/* Seconds that are left of a ban now. */
int64_t bans_left_s(const struct bans_list *bans, const struct pw_ban *ban,
                    int64_t now_s);
/* Append the commands for nft -f: a table of its own, put in place of the one before in
 * one step. Whoever is in never, or no public address, is left out, and what has ended.
 *
 * Returns how many clients are in it */
size_t bans_put_nft(struct pw_buf *out, const struct bans_list *bans,
                    const struct bans_never *never, int64_t now_s);
