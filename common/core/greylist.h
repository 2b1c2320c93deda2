/* Greylisting: mail of a sender to a recipient from a client network not met before is
 * told to come again, which programs that send once do not. Whoever did passes from then
 * on, and once enough of a client's mail passed, all of it. One decision for every
 * program that greylists; where the records are kept is theirs. Pure. */
#pragma once

#include "core/buf.h"
#include "core/ip.h"

struct pw_greylist_rule {
	int64_t delay_ms;      /* so long it waits (1..) */
	int64_t window_ms;     /* it must come again within this, else it waits anew */
	int64_t keep_ms;       /* so long after its last mail it is remembered */
	int64_t client_passes; /* so many passed: the client waits no more; 0 = it does */
};

/* What is remembered of a client network, sender and recipient, or of the client as a
 * whole. Times of the wall clock, which programs share; 0 = never. All zero is new. */
struct pw_greylist_record {
	int64_t first_ms;  /* first told to come again */
	int64_t passed_ms; /* last passed */
	int64_t passes;    /* of a client: how many of its triplets did */
};

/* How long this mail must wait yet, in ms; 0 = it passes. What is remembered changes with
 * it; a record of a client changes only where it passes. A clock that stepped back makes
 * who waits wait anew from then. */
int64_t pw_greylist_judge(struct pw_greylist_record *triplet,
                          struct pw_greylist_record *client,
                          const struct pw_greylist_rule *rule, int64_t now_ms);

/* Take over what another program remembers of the same. */
void pw_greylist_merge(struct pw_greylist_record *record,
                       const struct pw_greylist_record *other,
                       const struct pw_greylist_rule *rule);

/* Append the sender as it is remembered: address in normal form, without its extension,
 * each run of digits one '#', for those who number their senders. Empty stays empty. */
void pw_greylist_put_sender(struct pw_buf *out, struct pw_str sender);
