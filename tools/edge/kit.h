/* Files for an edge and its inner host, as texts: what postwardctl edge init writes.
 * Pure: templates and keys come in. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"
#include "core/ip.h"
#include "tools/setup/wish.h"

#define EDGE_NETWORKS_MAX 20
#define EDGE_WG_KEY 45 /* 32 bytes in base64, with the NUL */
#define EDGE_STAMPS_MAX 512

struct edge_wish {
	const char *domain, *hostname, *inner_hostname;
	const char *edge, *inner; /* addresses in the tunnel */
	const char *endpoint;     /* the edge's public address */
	const char *fallback;     /* "queue" or "defer" */
	const char *postscreen;   /* "yes" or "no" */
	struct pw_net admins[EDGE_NETWORKS_MAX];
	size_t admin_count;
};

/* Keys of both ends of the tunnel, as WireGuard writes them; and for the edge's stamps.
 */
struct edge_keys {
	char edge[EDGE_WG_KEY], edge_public[EDGE_WG_KEY];
	char inner[EDGE_WG_KEY], inner_public[EDGE_WG_KEY];
	char shared[EDGE_WG_KEY];
	char stamps[EDGE_STAMPS_MAX]; /* a file of stamp keys */
};

/* What is written, in order. */
enum edge_file_kind {
	EDGE_TEMPLATE, /* shipped under the same name */
	EDGE_HAPROXY,
	EDGE_STAMP_KEYS,
	EDGE_POSTFIX,
	EDGE_ORIGIN,
};

struct edge_file {
	const char *name; /* below the folder: "edge/wg0.conf" */
	enum edge_file_kind kind;
	unsigned int mode;
	enum setup_role role; /* whose Postfix: SETUP_EDGE or SETUP_LINK */
	const char *purpose;
};

#define EDGE_FILES 9
extern const struct edge_file edge_files[EDGE_FILES];

/* Two different addresses of one family, names that are names, and so on; fills in what
 * follows from the rest.
 *
 * Errors  PW_ERR_CONFIG: why says what is wrong; PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status edge_wish_check(struct edge_wish *wish,
                                             struct pw_arena *arena, struct pw_buf *why);
/* Append the text of one file.
 *
 * template  of a file of that kind
 *
 * Errors  PW_ERR_NOMEM, PW_ERR_LIMIT */
PW_MUST_CHECK enum pw_status
edge_file_text(struct pw_buf *out, const struct edge_file *file, struct pw_str template,
               const struct edge_wish *wish, const struct edge_keys *keys);
