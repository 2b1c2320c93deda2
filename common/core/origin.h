/* The originating client of a message: who really spoke to the outermost host. Everything
 * inside uses this and never a tunnel's address. */
#pragma once

#include "core/ip.h"
#include "core/str.h"

/* What is known about the name of the client's address. */
enum pw_name_state {
	PW_NAME_KNOWN, /* name and address agree both ways */
	PW_NAME_NONE,  /* a definite answer: no name, or the name does not lead back */
	PW_NAME_TEMPORARY, /* the lookup failed for now */
};

/* Slices are borrowed; empty = not known. */
struct pw_origin {
	struct pw_ip address; /* unmapped */
	uint16_t port;        /* 0 = not known */
	enum pw_name_state name_state;
	struct pw_str name; /* verified name; only with PW_NAME_KNOWN */
	struct pw_str ptr;  /* what the PTR says, verified or not */
	struct pw_str helo;
	struct pw_str protocol;    /* "SMTP" or "ESMTP" */
	struct pw_str tls_version; /* "TLSv1.3" */
	struct pw_str tls_cipher;
	struct pw_str login; /* SASL login */
	struct pw_ip server_address;
	uint16_t server_port;
	int64_t at_ms; /* when the client connected, ms since epoch; 0 = not known */
};

/* Why an address cannot be an origin that came from outside. */
enum pw_origin_kind {
	PW_ORIGIN_PUBLIC,
	PW_ORIGIN_MISSING, /* no address at all: local submission */
	PW_ORIGIN_LOOPBACK,
	PW_ORIGIN_PRIVATE,  /* RFC 1918, RFC 6598, RFC 4193, link-local, and the like */
	PW_ORIGIN_RESERVED, /* 0/8, multicast, broadcast, unspecified */
};

/* Which kind an address is. Documentation ranges count as public. */
enum pw_origin_kind pw_origin_kind(struct pw_ip address);
/* "public", "missing", "loopback", "private", "reserved". */
const char *pw_origin_kind_text(enum pw_origin_kind kind);

/* As Postfix writes clients: "mail.example.net[192.0.2.7]", "unknown[2001:db8::7]". */
void pw_origin_put(struct pw_buf *out, const struct pw_origin *origin);
