/* Properties: what base64, quoted-printable and uuencode decode to is as long as the
 * walker says; encoded words decode to no more than three times what there was, and what
 * holds none stays as it is; a charset that is UTF-8 changes nothing, any other one gives
 * no more than four bytes for each. The first byte chooses. */
#include <stdlib.h>
#include <string.h>

#include "core/mime_body.h"
#include "mail/decode.h"

#define WORD_GROWTH 4 /* bytes of UTF-8 that one byte can become */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void check_base64(struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_mime_bytes bytes;

	pw_decode_base64(&out, text);
	pw_mime_bytes_scan(&bytes, PW_MIME_BASE64, text);
	must(out.len == bytes.decoded_len);
}

static void check_qp(struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_mime_bytes bytes;

	pw_decode_qp(&out, text, false);
	pw_mime_bytes_scan(&bytes, PW_MIME_QP, text);
	must(out.len == bytes.decoded_len);
}

static void check_uu(struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_mime_bytes bytes;

	pw_decode_uu(&out, text);
	pw_mime_bytes_scan(&bytes, PW_MIME_UU, text);
	must(out.len == bytes.decoded_len && out.len <= text.len);
}

static void check_words(struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_words_seen seen;

	pw_decode_words(&out, text, &seen);
	must(out.len <= text.len * WORD_GROWTH);
	if (!pw_str_contains(text, PW_STR("=?")))
		must(seen.words == 0 && pw_str_eq(pw_buf_str(&out), text));
}

/* "CHARSET NUL text". */
static void check_charset(struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_str charset = pw_str_cut(&text, '\0');

	if (text.at == NULL)
		return;
	pw_decode_charset(&out, charset, text);
	must(out.len <= text.len * WORD_GROWTH);
	if (pw_str_eq_nocase(charset, PW_STR("utf-8")))
		must(pw_str_eq(pw_buf_str(&out), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(struct pw_str text) = {
		check_base64, check_qp, check_words, check_charset, check_uu,
	};

	if (size == 0)
		return 0;
	checks[data[0] % PW_LEN(checks)](
		(struct pw_str){ (const char *)data + 1, size - 1 });
	return 0;
}
