#include "mail/dkim_sign.h"

#include <openssl/evp.h>

#include <stdlib.h>

#include "core/ascii.h"
#include "core/canon.h"

#define LINE_WIDTH 76 /* of the field we write */

struct field {
	size_t row;     /* in signed_names */
	size_t at, len; /* of its canonical text in `texts` */
};

struct pw_dkim_signer {
	struct pw_canon_body body;
	EVP_MD_CTX *hash;
	bool hash_failed;
	size_t line_max;
	bool too_long;  /* a line will be broken on the way */
	bool has_stray; /* bytes about which verifiers do not agree */
	bool is_complete;
	struct pw_buf body_hash; /* base64 */
	struct pw_buf texts;
	struct field fields[PW_DKIM_SIGN_FIELDS_MAX];
	size_t count;
};

/* RFC 6376 5.4.1, with what a reader sees or a reader's program acts on; in this order in
 * h=. `extra` is how often a field is named beyond its number, so that none can be added.
 */
static const struct signed_name {
	struct pw_str name;
	unsigned extra;
} signed_names[] = {
	/* clang-format off */
	{ { "From", 4 },                      1 },
	{ { "Sender", 6 },                    0 },
	{ { "Reply-To", 8 },                  0 },
	{ { "To", 2 },                        0 },
	{ { "Cc", 2 },                        0 },
	{ { "Subject", 7 },                   0 },
	{ { "Date", 4 },                      0 },
	{ { "Message-ID", 10 },               0 },
	{ { "In-Reply-To", 11 },              0 },
	{ { "References", 10 },               0 },
	{ { "MIME-Version", 12 },             0 },
	{ { "Content-Type", 12 },             0 },
	{ { "Content-Transfer-Encoding", 25 },0 },
	{ { "Content-Disposition", 19 },      0 },
	{ { "Resent-Date", 11 },              0 },
	{ { "Resent-From", 11 },              0 },
	{ { "Resent-Sender", 13 },            0 },
	{ { "Resent-To", 9 },                 0 },
	{ { "Resent-Cc", 9 },                 0 },
	{ { "Resent-Message-ID", 17 },        0 },
	{ { "List-Id", 7 },                   0 },
	{ { "List-Help", 9 },                 0 },
	{ { "List-Unsubscribe", 16 },         0 },
	{ { "List-Unsubscribe-Post", 21 },    0 },
	{ { "List-Subscribe", 14 },           0 },
	{ { "List-Post", 9 },                 0 },
	{ { "List-Owner", 10 },               0 },
	{ { "List-Archive", 12 },             0 },
	{ { "Autocrypt", 9 },                 0 },
	/* clang-format on */
};

