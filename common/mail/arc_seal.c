#include "mail/arc_seal.h"

#include <string.h>

#include "core/ascii.h"
#include "mail/arc_crypto.h"
#include "mail/arc_results.h"

#define LINE_WIDTH 72 /* of the fields we write */

struct pw_arc_sealer {
	struct pw_arena *arena;
	struct pw_arc_field *fields;
	size_t count, room;
	struct pw_arc_chain chain;
	struct pw_arc_body *body;
	size_t line_max;
	bool is_too_long; /* a line will be broken on the way */
	bool has_stray;   /* bytes about which verifiers do not agree */
};

/* As a DKIM signature covers them, and the signatures that are there (RFC 8617 4.1.2);
 * never what a hop on the way adds. `extra`: named once more, so that none can be added.
 */
static const struct signed_name {
	struct pw_str name;
	unsigned extra;
} signed_names[] = {
	/* clang-format off */
	{ { "From", 4 },                       1 },
	{ { "Sender", 6 },                     0 },
	{ { "Reply-To", 8 },                   0 },
	{ { "To", 2 },                         1 },
	{ { "Cc", 2 },                         0 },
	{ { "Subject", 7 },                    1 },
	{ { "Date", 4 },                       1 },
	{ { "Message-ID", 10 },                0 },
	{ { "In-Reply-To", 11 },               0 },
	{ { "References", 10 },                0 },
	{ { "MIME-Version", 12 },              0 },
	{ { "Content-Type", 12 },              0 },
	{ { "Content-Transfer-Encoding", 25 }, 0 },
	{ { "Content-Disposition", 19 },       0 },
	{ { "List-Id", 7 },                    0 },
	{ { "List-Unsubscribe", 16 },          0 },
	{ { "List-Unsubscribe-Post", 21 },     0 },
	{ { "DKIM-Signature", 14 },            0 },
	/* clang-format on */
};

enum pw_status pw_arc_sealer_new(struct pw_arc_sealer **out, struct pw_arena *arena,
                                 size_t line_max)
{
	struct pw_arc_sealer *sealer = pw_arena_alloc(arena, sizeof(*sealer));
	enum pw_status r;

	if (sealer == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_arc_body_new(&sealer->body, false, INT64_MAX)) != PW_OK)
		return r;
	sealer->arena = arena;
	sealer->line_max = line_max > 0 ? line_max : SIZE_MAX;
	*out = sealer;
	return PW_OK;
}

void pw_arc_sealer_free(struct pw_arc_sealer **sealer)
{
	if (*sealer == NULL)
		return;
	pw_arc_body_free(&(*sealer)->body);
	*sealer = NULL; /* its memory is the arena's */
}

static enum pw_status grow(struct pw_arc_sealer *sealer)
{
	size_t room = sealer->room == 0 ? 32 : sealer->room * 2;
	struct pw_arc_field *more = pw_arena_array(sealer->arena, room, sizeof(*more));

	if (more == NULL)
		return PW_ERR_NOMEM;
	if (sealer->count > 0)
		memcpy(more, sealer->fields, sealer->count * sizeof(*more));
	sealer->fields = more;
	sealer->room = room;
	return PW_OK;
}

static const struct signed_name *find_signed(struct pw_str name)
{
	for (size_t i = 0; i < PW_LEN(signed_names); i++)
		if (pw_str_eq_nocase(name, signed_names[i].name))
			return &signed_names[i];
	return NULL;
}

static bool has_any(struct pw_str s, struct pw_str bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if (pw_str_find(s, bytes.at[i]) < s.len)
			return true;
	return false;
}

/* Lines that are too long, line ends that are no folds, and VT and FF, which some
 * verifiers take for blanks. */
static void look_at_lines(struct pw_arc_sealer *sealer, struct pw_str name,
                          struct pw_str value)
{
	size_t line = name.len + 1; /* and the colon */

	for (struct pw_str rest = value; rest.at != NULL; line = 0) {
		struct pw_str one = pw_str_cut(&rest, '\n');

		if (rest.at != NULL && one.len > 0 && one.at[one.len - 1] == '\r')
			one.len--;
		if (line + one.len > sealer->line_max)
			sealer->is_too_long = true;
		if (has_any(one, PW_STR("\r\v\f")) ||
		    (rest.at != NULL && (rest.len == 0 || !pw_is_wsp(rest.at[0]))))
			sealer->has_stray = true;
	}
}

enum pw_status pw_arc_sealer_header(struct pw_arc_sealer *sealer, struct pw_str name,
                                    struct pw_str value)
{
	struct pw_arc_field *field;
	enum pw_arc_kind kind;
	bool is_ours = pw_arc_kind_of(name, &kind);
	enum pw_status r;

