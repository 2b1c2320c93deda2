#include "mail/dkim_sign.h"

#include <openssl/evp.h>

#include <stdlib.h>

#include "core/ascii.h"
#include "core/canon.h"

#define LINE_WIDTH 76 /* of the field we write */

struct field {
	size_t at, len; /* of its canonical text in `texts` */
	size_t name_len;
	bool too_long, has_stray; /* as of the signer */
};

struct pw_dkim_signer {
	struct pw_canon_body body;
	EVP_MD_CTX *hash;
	bool hash_failed;
	size_t line_max;
	bool too_long;  /* a line of the body will be broken on the way */
	bool has_stray; /* bytes of the body about which verifiers do not agree */
	bool is_complete;
	bool has_left_out;       /* fields that the default list does not name */
	struct pw_buf body_hash; /* base64 */
	struct pw_buf texts;
	struct field fields[2 * PW_DKIM_SIGN_FIELDS_MAX];
	size_t count, named; /* of fields; those of the default list */
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

static bool has_any(struct pw_str s, struct pw_str bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if (pw_str_find(s, bytes.at[i]) < s.len)
			return true;
	return false;
}

/* Look for lines that are too long, for line ends that are no folds, and for VT and FF,
 * which libopendkim takes for blanks. */
static void look_at_lines(struct field *field, size_t line_max, struct pw_str name,
                          struct pw_str value)
{
	size_t line = name.len + 1; /* and the colon */

	for (struct pw_str rest = value; rest.at != NULL; line = 0) {
		struct pw_str one = pw_str_cut(&rest, '\n');

		if (rest.at != NULL && one.len > 0 && one.at[one.len - 1] == '\r')
			one.len--;
		if (line + one.len > line_max)
			field->too_long = true;
		if (has_any(one, PW_STR("\r\v\f")) ||
		    (rest.at != NULL && (rest.len == 0 || !pw_is_wsp(rest.at[0]))))
			field->has_stray = true;
	}
}

/* Is there room for it? A field of the default list must have it. */
static enum pw_status make_room(struct pw_dkim_signer *signer, struct pw_str name,
                                struct pw_str value)
{
	bool is_named = pw_dkim_names_has(pw_dkim_names_default(), name);
	size_t bytes = signer->texts.len + name.len + value.len + 3; /* colon, CRLF */
	size_t others = signer->count - signer->named;

	if (is_named && signer->named < PW_DKIM_SIGN_FIELDS_MAX) {
		signer->named++;
		return bytes <= PW_DKIM_SIGN_BYTES_MAX ? PW_OK : PW_ERR_LIMIT;
	}
	if (is_named)
		return PW_ERR_LIMIT;
	/* half of the room is kept for those of the list */
	if (others < PW_DKIM_SIGN_FIELDS_MAX && bytes <= PW_DKIM_SIGN_BYTES_MAX / 2)
		return PW_OK;
	signer->has_left_out = true;
	return PW_ERR_RANGE;
}

enum pw_status pw_dkim_signer_header(struct pw_dkim_signer *signer, struct pw_str name,
                                     struct pw_str value)
{
	struct field field = { .at = signer->texts.len };
	enum pw_status r;

