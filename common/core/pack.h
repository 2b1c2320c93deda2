/* Values as bytes for another process of ours, on the same machine: numbers of eight
 * bytes, little-endian; texts behind their length. Pure. */
#pragma once

#include "core/buf.h"

void pw_pack_int(struct pw_buf *out, int64_t n);
void pw_pack_str(struct pw_buf *out, struct pw_str s);

/* What is left to read. The first thing that is not there makes all further ones 0 or
 * empty: read freely, look at is_broken once at the end. */
struct pw_unpack {
	struct pw_str rest;
	bool is_broken;
};
int64_t pw_unpack_int(struct pw_unpack *in);
/* Borrowed from the bytes read. */
struct pw_str pw_unpack_str(struct pw_unpack *in);