	if (sealer->count == PW_ARC_FIELDS_MAX)
		return PW_ERR_LIMIT;
	if (is_ours || find_signed(pw_str_trim_wsp(name)) != NULL)
		look_at_lines(sealer, name, value);
	if (sealer->count == sealer->room && (r = grow(sealer)) != PW_OK)
		return r;
	field = &sealer->fields[sealer->count];
	if ((r = pw_arena_copy(sealer->arena, name, &field->name)) != PW_OK ||
	    (r = pw_arena_copy(sealer->arena, value, &field->value)) != PW_OK)
		return r;
	sealer->count++;
	if (is_ours)
		pw_arc_chain_add(&sealer->chain, kind, field->name, field->value);
	return PW_OK;
}

void pw_arc_sealer_body(struct pw_arc_sealer *sealer, struct pw_str chunk)
{
	pw_arc_body_add(sealer->body, chunk);
}

const struct pw_arc_chain *pw_arc_sealer_chain(const struct pw_arc_sealer *sealer)
{
	return &sealer->chain;
}

void pw_arc_sealer_results(const struct pw_arc_sealer *sealer, struct pw_buf *out,
                           struct pw_str authserv_id)
{
	pw_arc_put_results(out, sealer->fields, sealer->count, authserv_id);
}

/* h=: every name as often as it is there and `extra` more. */
static void gather_names(struct pw_buf *out, const struct pw_arc_sealer *sealer)
{
	for (size_t row = 0; row < PW_LEN(signed_names); row++) {
		unsigned n = signed_names[row].extra;

		for (size_t i = 0; i < sealer->count; i++)
			n += pw_str_eq_nocase(pw_str_trim_wsp(sealer->fields[i].name),
			                      signed_names[row].name)
			             ? 1
			             : 0;
		for (; n > 0; n--) {
			if (out->len > 0)
				pw_buf_putc(out, ':');
			pw_buf_puts(out, signed_names[row].name);
		}
	}
}

/* A line may end behind a colon. */
static void put_names(struct pw_buf *out, struct pw_str names)
{
	size_t line = 2;

	pw_buf_puts(out, PW_STR("h="));
	while (names.at != NULL) {
		struct pw_str one = pw_str_cut(&names, ':');

		if (line + one.len + 1 > LINE_WIDTH) {
			pw_buf_puts(out, PW_STR("\n\t"));
			line = 0;
		}
		pw_buf_puts(out, one);
		pw_buf_putc(out, names.at != NULL ? ':' : ';');
		line += one.len + 1;
	}
}

static void put_signature(struct pw_buf *out, struct pw_str text, size_t width)
{
	struct pw_str piece;

	for (size_t at = 0; at < text.len; at += piece.len) {
		piece = pw_str_sub(text, at, width);
		if (at > 0)
			pw_buf_puts(out, PW_STR("\n\t"));
		pw_buf_puts(out, piece);
	}
}

/* One signature field as it is written: what is before its signature and what behind. */
struct halves {
	struct pw_buf before, behind;
	size_t width; /* of the lines of the signature */
};

static void halves_done(struct halves *h)
{
	pw_buf_done(&h->before);
	pw_buf_done(&h->behind);
}

static void put_before(struct halves *h, const struct pw_arc_seal_as *as)
{
	h->width = as->keeps_signature_whole ? SIZE_MAX : LINE_WIDTH;
	pw_buf_printf(&h->before, "a=%s;\n\tb=",
	              pw_dkim_algorithm_text(pw_dkim_key_algorithm(as->key)));
}

/* dkimpy finds i= by the blank before it. */
static void put_behind(struct halves *h, const struct pw_arc_seal_as *as,
                       unsigned instance, int64_t now_s)
{
	pw_buf_printf(&h->behind, " i=%u;\n\ts=%.*s; t=", instance, PW_FMT(as->selector));
	pw_buf_put_int(&h->behind, now_s);
}

/* The field with signature between its halves. */
static enum pw_status join(struct pw_buf *out, const struct halves *h,
                           struct pw_str signature)
{
	if (pw_buf_status(&h->before) != PW_OK)
		return pw_buf_status(&h->before);
	if (pw_buf_status(&h->behind) != PW_OK)
		return pw_buf_status(&h->behind);
	pw_buf_reset(out);
	pw_buf_puts(out, pw_buf_str(&h->before));
	put_signature(out, signature, h->width);
	pw_buf_puts(out, pw_buf_str(&h->behind));
	return pw_buf_status(out);
}

static enum pw_status sign(struct pw_buf *out, const struct halves *h,
                           const struct pw_arc_seal_as *as, const struct pw_buf *data)
{
	PW_AUTO(pw_buf_done) struct pw_buf signature = { 0 };
	enum pw_status r;

	if ((r = pw_buf_status(data)) != PW_OK ||
	    (r = pw_dkim_key_sign(as->key, pw_buf_str(data), &signature)) != PW_OK)
		return r;
	return join(out, h, pw_buf_str(&signature));
}

