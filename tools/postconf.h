/* Postfix's settings as postconf(1) prints them, held as text and asked by name. Pure,
 * but for postconf_read. */
#pragma once

#include "core/buf.h"

#define POSTCONF_SERVICES_MAX 128

/* A line of master.cf. Slices of struct postconf. */
struct postconf_service {
	struct pw_str name, type; /* "10.9.0.2:submission", "inet" */
	struct pw_str program;    /* "smtpd" */
	bool is_chrooted;
};

struct postconf {
	struct pw_buf main;      /* postconf -x */
	struct pw_buf overrides; /* postconf -Px */
	struct pw_buf master;    /* postconf -M */
	struct postconf_service services[POSTCONF_SERVICES_MAX];
	size_t count;
};

/* For PW_AUTO. */
void postconf_done(struct postconf *conf);
/* Ask Postfix for all of it.
 *
 * why  a line for a person when it fails
 *
 * Errors  as pw_child_run; PW_ERR_CONFIG postconf refused */
PW_MUST_CHECK enum pw_status postconf_read(struct postconf *out, int64_t timeout_ms,
                                           struct pw_buf *why);
/* Find the services of out->master; for those who filled in the texts themselves. */
void postconf_parse(struct postconf *out);

/* Value of a parameter for a service, or of main.cf (service NULL); empty if it has none,
 * and if Postfix does not know it (at == NULL). Borrowed. */
struct pw_str postconf_value(const struct postconf *conf,
                             const struct postconf_service *service, const char *name);
bool postconf_is(const struct postconf *conf, const struct postconf_service *service,
                 const char *name, const char *value);
/* Port number of "25" or "smtp", 0 if unknown; of an inet service by its name. */
unsigned int postconf_port_number(struct pw_str name);
unsigned int postconf_port(const struct postconf_service *service);
/* Its address without brackets, empty = those of inet_interfaces. */
struct pw_str postconf_address(const struct postconf_service *service);
/* An smtpd of an inet port, or behind postscreen. */
bool postconf_is_smtpd(const struct postconf_service *service);
/* One that takes mail from other hosts. */
bool postconf_is_public(const struct postconf_service *service);
/* What the edge host passes on from a public port comes to that port's number and: */
#define POSTCONF_THROUGH_EDGE 10000
/* One that takes what users send: port 587 or 465, or what is passed on from there. */
bool postconf_is_submission(const struct postconf_service *service);
/* Has the service a value of its own for the parameter? */
bool postconf_is_own(const struct postconf *conf, const struct postconf_service *service,
                     const char *name);
/* The command that gives a parameter that value where it has its value now: for the
 * service, or, if that has none of its own, in main.cf. */
void postconf_put_command(struct pw_buf *out, const struct postconf *conf,
                          const struct postconf_service *service, const char *name,
                          struct pw_str value);

/* Next item of a list: parted by blanks and commas, what is in braces is one item (braces
 * kept). Start with *rest = the value; false at the end. */
bool postconf_next_item(struct pw_str *rest, struct pw_str *out);

/* A milter or policy service in a list: "unix:postward/x.sock" or
 * { unix:postward/x.sock, timeout=5s, default_action=DUNNO }. */
struct postconf_endpoint {
	struct pw_str address;        /* "unix:postward/x.sock" */
	struct pw_str default_action; /* empty = the common default */
};
void postconf_endpoint(struct postconf_endpoint *out, struct pw_str item);
/* Is it a unix socket of that file name, in whatever folder? */
bool postconf_is_socket(const struct postconf_endpoint *endpoint, const char *name);