static void md_ctx_free(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static void hash_body(void *context, struct pw_str bytes)
{
	struct pw_dkim_signer *signer = context;

	if (EVP_DigestUpdate(signer->hash, bytes.at, bytes.len) != 1)
		signer->hash_failed = true;
}

enum pw_status pw_dkim_signer_new(struct pw_dkim_signer **out, size_t line_max)
{
	PW_AUTO(md_ctx_free) EVP_MD_CTX *hash = EVP_MD_CTX_new();
	struct pw_dkim_signer *signer;

	if (!hash)
		return PW_ERR_NOMEM;
	if (EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
		return PW_ERR_CRYPTO;
	if (!(signer = calloc(1, sizeof(*signer))))
		return PW_ERR_NOMEM;
	signer->hash = PW_TAKE(hash);
	signer->line_max = line_max > 0 ? line_max : SIZE_MAX;
	pw_canon_body_init(&signer->body, hash_body, signer);
	pw_buf_init(&signer->texts, PW_DKIM_SIGN_BYTES_MAX);
	*out = signer;
	return PW_OK;
}

void pw_dkim_signer_free(struct pw_dkim_signer **signer)
{
	if (!*signer)
		return;
	EVP_MD_CTX_free((*signer)->hash);
	pw_buf_done(&(*signer)->body_hash);
	pw_buf_done(&(*signer)->texts);
	free(*signer);
	*signer = NULL;
}

static bool find_row(struct pw_str name, size_t *row_out)
{
	for (size_t i = 0; i < PW_LEN(signed_names); i++) {
		if (pw_str_eq_nocase(name, signed_names[i].name)) {
			*row_out = i;
			return true;
		}
	}
	return false;
}

static bool has_any(struct pw_str s, struct pw_str bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if (pw_str_find(s, bytes.at[i]) < s.len)
			return true;
	return false;
}

/* Look for lines that are too long, for line ends that are no folds, and for VT and FF,
 * which libopendkim takes for blanks. */
static void look_at_lines(struct pw_dkim_signer *signer, struct pw_str name,
                          struct pw_str value)
{
	size_t line = name.len + 1; /* and the colon */

	for (struct pw_str rest = value; rest.at != NULL; line = 0) {
		struct pw_str one = pw_str_cut(&rest, '\n');

		if (rest.at != NULL && one.len > 0 && one.at[one.len - 1] == '\r')
			one.len--;
		if (line + one.len > signer->line_max)
			signer->too_long = true;
		if (has_any(one, PW_STR("\r\v\f")) ||
		    (rest.at != NULL && (rest.len == 0 || !pw_is_wsp(rest.at[0]))))
			signer->has_stray = true;
	}
}

enum pw_status pw_dkim_signer_header(struct pw_dkim_signer *signer, struct pw_str name,
                                     struct pw_str value)
{
	size_t row, at = signer->texts.len;

	if (!find_row(name, &row))
		return PW_OK;
	if (signer->count == PW_DKIM_SIGN_FIELDS_MAX)
		return PW_ERR_LIMIT;
	look_at_lines(signer, name, value);
	pw_canon_header_relaxed(&signer->texts, name, value);
	signer->fields[signer->count++] =
		(struct field){ row, at, signer->texts.len - at };
	return pw_buf_status(&signer->texts);
}

enum pw_status pw_dkim_signer_body(struct pw_dkim_signer *signer, struct pw_str chunk)
{
	if (signer->is_complete)
		return PW_ERR_STATE;
	pw_canon_body_relaxed(&signer->body, chunk);
	return signer->hash_failed ? PW_ERR_CRYPTO : PW_OK;
}

static enum pw_status complete(struct pw_dkim_signer *signer)
{
	unsigned char digest[32], text[sizeof(digest) * 2];
	int n;

	if (signer->is_complete)
		return PW_OK;
	pw_canon_body_end(&signer->body);
	if (signer->hash_failed || EVP_DigestFinal_ex(signer->hash, digest, NULL) != 1)
		return PW_ERR_CRYPTO;
	n = EVP_EncodeBlock(text, digest, sizeof(digest));
	pw_buf_puts(&signer->body_hash, (struct pw_str){ (char *)text, (size_t)n });
	signer->is_complete = true;
	signer->too_long = signer->too_long || signer->body.line_max > signer->line_max;
	signer->has_stray = signer->has_stray || signer->body.has_stray;
	return pw_buf_status(&signer->body_hash);
}

/* How many fields of this row there are. */
static unsigned row_count(const struct pw_dkim_signer *signer, size_t row)
{
	unsigned n = 0;

	for (size_t i = 0; i < signer->count; i++)
		n += signer->fields[i].row == row ? 1 : 0;
	return n;
}

/* The field is written token by token; a token that would pass LINE_WIDTH begins a line.
 */
struct folder {
	struct pw_buf *out;
	size_t line;
};

static void fold_put(struct folder *f, struct pw_str token, bool may_blank)
{
	if (f->line + token.len + (may_blank ? 1 : 0) > LINE_WIDTH) {
		pw_buf_puts(f->out, PW_STR("\n\t"));
		f->line = 8;
	} else if (may_blank) {
		pw_buf_putc(f->out, ' ');
		f->line++;
	}
	pw_buf_puts(f->out, token);
	f->line += token.len;
}

/* What could not be built whole must not be signed. */
static void fail_if(struct folder *f, const struct pw_buf *built)
{
	if (pw_buf_status(built) != PW_OK)
		f->out->status = pw_buf_status(built);
}

static void fold_tag(struct folder *f, const char *name, struct pw_str value)
{
	PW_AUTO(pw_buf_done) struct pw_buf token = { 0 };

	pw_buf_printf(&token, "%s=%.*s;", name, PW_FMT(value));
	fold_put(f, pw_buf_str(&token), true);
	fail_if(f, &token);
}

/* Base64, broken wherever the line is full. */
static void fold_put_broken(struct folder *f, struct pw_str text)
{
	while (text.len > 0) {
		struct pw_str piece;

		if (f->line >= LINE_WIDTH) {
			pw_buf_puts(f->out, PW_STR("\n\t"));
			f->line = 8;
		}
		piece = pw_str_sub(text, 0, LINE_WIDTH - f->line);
		pw_buf_puts(f->out, piece);
		f->line += piece.len;
		text = pw_str_sub(text, piece.len, text.len);
	}
}

/* h=: every row as often as it is there and `extra` more; a line may end behind a colon.
 */
static void put_names(const struct pw_dkim_signer *signer, struct folder *f)
{
	PW_AUTO(pw_buf_done) struct pw_buf list = { 0 };
	struct pw_str rest;

	pw_buf_puts(&list, PW_STR("h="));
	for (size_t row = 0; row < PW_LEN(signed_names); row++) {
		unsigned n = row_count(signer, row);

		for (n += n > 0 ? signed_names[row].extra : 0; n > 0; n--) {
			pw_buf_puts(&list, signed_names[row].name);
			pw_buf_putc(&list, ':');
		}
	}
	pw_buf_truncate(&list, list.len - 1);
	pw_buf_putc(&list, ';');
	rest = pw_buf_str(&list);
	for (bool is_first = true; rest.len > 0; is_first = false) {
		size_t len = pw_str_find(rest, ':') + 1;

		fold_put(f, pw_str_sub(rest, 0, len), is_first);
		rest = pw_str_sub(rest, len < rest.len ? len : rest.len, rest.len);
	}
	fail_if(f, &list);
}

/* The field's value but for the signature itself: up to and with "b=". */
static void put_value(const struct pw_dkim_signer *signer, struct folder *f,
                      const struct pw_dkim_sign_as *as, int64_t now_s)
{
	PW_AUTO(pw_buf_done) struct pw_buf time = { 0 };
	const char *algorithm = pw_dkim_algorithm_text(pw_dkim_key_algorithm(as->key));

	pw_buf_put_int(&time, now_s);
	fold_put(f, PW_STR("v=1;"), false);
	fold_tag(f, "a", pw_str_from(algorithm));
	fold_put(f, PW_STR("c=relaxed/relaxed;"), true);
	fold_tag(f, "d", as->domain);
	fold_tag(f, "s", as->selector);
	fold_tag(f, "t", pw_buf_str(&time));
	put_names(signer, f);
	fold_tag(f, "bh", pw_buf_str(&signer->body_hash));
	f->line = LINE_WIDTH; /* the signature begins a line */
	fold_put(f, PW_STR("b="), true);
	fail_if(f, &time);
}

/* What is signed (RFC 6376 3.7): the fields as h= names them, of one name the last first,
 * then our own field without its signature and without line end. */
static enum pw_status put_data(const struct pw_dkim_signer *signer, struct pw_buf *out,
                               struct pw_str own_value)
{
	for (size_t row = 0; row < PW_LEN(signed_names); row++) {
		for (size_t i = signer->count; i-- > 0;) {
			const struct field *field = &signer->fields[i];

			if (field->row == row)
				pw_buf_puts(out, pw_str_sub(pw_buf_str(&signer->texts),
				                            field->at, field->len));
		}
	}
	pw_canon_header_relaxed(out, PW_STR("DKIM-Signature"), own_value);
	if (pw_buf_status(out) == PW_OK)
		pw_buf_truncate(out, out->len - 2);
	return pw_buf_status(out);
}

enum pw_status pw_dkim_signer_sign(struct pw_dkim_signer *signer,
                                   const struct pw_dkim_sign_as *as, struct pw_buf *out,
                                   int64_t now_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf data = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf signature = { 0 };
	struct folder f = { out, sizeof("DKIM-Signature: ") - 1 };
	size_t start = out->len;
	enum pw_status r;

	if ((r = complete(signer)) != PW_OK)
		return r;
	if (row_count(signer, 0) == 0)
		return PW_ERR_STATE;
	if (signer->too_long)
		return PW_ERR_LIMIT;
	if (signer->has_stray)
		return PW_ERR_SYNTAX;
	put_value(signer, &f, as, now_ms / 1000);
	if ((r = pw_buf_status(out)) != PW_OK)
		return r;
	if ((r = put_data(signer, &data, pw_str_sub(pw_buf_str(out), start, out->len))) !=
	    PW_OK)
		return r;
	if ((r = pw_dkim_key_sign(as->key, pw_buf_str(&data), &signature)) != PW_OK)
		return r;
	fold_put_broken(&f, pw_buf_str(&signature));
	return pw_buf_status(out);
}
