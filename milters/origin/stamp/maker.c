#include "origin/stamp/maker.h"

#include <stdlib.h>
#include <sys/random.h>

#include "core/stamp_digest.h"

struct maker {
	const struct pw_stamp_keys *keys;
	struct pw_str edge;
	struct pw_stamp_digest *digest;
	struct pw_stamp stamp;
	bool has_begun, is_digested;
};

enum pw_status maker_new(struct maker **out, const struct pw_stamp_keys *keys,
                         struct pw_str edge)
{
	PW_AUTO(maker_free) struct maker *maker = calloc(1, sizeof(*maker));
	enum pw_status r;

	if (!maker)
		return PW_ERR_NOMEM;
	if ((r = pw_stamp_digest_new(&maker->digest)) != PW_OK)
		return r;
	maker->keys = keys;
	maker->edge = edge;
	*out = PW_TAKE(maker);
	return PW_OK;
}

void maker_free(struct maker **maker)
{
	if (!*maker)
		return;
	pw_stamp_digest_free(&(*maker)->digest);
	free(*maker);
	*maker = NULL;
}

enum pw_status maker_begin(struct maker *maker, struct pw_str sender, int64_t now_s)
{
	const struct pw_stamp_key *key = pw_stamp_keys_signer(maker->keys, now_s);
	uint8_t nonce[PW_STAMP_NONCE];

	maker->has_begun = maker->is_digested = false;
	if (!key)
		return PW_ERR_NOTFOUND;
	if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return PW_ERR_IO;
	pw_stamp_begin(&maker->stamp, key, nonce, sender);
	pw_stamp_digest_begin(maker->digest, PW_STAMP_ALL_FIELDS);
	maker->has_begun = true;
	return PW_OK;
}

void maker_recipient(struct maker *maker, struct pw_str recipient)
{
	if (maker->has_begun)
		pw_stamp_add_recipient(&maker->stamp, recipient);
}

void maker_field(struct maker *maker, struct pw_str name, struct pw_str value)
{
	if (maker->has_begun)
		pw_stamp_digest_field(maker->digest, name, value);
}

void maker_body(struct maker *maker, struct pw_str chunk)
{
	if (maker->has_begun)
		pw_stamp_digest_body(maker->digest, chunk);
}

enum pw_status maker_finish(struct maker *maker, struct pw_buf *out,
                            const struct pw_origin *origin, struct pw_str queue_id,
                            int64_t now_s)
{
	struct pw_stamp *stamp = &maker->stamp;
	enum pw_status r;

	if (!maker->has_begun)
		return PW_ERR_STATE;
	if (!maker->is_digested && (r = pw_stamp_digest_end(maker->digest, stamp->digest,
	                                                    &stamp->fields)) != PW_OK) {
		maker->has_begun = false;
		return r;
	}
	maker->is_digested = true;
	stamp->facts = (struct pw_stamp_facts){
		.at_s = now_s,
		.edge = maker->edge,
		.queue_id = queue_id,
		.origin = *origin,
	};
	return pw_stamp_build(out, stamp);
}