	name = pw_str_trim_wsp(name);
	if ((r = make_room(signer, name, value)) != PW_OK)
		return r == PW_ERR_RANGE ? PW_OK : r;
	look_at_lines(&field, signer->line_max, name, value);
	pw_canon_header_relaxed(&signer->texts, name, value);
	field.name_len = name.len;
	field.len = signer->texts.len - field.at;
	signer->fields[signer->count++] = field;
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

static struct pw_str text_of(const struct pw_dkim_signer *signer,
                             const struct field *field)
{
	return pw_str_sub(pw_buf_str(&signer->texts), field->at, field->len);
}

static bool has_name(const struct pw_dkim_signer *signer, const struct field *field,
                     struct pw_str name)
{
	return field->name_len == name.len &&
	       pw_str_eq_nocase(pw_str_sub(text_of(signer, field), 0, name.len), name);
}

static unsigned name_count(const struct pw_dkim_signer *signer, struct pw_str name)
{
	unsigned n = 0;

	for (size_t i = 0; i < signer->count; i++)
		n += has_name(signer, &signer->fields[i], name) ? 1 : 0;
	return n;
}

/* May these be signed? */
static enum pw_status look_at_fields(const struct pw_dkim_signer *signer,
                                     const struct pw_dkim_names *names)
{
	bool too_long = signer->too_long, has_stray = signer->has_stray;

	for (size_t i = 0; i < signer->count; i++) {
		const struct field *field = &signer->fields[i];
		struct pw_str name =
			pw_str_sub(text_of(signer, field), 0, field->name_len);

		if ((!field->too_long && !field->has_stray) ||
		    !pw_dkim_names_has(names, name))
			continue;
		too_long = too_long || field->too_long;
		has_stray = has_stray || field->has_stray;
	}
	if (too_long)
		return PW_ERR_LIMIT;
	return has_stray ? PW_ERR_SYNTAX : PW_OK;
}

/* Could it be that a field of this list was left out? */
static bool misses(const struct pw_dkim_signer *signer, const struct pw_dkim_names *names)
{
	for (size_t i = 0; signer->has_left_out && i < names->count; i++)
		if (!pw_dkim_names_has(pw_dkim_names_default(), names->at[i].name))
			return true;
	return false;
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

/* How often h= names it. */
static unsigned times(const struct pw_dkim_signer *signer,
                      const struct pw_dkim_name *name)
{
	unsigned n = name_count(signer, name->name);

	switch (name->oversign) {
	case PW_DKIM_ALWAYS:
		return n + 1;
	case PW_DKIM_IF_THERE:
		return n > 0 ? n + 1 : 0;
	case PW_DKIM_AS_OFTEN:
		break;
	}
	return n;
}

/* h=: a line may end behind a colon. */
static void put_names(const struct pw_dkim_signer *signer, struct folder *f,
                      const struct pw_dkim_names *names)
{
	PW_AUTO(pw_buf_done) struct pw_buf list = { 0 };
	struct pw_str rest;

	pw_buf_puts(&list, PW_STR("h="));
	for (size_t i = 0; i < names->count; i++) {
		for (unsigned n = times(signer, &names->at[i]); n > 0; n--) {
			pw_buf_puts(&list, names->at[i].name);
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

/* i=: what is not plain in the local part goes as dkim-quoted-printable (RFC 6376 2.11).
 */
static void put_identity(struct folder *f, struct pw_str identity)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	size_t at = identity.len;

	if (identity.len == 0)
		return;
	while (at > 0 && identity.at[at - 1] != '@')
		at--;
	for (size_t i = 0; i < identity.len; i++) {
		unsigned char c = (unsigned char)identity.at[i];

		if (i + 1 < at && (c <= ' ' || c >= 0x7f || c == ';' || c == '='))
			pw_buf_printf(&text, "=%02X", c);
		else
			pw_buf_putc(&text, (char)c);
	}
	fold_tag(f, "i", pw_buf_str(&text));
	fail_if(f, &text);
}

static void put_times(struct folder *f, int64_t now_s, int64_t expires_s)
{
	PW_AUTO(pw_buf_done) struct pw_buf time = { 0 };

	pw_buf_put_int(&time, now_s);
	fold_tag(f, "t", pw_buf_str(&time));
	fail_if(f, &time);
	if (expires_s <= 0)
		return;
	pw_buf_truncate(&time, 0);
	pw_buf_put_int(&time, now_s + expires_s);
	fold_tag(f, "x", pw_buf_str(&time));
	fail_if(f, &time);
}

/* The field's value but for the signature itself: up to and with "b=". */
static void put_value(const struct pw_dkim_signer *signer, struct folder *f,
                      const struct pw_dkim_sign_as *as, int64_t now_s)
{
	const char *algorithm = pw_dkim_algorithm_text(pw_dkim_key_algorithm(as->key));

	fold_put(f, PW_STR("v=1;"), false);
	fold_tag(f, "a", pw_str_from(algorithm));
	fold_put(f, PW_STR("c=relaxed/relaxed;"), true);
	fold_tag(f, "d", as->domain);
	fold_tag(f, "s", as->selector);
	put_identity(f, as->identity);
	put_times(f, now_s, as->expires_s);
	put_names(signer, f, as->names);
	fold_tag(f, "bh", pw_buf_str(&signer->body_hash));
	f->line = LINE_WIDTH; /* the signature begins a line */
	fold_put(f, PW_STR("b="), true);
}

/* What is signed (RFC 6376 3.7): the fields as h= names them, of one name the last first,
 * then our own field without its signature and without line end. */
static enum pw_status put_data(const struct pw_dkim_signer *signer, struct pw_buf *out,
                               const struct pw_dkim_names *names, struct pw_str own_value)
{
	for (size_t n = 0; n < names->count; n++) {
		for (size_t i = signer->count; i-- > 0;) {
			const struct field *field = &signer->fields[i];

			if (has_name(signer, field, names->at[n].name))
				pw_buf_puts(out, text_of(signer, field));
		}
	}
	pw_canon_header_relaxed(out, PW_STR("DKIM-Signature"), own_value);
	if (pw_buf_status(out) == PW_OK)
		pw_buf_truncate(out, out->len - 2);
	return pw_buf_status(out);
}

/* Can there be such a signature, and one that holds? */
static enum pw_status look(struct pw_dkim_signer *signer,
                           const struct pw_dkim_names *names)
{
	enum pw_status r = complete(signer);

	if (r != PW_OK)
		return r;
	if (name_count(signer, PW_STR("From")) == 0)
		return PW_ERR_STATE;
	if (misses(signer, names))
		return PW_ERR_RANGE;
	return look_at_fields(signer, names);
}

enum pw_status pw_dkim_signer_sign(struct pw_dkim_signer *signer,
                                   const struct pw_dkim_sign_as *wanted,
                                   struct pw_buf *out, int64_t now_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf data = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf signature = { 0 };
	struct folder f = { out, sizeof("DKIM-Signature: ") - 1 };
	struct pw_dkim_sign_as as = *wanted;
	size_t start = out->len;
	enum pw_status r;

	if (!as.names)
		as.names = pw_dkim_names_default();
	if ((r = look(signer, as.names)) != PW_OK)
		return r;
	put_value(signer, &f, &as, now_ms / 1000);
	if ((r = pw_buf_status(out)) != PW_OK)
		return r;
	if ((r = put_data(signer, &data, as.names,
	                  pw_str_sub(pw_buf_str(out), start, out->len))) != PW_OK ||
	    (r = pw_dkim_key_sign(as.key, pw_buf_str(&data), &signature)) != PW_OK)
		return r;
	fold_put_broken(&f, pw_buf_str(&signature));
	return pw_buf_status(out);
}
