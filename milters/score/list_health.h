/* How the lists over DNS stand: a thread that asks for their test points, now and then.
 * Only one that stands well is asked about mail, so that a list that has gone away, or
 * that does not want to answer us, says nothing about anybody. */
#pragma once

#include "io/dns.h"
#include "mail/dns_lists.h"

struct list_health;

/* tell: a row for mail.tell_dns_lists whenever the state of a list is another one.
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_IO
 * Owner   caller, list_health_close, before the resolver's */
PW_MUST_CHECK enum pw_status
list_health_open(struct list_health **out, struct pw_resolver *resolver, int64_t probe_ms,
                 void (*tell)(void *arg, struct pw_str row), void *arg);
void list_health_close(struct list_health **health);

/* Whatever is not bound from here on is not looked after any more. */
void list_health_begin(struct list_health *health);
/* The place where the state of the list at i stands; it lives as long as health.
 *
 * listed    name below the zone that is always on it: "2.0.0.127"; empty = none is known
 * unlisted  name that never is
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status list_health_bind(struct list_health *health,
                                              struct pw_dns_lists *lists, size_t i,
                                              struct pw_str listed,
                                              struct pw_str unlisted);
