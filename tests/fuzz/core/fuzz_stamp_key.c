/* Any bytes as a key file: what is read has sane keys, each found by its id. And the line
 * of any new key is read back to its dates. */
#include <stdlib.h>
#include <string.h>

#include "core/stamp_key.h"

#define LAST_S INT64_C(253402300799) /* of the year 9999 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static void read_file(struct pw_str input)
{
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys;
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	if (pw_stamp_keys_parse(&keys, input, &why) != PW_OK) {
		must(keys.count == 0 && why.len > 0);
		return;
	}
	must(keys.count <= PW_STAMP_KEYS_MAX);
	for (size_t i = 0; i < keys.count; i++) {
		const struct pw_stamp_key *key = &keys.keys[i];

		must(key->not_before_s < key->not_after_s);
		must(pw_stamp_keys_find(&keys, pw_str_from(key->id)) == key);
		must(pw_stamp_key_is_valid(key, key->not_before_s));
	}
}

static void write_line(struct pw_str input)
{
	PW_AUTO(pw_stamp_keys_done) struct pw_stamp_keys keys;
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 }, why = { 0 };
	uint8_t raw[PW_STAMP_KEY_BYTES] = { 0 };
	uint64_t times[2] = { 0 };
	int64_t from, to;

	memcpy(raw, input.at, input.len < sizeof(raw) ? input.len : sizeof(raw));
	memcpy(times, input.at, input.len < sizeof(times) ? input.len : sizeof(times));
	from = (int64_t)(times[0] % (uint64_t)LAST_S);
	to = from + 1 + (int64_t)(times[1] % (uint64_t)(LAST_S - from));
	must(pw_stamp_key_put_line(&line, raw, from, to) == PW_OK);
	must(pw_stamp_keys_parse(&keys, pw_buf_str(&line), &why) == PW_OK);
	must(keys.count == 1 && keys.keys[0].not_before_s == from &&
	     keys.keys[0].not_after_s == to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str input = { size > 0 ? (const char *)data : "", size };

	read_file(input);
	write_line(input);
	return 0;
}
