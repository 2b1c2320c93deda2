/* The inner server: where it is and how it is spoken to. Immutable while sessions use it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define UPSTREAM_ADDRESSES 4

struct pool;
struct tls_context;

struct upstream_target {
	struct {
		struct sockaddr_storage address;
		socklen_t len;
	} addresses[UPSTREAM_ADDRESSES]; /* tried in turn */
	size_t count;
	const char *hello;       /* our own name, before XCLIENT */
	int64_t connect_ms;      /* for the connection itself */
	int64_t command_ms;      /* for all that one command of the client takes */
	int64_t dot_ms;          /* for the reply to the final dot */
	struct tls_context *tls; /* NULL = plain text; else never without */
	struct pool *pool;       /* greeted connections in store; NULL = none */
};

/* What the inner says in reply to EHLO. */
struct upstream_offers {
	unsigned words;   /* enum smtp_offer */
	int64_t size_max; /* longest message in bytes; 0 = none named */
};
