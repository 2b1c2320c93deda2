#include "core/stamp_digest.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "core/canon.h"

struct pw_stamp_digest {
	EVP_MD_CTX *hash;
	enum pw_status status; /* first failure of this message */
	uint32_t last, count;  /* fields wanted, fields seen */
	size_t header_bytes;
	bool in_body;
	/* Fields until they are known to count. All count: only the one just made. */
	struct pw_buf fields;
	struct pw_buf starts; /* of each: size_t */
	/* Held back until content follows: line ends, and a CR. */
	uint64_t ends;
	bool cr;
};

enum pw_status pw_stamp_digest_new(struct pw_stamp_digest **out)
{
	PW_AUTO(pw_stamp_digest_free)
	struct pw_stamp_digest *digest = calloc(1, sizeof(*digest));

	if (!digest || !(digest->hash = EVP_MD_CTX_new()))
		return PW_ERR_NOMEM;
	*out = PW_TAKE(digest);
	return PW_OK;
}

void pw_stamp_digest_free(struct pw_stamp_digest **digest)
{
	if (!*digest)
		return;
	EVP_MD_CTX_free((*digest)->hash);
	pw_buf_done(&(*digest)->fields);
	pw_buf_done(&(*digest)->starts);
	free(*digest);
	*digest = NULL;
}

static void fail(struct pw_stamp_digest *digest, enum pw_status status)
{
	if (digest->status == PW_OK)
		digest->status = status;
}

static void put(struct pw_stamp_digest *digest, struct pw_str bytes)
{
	if (bytes.len > 0 && EVP_DigestUpdate(digest->hash, bytes.at, bytes.len) != 1)
		fail(digest, PW_ERR_CRYPTO);
}

void pw_stamp_digest_begin(struct pw_stamp_digest *digest, uint32_t last)
{
	digest->status = PW_OK;
	digest->last = last;
	digest->count = 0;
	digest->header_bytes = 0;
	digest->in_body = false;
	digest->ends = 0;
	digest->cr = false;
	pw_buf_reset(&digest->fields);
	pw_buf_reset(&digest->starts);
	if (EVP_DigestInit_ex(digest->hash, EVP_sha256(), NULL) != 1)
		fail(digest, PW_ERR_CRYPTO);
}

/* Keep what was just made from start on, or hash it at once. */
static void take_field(struct pw_stamp_digest *digest, size_t start)
{
	if (digest->last == PW_STAMP_ALL_FIELDS)
		put(digest, pw_buf_str(&digest->fields));
	else
		pw_buf_puts(&digest->starts,
		            (struct pw_str){ (const char *)&start, sizeof(start) });
	if (pw_buf_status(&digest->starts) != PW_OK)
		fail(digest, pw_buf_status(&digest->starts));
	digest->count++;
}

void pw_stamp_digest_field(struct pw_stamp_digest *digest, struct pw_str name,
                           struct pw_str value)
{
	size_t start;

	if (digest->status != PW_OK)
		return;
	if (digest->last == PW_STAMP_ALL_FIELDS)
		pw_buf_reset(&digest->fields);
	start = digest->fields.len;
	pw_canon_header_relaxed(&digest->fields, name, value);
	if (pw_buf_status(&digest->fields) != PW_OK)
		fail(digest, pw_buf_status(&digest->fields));
	digest->header_bytes += digest->fields.len - start;
	if (digest->header_bytes > PW_STAMP_HEADER_MAX)
		fail(digest, PW_ERR_LIMIT);
	take_field(digest, start);
}

/* The kept fields without the first ones, which do not count. */
static struct pw_str last_fields(struct pw_stamp_digest *digest)
{
	size_t start = 0;

	if (digest->last == 0) {
		digest->count = 0;
		return PW_STR("");
	}
	if (digest->count > digest->last) {
		memcpy(&start,
		       digest->starts.at + (digest->count - digest->last) * sizeof(start),
		       sizeof(start));
		digest->count = digest->last;
	}
	return pw_str_sub(pw_buf_str(&digest->fields), start, digest->fields.len);
}

static void end_header(struct pw_stamp_digest *digest)
{
	if (digest->in_body)
		return;
	digest->in_body = true;
	if (digest->last != PW_STAMP_ALL_FIELDS)
		put(digest, last_fields(digest));
	put(digest, PW_STR("\r\n"));
}

static void put_held(struct pw_stamp_digest *digest)
{
	for (; digest->ends > 0; digest->ends--)
		put(digest, PW_STR("\r\n"));
	if (digest->cr)
		put(digest, PW_STR("\r"));
	digest->cr = false;
}

/* Hold back line ends; how many bytes those are. */
static size_t hold(struct pw_stamp_digest *digest, struct pw_str chunk)
{
	size_t i = 0;

	for (; i < chunk.len; i++) {
		if (digest->cr && chunk.at[i] == '\n') {
			digest->cr = false;
			digest->ends++;
		} else if (!digest->cr && chunk.at[i] == '\r') {
			digest->cr = true;
		} else {
			break;
		}
	}
	return i;
}

/* Without line ends at the end of text, which does not begin with one. */
static struct pw_str content(struct pw_str text)
{
	if (text.at[text.len - 1] == '\r')
		text.len--;
	while (text.len > 2 && text.at[text.len - 2] == '\r' &&
	       text.at[text.len - 1] == '\n')
		text.len -= 2;
	return text;
}

void pw_stamp_digest_body(struct pw_stamp_digest *digest, struct pw_str chunk)
{
	end_header(digest);
	for (;;) {
		struct pw_str text;

		chunk = pw_str_sub(chunk, hold(digest, chunk), chunk.len);
		if (chunk.len == 0)
			return;
		put_held(digest);
		if (chunk.at[0] == '\r') /* behind another one: may begin a line end */
			continue;
		text = content(chunk);
		put(digest, text);
		chunk = pw_str_sub(chunk, text.len, chunk.len);
	}
}

enum pw_status pw_stamp_digest_end(struct pw_stamp_digest *digest, uint8_t *out,
                                   uint32_t *fields_out)
{
	unsigned char hash[EVP_MAX_MD_SIZE];

	end_header(digest);
	if (digest->cr)
		put_held(digest);
	put(digest, PW_STR("\r\n"));
	if (EVP_DigestFinal_ex(digest->hash, hash, NULL) != 1)
		fail(digest, PW_ERR_CRYPTO);
	if (digest->status != PW_OK)
		return digest->status;
	memcpy(out, hash, PW_STAMP_DIGEST);
	*fields_out = digest->count;
	return PW_OK;
}
