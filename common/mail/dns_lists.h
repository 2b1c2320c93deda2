/* Lists over DNS (mail.dns_lists): which are asked about what, and the answers of one
 * message. Questions are filed as early as their names are known, all at once; one
 * deadline ends the wait. */
#pragma once

#include <stdatomic.h>

#include "core/dns_list.h"
#include "core/score.h"
#include "mail/psl.h"

#define PW_DNS_LISTS_MAX 100         /* that are switched on */
#define PW_DNS_LISTS_QUESTIONS 256   /* of one message */
#define PW_DNS_LISTS_LINK_DOMAINS 10 /* of one message */
#define PW_DNS_LISTS_SILENT_MAX 5    /* answers missing one after the other: it is away */

struct pw_resolver;

/* What a list is asked about. */
enum pw_dns_list_about {
	PW_DNS_LIST_CLIENT, /* the client's address */
	PW_DNS_LIST_NAME,   /* the client's verified name: its domain, as of all below */
	PW_DNS_LIST_HELO,
	PW_DNS_LIST_SENDER, /* of the envelope */
	PW_DNS_LIST_FROM,   /* the author */
	PW_DNS_LIST_DKIM,   /* who signed, rightly */
	PW_DNS_LIST_URL     /* links */
};
#define PW_DNS_LIST_ABOUTS 7

/* How a list stands; outlives the lists that point to it. Any thread. */
struct pw_dns_list_slot {
	_Atomic int state;  /* enum pw_dns_list_state */
	_Atomic int silent; /* answers missing, one after the other */
};

struct pw_dns_lists; /* immutable once filled, but for what slots point to */

/* Errors  PW_ERR_NOMEM
 * Owner   caller, pw_dns_lists_free */
PW_MUST_CHECK enum pw_status pw_dns_lists_new(struct pw_dns_lists **out);
void pw_dns_lists_free(struct pw_dns_lists **lists);

/* Add a list; without a slot it is never asked.
 *
 * about     client, name, helo, sender, from, dkim, url
 * refusals  as for pw_dns_codes_parse
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_LIMIT (why_out says what); PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dns_lists_add(struct pw_dns_lists *lists,
                                              struct pw_str zone, struct pw_str about,
                                              struct pw_str refusals,
                                              struct pw_buf *why_out);
/* A symbol for some of its answers; pw_weights_own made it.
 *
 * Errors  PW_ERR_NOTFOUND no such list; PW_ERR_SYNTAX, PW_ERR_LIMIT (why_out);
 *         PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dns_lists_answer(struct pw_dns_lists *lists,
                                                 const struct pw_weights *weights,
                                                 struct pw_str name, struct pw_str zone,
                                                 struct pw_str about, struct pw_str codes,
                                                 struct pw_buf *why_out);
/* Give the list at i its slot. */
size_t pw_dns_lists_count(const struct pw_dns_lists *lists);
struct pw_str pw_dns_lists_zone(const struct pw_dns_lists *lists, size_t i);
const char *pw_dns_lists_about(const struct pw_dns_lists *lists, size_t i);
const struct pw_dns_codes *pw_dns_lists_refusals(const struct pw_dns_lists *lists,
                                                 size_t i);
void pw_dns_lists_bind(struct pw_dns_lists *lists, size_t i,
                       struct pw_dns_list_slot *slot);

/* ---- one message, one thread */

struct pw_dns_list_run;

/* lists, resolver and psl outlive it.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, pw_dns_list_run_free, before the arena is reset */
PW_MUST_CHECK enum pw_status pw_dns_list_run_new(struct pw_dns_list_run **out,
                                                 struct pw_arena *arena,
                                                 struct pw_resolver *resolver,
                                                 const struct pw_dns_lists *lists,
                                                 const struct pw_psl *psl);
void pw_dns_list_run_free(struct pw_dns_list_run **run);
/* File what is asked about an address; none about one of a private network.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dns_list_ask_address(struct pw_dns_list_run *run,
                                                     enum pw_dns_list_about about,
                                                     struct pw_ip ip);
/* The same about the organisation's domain of a name; each domain once.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dns_list_ask_domain(struct pw_dns_list_run *run,
                                                    enum pw_dns_list_about about,
                                                    struct pw_str name);
/* Fire the symbols of what is listed. A list that refuses, or that stays silent again and
 * again, is not asked any more until somebody sets its slot.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_dns_list_run_end(struct pw_dns_list_run *run,
                                                 int64_t deadline_ms,
                                                 struct pw_hits *hits);
