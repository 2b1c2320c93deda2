#include "core/pack.h"

#define INT_BYTES 8

void pw_pack_int(struct pw_buf *out, int64_t n)
{
	char bytes[INT_BYTES];

	for (size_t i = 0; i < INT_BYTES; i++)
		bytes[i] = (char)((uint64_t)n >> (8 * i));
	pw_buf_puts(out, (struct pw_str){ bytes, INT_BYTES });
}

void pw_pack_str(struct pw_buf *out, struct pw_str s)
{
	pw_pack_int(out, (int64_t)s.len);
	pw_buf_puts(out, s);
}

static struct pw_str take(struct pw_unpack *in, uint64_t len)
{
	struct pw_str taken = in->rest;

	if (in->is_broken || len > in->rest.len) {
		in->is_broken = true;
		return PW_STR("");
	}
	taken.len = (size_t)len;
	in->rest.at += taken.len;
	in->rest.len -= taken.len;
	return taken;
}

int64_t pw_unpack_int(struct pw_unpack *in)
{
	struct pw_str bytes = take(in, INT_BYTES);
	uint64_t n = 0;

	for (size_t i = 0; i < bytes.len; i++)
		n |= (uint64_t)(unsigned char)bytes.at[i] << (8 * i);
	return (int64_t)n;
}

struct pw_str pw_unpack_str(struct pw_unpack *in)
{
	return take(in, (uint64_t)pw_unpack_int(in));
}
