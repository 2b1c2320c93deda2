/* A block of memory that is a file: what is written there outlives kill -9 without a
 * system call. */
#pragma once

#include <stddef.h>

#include "core/base.h"
#include "core/status.h"

/* Where the block came from. */
enum pw_mapped_source {
	PW_MAPPED_OLD,    /* the file that was there */
	PW_MAPPED_NEW,    /* there was none */
	PW_MAPPED_ASIDE,  /* there was something else, now PATH.broken, and a new one */
	PW_MAPPED_MEMORY, /* no file can be: it is gone with the process */
};

struct pw_mapped {
	void *at;
	size_t len;
};

/* What the block holds is its owner's matter. */
struct pw_mapped_owner {
	void *user;
	/* Make a block of zeroes one of yours. */
	enum pw_status (*make)(void *user, void *at, enum pw_mapped_source source);
	/* Take over one that another process left; PW_ERR_SYNTAX: it is none of yours. */
	enum pw_status (*take)(void *user, void *at);
};

/* Map a file of len bytes, making it if need be: whole before it gets its name, its
 * blocks there from the start, lest a full disk be a signal later. Where no file can be
 * it is memory.
 *
 * why_out  of PW_MAPPED_ASIDE and PW_MAPPED_MEMORY: what was wrong
 *
 * Errors  PW_ERR_NOMEM, or what make returned
 * Owner   caller, pw_mapped_close */
PW_MUST_CHECK enum pw_status pw_mapped_open(struct pw_mapped *out, const char *path,
                                            size_t len,
                                            const struct pw_mapped_owner *owner,
                                            enum pw_mapped_source *source_out,
                                            enum pw_status *why_out);
/* Put all of it on the disk now; does nothing for memory. */
void pw_mapped_sync(const struct pw_mapped *mapped);
/* All zero is closed. */
void pw_mapped_close(struct pw_mapped *mapped);
