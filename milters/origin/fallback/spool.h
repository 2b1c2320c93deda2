/* A message kept back: in memory while it is small, then in a file without a name, which
 * is gone with the process. */
#pragma once

#include "core/buf.h"

#define SPOOL_MEMORY ((size_t)4 * 1024)

/* All zero but folder is an empty one. */
struct spool {
	const char *folder;
	bool is_open;
	int fd;
	int64_t bytes;
	struct pw_buf buffer; /* what is not in the file yet */
	enum pw_status status;
};

void spool_done(struct spool *spool);
/* Empty again, the file closed, the memory given back, failure forgotten. */
void spool_reset(struct spool *spool);
/* Appends; the first failure is remembered and ends it. */
void spool_write(struct spool *spool, struct pw_str bytes);
/* First failure: PW_ERR_LIMIT the disk is full; PW_ERR_IO, PW_ERR_DENIED, PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status spool_status(const struct spool *spool);
/* Hand all of it on, from the start, in pieces borrowed until take returns; as often as
 * wanted.
 *
 * Errors  as spool_status */
PW_MUST_CHECK enum pw_status spool_read(struct spool *spool,
                                        void (*take)(void *user, struct pw_str bytes),
                                        void *user);