static struct pw_arc_field field_of(enum pw_arc_kind kind, const struct pw_buf *value)
{
	return (struct pw_arc_field){ pw_str_from(pw_arc_field_name(kind)),
		                      pw_buf_str(value) };
}

static enum pw_status make_message(struct pw_arc_sealer *sealer,
                                   const struct pw_arc_seal_as *as, struct pw_str names,
                                   struct pw_str body_hash, struct pw_buf *out,
                                   int64_t now_s)
{
	PW_AUTO(halves_done) struct halves h = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf data = { 0 };
	struct pw_arc_field own;
	enum pw_status r;

	put_before(&h, as);
	pw_buf_printf(&h.behind, ";\n\tbh=%.*s; c=relaxed/relaxed;\n\td=%.*s;\n\t",
	              PW_FMT(body_hash), PW_FMT(as->domain));
	put_names(&h.behind, names);
	put_behind(&h, as, sealer->chain.count + 1, now_s);
	if ((r = join(out, &h, PW_STR(""))) != PW_OK)
		return r;
	own = field_of(PW_ARC_MESSAGE, out);
	r = pw_arc_put_signed(&data, sealer->fields, sealer->count, &own, names, false);
	return r == PW_OK ? sign(out, &h, as, &data) : r;
}

static enum pw_status make_seal(struct pw_arc_sealer *sealer,
                                const struct pw_arc_seal_as *as,
                                struct pw_buf values[PW_ARC_KINDS], int64_t now_s)
{
	PW_AUTO(halves_done) struct halves h = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf data = { 0 };
	struct pw_arc_set *set = &sealer->chain.sets[sealer->chain.count];
	unsigned instance = sealer->chain.count + 1;
	enum pw_status r;

	put_before(&h, as);
	pw_buf_printf(&h.behind, ";\n\tcv=%s; d=%.*s;", pw_arc_result_text(as->cv),
	              PW_FMT(as->domain));
	put_behind(&h, as, instance, now_s);
	if ((r = join(&values[PW_ARC_SEAL], &h, PW_STR(""))) != PW_OK)
		return r;
	for (size_t kind = 0; kind < PW_ARC_KINDS; kind++)
		set->fields[kind] = field_of((enum pw_arc_kind)kind, &values[kind]);
	pw_arc_put_sealed(&data, &sealer->chain, instance, as->cv == PW_ARC_FAIL);
	return sign(&values[PW_ARC_SEAL], &h, as, &data);
}

/* May a set be added, and will what it covers arrive as it is?
 *
 * Errors  as pw_arc_sealer_seal */
static enum pw_status look(struct pw_arc_sealer *sealer, struct pw_buf *body_hash)
{
	const struct pw_arc_chain *chain = &sealer->chain;
	size_t line_max;
	bool has_stray;
	enum pw_status r;

	if (chain->count == PW_ARC_SETS_MAX ||
	    (chain->count == 0 && chain->broken != NULL) ||
	    (chain->count > 0 && chain->sets[chain->count - 1].cv == PW_ARC_FAIL))
		return PW_ERR_STATE; /* RFC 8617 5.1, step 2 */
	if ((r = pw_arc_body_end(sealer->body, body_hash, &line_max, &has_stray)) !=
	    PW_OK)
		return r;
	if (sealer->is_too_long || line_max > sealer->line_max)
		return PW_ERR_LIMIT;
	return sealer->has_stray || has_stray ? PW_ERR_SYNTAX : PW_OK;
}

enum pw_status pw_arc_sealer_seal(struct pw_arc_sealer *sealer,
                                  const struct pw_arc_seal_as *as,
                                  struct pw_buf values[PW_ARC_KINDS], int64_t now_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf names = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf body_hash = { 0 };
	struct pw_buf *results = &values[PW_ARC_RESULTS];
	enum pw_status r;

	if ((r = look(sealer, &body_hash)) != PW_OK)
		return r;
	if (as->names.len > 0)
		pw_buf_puts(&names, as->names);
	else
		gather_names(&names, sealer);
	pw_buf_printf(results, "i=%u; ", sealer->chain.count + 1);
	pw_buf_puts(results, pw_str_trim(as->results));
	if ((r = pw_buf_status(&names)) != PW_OK || (r = pw_buf_status(results)) != PW_OK)
		return r;
	r = make_message(sealer, as, pw_buf_str(&names), pw_buf_str(&body_hash),
	                 &values[PW_ARC_MESSAGE], now_ms / 1000);
	return r == PW_OK ? make_seal(sealer, as, values, now_ms / 1000) : r;
}
