/* Any cutting of a stream into reads gives the same requests, and a request gives the
 * same fields wherever its bytes lie. */
#include <stdlib.h>
#include <string.h>

#include "policyd/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_field(struct pw_str a, struct pw_str b)
{
	return pw_str_eq(a, b);
}

static bool same(const struct request *a, const struct request *b)
{
	return a->stage == b->stage && same_field(a->instance, b->instance) &&
	       same_field(a->queue_id, b->queue_id) &&
	       same_field(a->client_name, b->client_name) &&
	       same_field(a->client_address, b->client_address) &&
	       same_field(a->sender, b->sender) &&
	       same_field(a->recipient, b->recipient) && same_field(a->login, b->login) &&
	       same_field(a->context, b->context) &&
	       a->recipient_count == b->recipient_count && a->size_bytes == b->size_bytes;
}

/* How much is there when a request is whole, the bytes arriving one by one, or step by
 * step; 0 = it never is. */
static size_t whole_in_steps(struct pw_str bytes, size_t step)
{
	size_t scanned = 0;

	for (size_t have = 0; have < bytes.len;) {
		have = have + step < bytes.len ? have + step : bytes.len;
		if (request_is_whole(pw_str_sub(bytes, 0, have), &scanned))
			return have;
	}
	return 0;
}

/* The same from a copy of just as much as there was; length or 0. */
static size_t check_fields(struct pw_str bytes)
{
	struct request here, there;
	char *copy = malloc(bytes.len);
	enum pw_status r;

	if (copy == NULL)
		abort();
	memcpy(copy, bytes.at, bytes.len);
	r = request_parse(&here, bytes);
	if (r != request_parse(&there, (struct pw_str){ copy, bytes.len }))
		abort();
	if (r == PW_OK && (!same(&here, &there) || here.recipient_count < 0 ||
	                   here.size_bytes < 0 || here.stage >= STAGE_IDS))
		abort();
	free(copy);
	return r == PW_OK ? here.length : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str bytes = { (const char *)data, size };

	for (int i = 0; i < 50 && bytes.len > 0; i++) {
		size_t scanned = 0, length;
		bool is_whole = request_is_whole(bytes, &scanned);

		if (scanned > bytes.len)
			abort();
		length = is_whole ? check_fields(bytes) : 0;
		for (size_t step = 1; step < 8; step += 3) {
			size_t have = whole_in_steps(bytes, step);

			if (is_whole != (have > 0) ||
			    (is_whole &&
			     check_fields(pw_str_sub(bytes, 0, have)) != length) ||
			    length > have)
				abort();
		}
		if (length == 0)
			break;
		bytes = pw_str_sub(bytes, length, bytes.len);
	}
	return 0;
}
