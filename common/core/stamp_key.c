#include "core/stamp_key.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/sha.h>

#include <string.h>

#include "core/ascii.h"
#include "core/base64.h"
#include "core/date.h"

#define DAY_S 86400

static void derivation_free(EVP_PKEY_CTX **ctx)
{
	EVP_PKEY_CTX_free(*ctx);
}

/* HKDF-SHA256 without a salt (RFC 5869). */
static enum pw_status derive(uint8_t out[32], const uint8_t *raw, const char *info)
{
	PW_AUTO(derivation_free)
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	size_t len = 32;

	if (!ctx || EVP_PKEY_derive_init(ctx) != 1 ||
	    EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) != 1 ||
	    EVP_PKEY_CTX_set1_hkdf_key(ctx, raw, PW_STAMP_KEY_BYTES) != 1 ||
	    EVP_PKEY_CTX_add1_hkdf_info(ctx, (const unsigned char *)info,
	                                (int)strlen(info)) != 1 ||
	    EVP_PKEY_derive(ctx, out, &len) != 1 || len != 32)
		return PW_ERR_CRYPTO;
	return PW_OK;
}

/* The first four bytes of SHA-256("postward key id" || key). */
static void put_id(char out[PW_STAMP_KEY_ID + 1], const uint8_t *raw)
{
	static const char prefix[] = "postward key id";
	static const char digits[] = "0123456789abcdef";
	unsigned char text[sizeof(prefix) - 1 + PW_STAMP_KEY_BYTES];
	unsigned char hash[SHA256_DIGEST_LENGTH];

	memcpy(text, prefix, sizeof(prefix) - 1);
	memcpy(text + sizeof(prefix) - 1, raw, PW_STAMP_KEY_BYTES);
	SHA256(text, sizeof(text), hash);
	pw_wipe(text, sizeof(text));
	for (size_t i = 0; i < PW_STAMP_KEY_ID; i++)
		out[i] = digits[hash[i / 2] >> (i % 2 ? 0 : 4) & 15];
	out[PW_STAMP_KEY_ID] = '\0';
}

/* Dates. */

static bool number(struct pw_str *rest, size_t digits, int64_t min, int64_t max,
                   int64_t *out)
{
	struct pw_str text = pw_str_sub(*rest, 0, digits);

	for (size_t i = 0; i < text.len; i++)
		if (!pw_is_digit(text.at[i]))
			return false;
	*rest = pw_str_sub(*rest, digits, rest->len);
	return text.len == digits && pw_str_to_int64(text, min, max, out) == PW_OK;
}

static bool letter(struct pw_str *rest, char c)
{
	bool is_there = rest->len > 0 && rest->at[0] == c;

	*rest = pw_str_sub(*rest, 1, rest->len);
	return is_there;
}

static void calendar(int64_t days, int64_t *year_out, int *month_out, int64_t *day_out)
{
	int64_t year = 1970 + days / 366; /* never too late */
	int month = 12;

	while (pw_date_days(year + 1, 1, 1) <= days)
		year++;
	while (pw_date_days(year, month, 1) > days)
		month--;
	*year_out = year;
	*month_out = month;
	*day_out = days - pw_date_days(year, month, 1) + 1;
}

static bool parse_date(struct pw_str text, int64_t *out)
{
	int64_t year, month, day, hour = 0, minute = 0, second = 0, days;
	int64_t same_year, same_day;
	int same_month;

	if (!number(&text, 4, 1970, 9999, &year) || !letter(&text, '-') ||
	    !number(&text, 2, 1, 12, &month) || !letter(&text, '-') ||
	    !number(&text, 2, 1, 31, &day))
		return false;
	if (text.len > 0 && (!letter(&text, 'T') || !number(&text, 2, 0, 23, &hour) ||
	                     !letter(&text, ':') || !number(&text, 2, 0, 59, &minute) ||
	                     !letter(&text, ':') || !number(&text, 2, 0, 59, &second) ||
	                     !letter(&text, 'Z') || text.len > 0))
		return false;
	days = pw_date_days(year, (int)month, (int)day);
	calendar(days, &same_year, &same_month, &same_day);
	*out = days * DAY_S + hour * 3600 + minute * 60 + second;
	return same_month == month; /* no February 30 */
}

