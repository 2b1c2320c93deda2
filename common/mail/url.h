/* Links: finding them in text and taking them apart. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"

#define PW_URL_MAX 2048 /* bytes of one URL looked at */

struct pw_url {
	struct pw_str text;   /* as written */
	struct pw_str scheme; /* as written, without colon; empty for "www." */
	struct pw_str user;   /* before '@', or empty */
	struct pw_str host;   /* as written, without brackets and final dot */
	struct pw_str port;   /* digits, or empty */
	struct pw_str path;   /* from '/', '?' or '#' on */
};

/* Take one apart: "scheme://...", "//host...", "www.host...", "mailto:x". False when
 * there is no host (mailto: and cid: have none: then scheme and path are set all the
 * same). */
bool pw_url_parse(struct pw_url *out, struct pw_str text);
/* Next URL in text; *pos starts at 0. False at the end. */
bool pw_url_next(struct pw_str text, size_t *pos, struct pw_str *out);
/* Append host with %-encoding undone and letters lower. */
void pw_url_put_host(struct pw_buf *out, struct pw_str host);
