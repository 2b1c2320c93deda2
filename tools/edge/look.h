/* What postwardctl edge check looks at, and the pure judgements behind it. All of it is
 * seen from the edge, by talking to the inner host as anybody would; nothing asks a
 * database, and no message is sent. */
#pragma once

#include "core/ip.h"
#include "core/stamp_key.h"
#include "tools/check/check.h"

check_fn edge_look_inner, edge_look_relay, edge_look_users, edge_look_public;
check_fn edge_look_tunnel, edge_look_clock, edge_look_listeners, edge_look_queue,
	edge_look_stamps, edge_look_stamped;

/* Where the inner server listens for this edge, by postward-origin's own setting; what is
 * wrong with it is reported.
 *
 * Returns false then */
bool edge_inner(struct check_report *report, struct pw_ip *ip_out,
                unsigned int *port_out);
/* Become postward-origin's user: only that one may speak to the inner server. What cannot
 * be is reported.
 *
 * Returns false then */
bool edge_become_origin(struct check_report *report);

/* ---- judgements ---- */

/* Who one says to be, on the inner server. */
struct edge_guise {
	const char *words;     /* "127.0.0.1" */
	int xclient;           /* reply to XCLIENT; 0 = none was said */
	int rcpt;              /* reply to RCPT of a domain of others; 0 = not asked */
	bool is_trusted_again; /* XCLIENT is still offered to that address */
};

/* The edge's EHLO at the inner server.
 *
 * is_stamped  the origin goes inside in a stamp: XCLIENT is not needed
 * lines  of its reply
 * limit  the edge's message_size_limit
 * edge, inner  addresses, for cures */
void judge_inner_offer(struct check_report *report, struct pw_str lines, bool is_stamped,
                       int64_t limit, struct pw_str edge, struct pw_str inner);
void judge_guise(struct check_report *report, const struct edge_guise *guise,
                 struct pw_str edge, struct pw_str inner);
/* The way to the inner host.
 *
 * device, mtu    the interface that leads there
 * small, whole   does an echo of 100 bytes, and of the interface's size, come back?
 *                (enum icmp_result) */
void judge_tunnel(struct check_report *report, const char *device, int mtu,
                  bool is_wireguard, int small, int whole);
void judge_skew(struct check_report *report, int64_t ahead_ms);
/* Services of the edge's own Postfix that would believe strangers. */
void judge_edge_listeners(struct check_report *report, const struct postconf *conf);
/* The queue's way inside, and where mail is held.
 *
 * hold  setting hold_listener of postward-origin, may be empty */
void judge_edge_queue(struct check_report *report, const struct postconf *conf,
                      struct pw_str hold);
/* Is there a key to stamp with, and for how long? */
void judge_stamp_keys(struct check_report *report, const struct pw_stamp_keys *keys,
                      int64_t now_s);
/* What the inner host said about a stamp of ours.
 *
 * code, text  reply to the message (talk_hear) */
void judge_stamp_reply(struct check_report *report, int code, struct pw_str text);
