#include "tools/stamp_keys.h"

#include <openssl/rand.h>

enum pw_status stamp_keys_make(struct pw_buf *out, int64_t not_before_s,
                               int64_t not_after_s)
{
	uint8_t raw[PW_STAMP_KEY_BYTES];
	enum pw_status r = PW_ERR_CRYPTO;

	if (RAND_bytes(raw, sizeof(raw)) == 1)
		r = pw_stamp_key_put_line(out, raw, not_before_s, not_after_s);
	pw_wipe(raw, sizeof(raw));
	return r;
}

enum pw_status stamp_keys_first(struct pw_buf *out, int64_t now_s)
{
	pw_buf_puts(out, PW_STR("# Keys with which the edge stamps mail; a new one: "
	                        "postwardctl edge keys new\n"));
	return stamp_keys_make(out, now_s, now_s + STAMP_KEYS_DAYS * STAMP_KEYS_DAY_S);
}

/* The key of a line; NULL for comments and the like. */
static const struct pw_stamp_key *key_of(struct pw_str line,
                                         const struct pw_stamp_keys *keys)
{
	struct pw_str rest = pw_str_trim(line), id = pw_str_cut(&rest, ' ');

	return pw_stamp_keys_find(keys, pw_str_cut(&id, '\t'));
}

size_t stamp_keys_prune(struct pw_buf *out, struct pw_str file,
                        const struct pw_stamp_keys *keys, int64_t now_s)
{
	size_t left_out = 0;

	while (file.len > 0) {
		struct pw_str line = pw_str_cut(&file, '\n');
		const struct pw_stamp_key *key = key_of(line, keys);

		if (key != NULL && key->not_after_s + PW_STAMP_KEY_GRACE_S < now_s)
			left_out++;
		else
			pw_buf_printf(out, "%.*s\n", PW_FMT(line));
	}
	return left_out;
}
