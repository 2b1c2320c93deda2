/* Links: finding them in text and taking them apart, as browsers do (the WHATWG's URL
 * standard; RFC 3986 where both agree). */
#pragma once

#include "core/buf.h"
#include "core/ip.h"

#define PW_URL_MAX 2048     /* bytes of one URL looked at */
#define PW_URL_HOST_MAX 255 /* bytes of a host as DNS knows it */
#define PW_URL_LABEL_MAX 63 /* bytes of a label in a bare domain */

struct pw_url {
	struct pw_str text;   /* as written */
	struct pw_str scheme; /* as written, without colon; empty for "www." */
	struct pw_str user;   /* before '@', or empty */
	struct pw_str host;   /* as written, without brackets and final dot */
	struct pw_str port;   /* digits, or empty */
	struct pw_str path;   /* from '/', '?' or '#' on */
	struct pw_str query;  /* behind '?', without fragment; part of path */
};

/* What is odd about a host: bits. */
enum pw_url_trick {
	PW_URL_ESCAPED = 1,    /* letters or dots written as %xx */
	PW_URL_NUMBER = 2,     /* an address in another form than 192.0.2.1 */
	PW_URL_INVISIBLE = 4,  /* characters that nobody sees */
	PW_URL_LOOKALIKE = 8,  /* a label of mixed or of look-alike letters */
	PW_URL_WIDE = 16,      /* full-width letters or dots */
	PW_URL_DEFANGED = 32,  /* "[.]": made harmless on purpose */
	PW_URL_BACKSLASH = 64, /* "http:\\host" or "host\path" */
};

/* A host as it is asked for. */
struct pw_url_host {
	char at[PW_URL_HOST_MAX + 1];
	size_t len;      /* a name: lower case, A-labels; an address: printed */
	struct pw_ip ip; /* family NONE: it is a name */
	unsigned tricks; /* enum pw_url_trick */
};

/* Take one apart: "scheme://...", "//host...", "www.host...", "mailto:x". False when
 * there is no host (mailto: and cid: have none: then scheme and path are set all the
 * same). */
bool pw_url_parse(struct pw_url *out, struct pw_str text);
/* Next URL in text; *pos starts at 0. False at the end. Found are "http://", "https://",
 * "ftp://", "hxxp://", "www." and, without any of them, domains in a well-known top-level
 * domain that end in "/" or at a word's end (is_bare: no scheme was written). */
bool pw_url_next(struct pw_str text, size_t *pos, struct pw_str *out, bool *is_bare);

/* The host that a browser asks for: %xx undone, dots and width folded, invisible
 * characters dropped, U-labels as A-labels, and decimal, octal and hexadecimal forms as
 * the address they are. What can be no host is kept, escaped. */
void pw_url_host_read(struct pw_url_host *out, const struct pw_url *url);
struct pw_str pw_url_host_str(const struct pw_url_host *host);
/* Append that host. */
void pw_url_put_host(struct pw_buf *out, struct pw_str host);
/* Print one that has a host: scheme (http if none was written) and host in their normal
 * form, the rest as written. */
void pw_url_put(struct pw_buf *out, const struct pw_url *url);
/* Append s with each good %xx undone. */
void pw_url_unescape(struct pw_buf *out, struct pw_str s);