void pw_stamp_key_put_date(struct pw_buf *out, int64_t unix_s)
{
	int64_t days = unix_s / DAY_S, rest = unix_s % DAY_S, year, day;
	int month;

	calendar(days, &year, &month, &day);
	pw_buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, month, (int)day,
	              (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

/* The file. */

static struct pw_str next_word(struct pw_str *rest)
{
	struct pw_str text = pw_str_trim(*rest);
	size_t len = 0;

	while (len < text.len && !pw_is_wsp(text.at[len]))
		len++;
	*rest = pw_str_sub(text, len, text.len);
	return pw_str_sub(text, 0, len);
}

/* NULL, or what is wrong. */
static const char *parse_words(struct pw_stamp_key *key, uint8_t *raw, struct pw_str line)
{
	struct pw_str id = next_word(&line), not_before = next_word(&line);
	struct pw_str not_after = next_word(&line), text = next_word(&line);

	if (text.len == 0 || pw_str_trim(line).len > 0)
		return "not of four words";
	if (!parse_date(not_before, &key->not_before_s) ||
	    !parse_date(not_after, &key->not_after_s))
		return "no date like 2026-11-30T00:00:00Z";
	if (key->not_after_s <= key->not_before_s)
		return "its time ends before it begins";
	if (pw_base64_get(raw, PW_STAMP_KEY_BYTES, PW_BASE64, text) != PW_OK)
		return "the key is not base64 of 32 bytes";
	put_id(key->id, raw);
	if (!pw_str_eq(id, pw_str_from(key->id)))
		return "the id does not belong to the key";
	return NULL;
}

static enum pw_status add_key(struct pw_stamp_keys *out, struct pw_str line,
                              const char **what_out)
{
	uint8_t raw[PW_STAMP_KEY_BYTES];
	struct pw_stamp_key key = { 0 };
	enum pw_status r = PW_OK;

	*what_out = parse_words(&key, raw, line);
	if (!*what_out && pw_stamp_keys_find(out, pw_str_from(key.id)))
		*what_out = "a key that stands here twice";
	if (*what_out) {
		r = PW_ERR_SYNTAX;
	} else if (out->count == PW_STAMP_KEYS_MAX) {
		*what_out = "too many keys";
		r = PW_ERR_LIMIT;
	} else if ((r = derive(key.mac, raw, "stamp mac v1")) == PW_OK &&
	           (r = derive(key.addr, raw, "stamp addr v1")) == PW_OK) {
		out->keys[out->count++] = key;
	} else {
		*what_out = "libcrypto failed";
	}
	pw_wipe(raw, sizeof(raw));
	pw_wipe(&key, sizeof(key));
	return r;
}

enum pw_status pw_stamp_keys_parse(struct pw_stamp_keys *out, struct pw_str file,
                                   struct pw_buf *why_out)
{
	enum pw_status r;

	out->count = 0;
	for (unsigned number = 1; file.at != NULL; number++) {
		struct pw_str line = pw_str_cut(&file, '\n');
		const char *what = NULL;

		line = pw_str_trim(pw_str_cut(&line, '#'));
		if (line.len == 0)
			continue;
		if ((r = add_key(out, line, &what)) != PW_OK) {
			pw_buf_printf(why_out, "line %u: %s", number, what);
			pw_stamp_keys_done(out);
			return r;
		}
	}
	return PW_OK;
}

void pw_stamp_keys_done(struct pw_stamp_keys *keys)
{
	pw_wipe(keys, sizeof(*keys));
}

const struct pw_stamp_key *pw_stamp_keys_signer(const struct pw_stamp_keys *keys,
                                                int64_t now_s)
{
	const struct pw_stamp_key *best = NULL;

	for (size_t i = 0; i < keys->count; i++) {
		const struct pw_stamp_key *key = &keys->keys[i];

		if (key->not_before_s <= now_s && now_s <= key->not_after_s &&
		    (!best || key->not_before_s > best->not_before_s))
			best = key;
	}
	return best;
}

const struct pw_stamp_key *pw_stamp_keys_find(const struct pw_stamp_keys *keys,
                                              struct pw_str id)
{
	for (size_t i = 0; i < keys->count; i++)
		if (pw_str_eq(pw_str_from(keys->keys[i].id), id))
			return &keys->keys[i];
	return NULL;
}

bool pw_stamp_key_is_valid(const struct pw_stamp_key *key, int64_t now_s)
{
	return now_s >= key->not_before_s - PW_STAMP_SKEW_S &&
	       now_s <= key->not_after_s + PW_STAMP_KEY_GRACE_S;
}

enum pw_status pw_stamp_key_put_line(struct pw_buf *out, const uint8_t *raw,
                                     int64_t not_before_s, int64_t not_after_s)
{
	char id[PW_STAMP_KEY_ID + 1];

	put_id(id, raw);
	pw_buf_puts(out, pw_str_from(id));
	pw_buf_putc(out, ' ');
	pw_stamp_key_put_date(out, not_before_s);
	pw_buf_putc(out, ' ');
	pw_stamp_key_put_date(out, not_after_s);
	pw_buf_putc(out, ' ');
	pw_base64_put(out, PW_BASE64, raw, PW_STAMP_KEY_BYTES);
	pw_buf_putc(out, '\n');
	return pw_buf_status(out);
}
