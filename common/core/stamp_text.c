#include "core/stamp_text.h"

#include <stddef.h>
#include <string.h>

#include "core/ascii.h"
#include "core/base64.h"
#include "core/xtext.h"

#define TEXT_MAX 255 /* bytes of a text, decoded */
#define QUEUE_ID_MAX 64
#define TLS_MAX 128
#define FIELDS_MAX 1000000
#define TIME_MAX ((int64_t)1 << 40)
#define COLUMNS 76

static const struct pw_str absent = { "-", 1 };
static const struct pw_str tempunavail = { "[TEMPUNAVAIL]", 13 };

/* What a reader of a list works with. */
struct reader {
	struct pw_stamp *stamp;
	struct pw_arena *arena;
	struct pw_str id, mac;
	struct pw_buf decoded;
	enum pw_status status; /* of memory */
};

/* A row of the table: field points at the tag's offset in the stamp, max is its most. */
struct tag {
	const char *name;
	bool is_fact; /* stands in Postward-Client too */
	size_t offset;
	int64_t max;
	void (*put)(struct pw_buf *out, const void *field, int64_t max);
	bool (*get)(struct reader *reader, void *field, struct pw_str value, int64_t max);
};

/* Kinds of values. */

/* xtext, and the semicolon encoded as well. */
static void put_encoded(struct pw_buf *out, struct pw_str value)
{
	while (value.len > 0) {
		struct pw_str part = pw_str_sub(value, 0, pw_str_find(value, ';'));

		pw_xtext_encode(out, part);
		if (part.len < value.len)
			pw_buf_puts(out, PW_STR("+3B"));
		value = pw_str_sub(value, part.len + 1, value.len);
	}
}

static void put_slice(struct pw_buf *out, struct pw_str value, int64_t max)
{
	if (value.len == 0)
		pw_buf_puts(out, absent);
	else if (pw_str_eq(value, absent))
		pw_buf_puts(out, PW_STR("+2D"));
	else
		put_encoded(out, pw_str_sub(value, 0, (size_t)max));
}

static void put_text(struct pw_buf *out, const void *field, int64_t max)
{
	const struct pw_str *value = field;

	put_slice(out, *value, max);
}

static bool get_text(struct reader *reader, void *field, struct pw_str value, int64_t max)
{
	struct pw_str *out = field;

	if (pw_str_eq(value, absent)) {
		*out = PW_STR("");
		return true;
	}
	pw_buf_reset(&reader->decoded);
	if (value.len == 0 || pw_xtext_decode(&reader->decoded, value) != PW_OK ||
	    reader->decoded.len > (size_t)max)
		return false;
	reader->status = pw_arena_copy(reader->arena, pw_buf_str(&reader->decoded), out);
	return reader->status == PW_OK;
}

static bool parse_number(int64_t *out, struct pw_str value, int64_t max)
{
	for (size_t i = 0; i < value.len; i++)
		if (!pw_is_digit(value.at[i]))
			return false;
	return pw_str_to_int64(value, 0, max, out) == PW_OK;
}

static void put_time(struct pw_buf *out, const void *field, int64_t max)
{
	const int64_t *at_s = field;

	(void)max;
	pw_buf_put_int(out, *at_s);
}

static bool get_time(struct reader *reader, void *field, struct pw_str value, int64_t max)
{
	(void)reader;
	return parse_number(field, value, max);
}

static void put_count(struct pw_buf *out, const void *field, int64_t max)
{
	const uint32_t *count = field;

	(void)max;
	pw_buf_put_int(out, *count);
}

static bool get_count(struct reader *reader, void *field, struct pw_str value,
                      int64_t max)
{
	uint32_t *out = field;
	int64_t count;

	(void)reader;
	if (!parse_number(&count, value, max))
		return false;
	*out = (uint32_t)count;
	return true;
}

static void put_port(struct pw_buf *out, const void *field, int64_t max)
{
	const uint16_t *port = field;

	(void)max;
	if (*port == 0)
		pw_buf_puts(out, absent);
	else
		pw_buf_put_int(out, *port);
}

static bool get_port(struct reader *reader, void *field, struct pw_str value, int64_t max)
{
	uint16_t *out = field;
	int64_t port = 0;

	(void)reader;
	if (!pw_str_eq(value, absent) && (!parse_number(&port, value, max) || port == 0))
		return false;
	*out = (uint16_t)port;
	return true;
}

static void put_ip(struct pw_buf *out, const void *field, int64_t max)
{
	const struct pw_ip *ip = field;

	(void)max;
	if (ip->family == PW_IP_NONE)
		pw_buf_puts(out, absent);
	else
		pw_ip_put(out, pw_ip_unmap(*ip));
}

static bool get_ip(struct reader *reader, void *field, struct pw_str value, int64_t max)
{
	struct pw_ip *out = field;

	(void)reader, (void)max;
	if (pw_str_eq(value, absent))
		return true;
	if (pw_ip_parse(out, value) != PW_OK)
		return false;
	*out = pw_ip_unmap(*out);
	return true;
}

/* max bytes, all of them. */
static void put_bytes(struct pw_buf *out, const void *field, int64_t max)
{
	pw_base64_put(out, PW_BASE64_URL, field, (size_t)max);
}

static bool get_bytes(struct reader *reader, void *field, struct pw_str value,
                      int64_t max)
{
	(void)reader;
	return pw_base64_get(field, (size_t)max, PW_BASE64_URL, value) == PW_OK;
}

/* Tags of a kind of their own; field is the stamp. */

static void put_version(struct pw_buf *out, const void *field, int64_t max)
{
	(void)field;
	pw_buf_put_int(out, max);
}

static bool get_version(struct reader *reader, void *field, struct pw_str value,
                        int64_t max)
{
	(void)reader, (void)field, (void)max;
	return pw_str_eq(value, PW_STR("1"));
}

static void put_key(struct pw_buf *out, const void *field, int64_t max)
{
	const struct pw_stamp *s = field;

	(void)max;
	pw_buf_puts(out, pw_str_from(s->key->id));
}

static bool get_key(struct reader *reader, void *field, struct pw_str value, int64_t max)
{
	(void)field;
	reader->id = value;
	return value.len == (size_t)max;
}

static void put_name(struct pw_buf *out, const void *field, int64_t max)
{
	const struct pw_stamp *s = field;
	const struct pw_origin *origin = &s->facts.origin;

	if (origin->name_state == PW_NAME_TEMPORARY)
		pw_buf_puts(out, tempunavail);
	else
		put_slice(out,
		          origin->name_state == PW_NAME_KNOWN ? origin->name : PW_STR(""),
		          max);
}

static bool get_name(struct reader *reader, void *field, struct pw_str value, int64_t max)
{
	struct pw_stamp *s = field;
	struct pw_origin *origin = &s->facts.origin;

	if (pw_str_eq(value, tempunavail)) {
		origin->name_state = PW_NAME_TEMPORARY;
		return true;
	}
	if (!get_text(reader, &origin->name, value, max))
		return false;
	origin->name_state = origin->name.len > 0 ? PW_NAME_KNOWN : PW_NAME_NONE;
	return true;
}

static void put_protocol(struct pw_buf *out, const void *field, int64_t max)
{
	const struct pw_stamp *s = field;
	bool is_plain = pw_str_eq_nocase(s->facts.origin.protocol, PW_STR("SMTP"));

	(void)max;
	pw_buf_puts(out, is_plain ? PW_STR("SMTP") : PW_STR("ESMTP"));
}

static bool get_protocol(struct reader *reader, void *field, struct pw_str value,
                         int64_t max)
{
	struct pw_stamp *s = field;
	bool is_plain = pw_str_eq(value, PW_STR("SMTP"));

	(void)reader, (void)max;
	s->facts.origin.protocol = is_plain ? PW_STR("SMTP") : PW_STR("ESMTP");
	return is_plain || pw_str_eq(value, PW_STR("ESMTP"));
}

static void put_tls(struct pw_buf *out, const void *field, int64_t max)
{
	const struct pw_stamp *s = field;
	const struct pw_origin *origin = &s->facts.origin;
	PW_AUTO(pw_buf_done) struct pw_buf both = { 0 };

	if (origin->tls_version.len > 0) {
		pw_buf_puts(&both, origin->tls_version);
		pw_buf_putc(&both, '/');
		pw_buf_puts(&both, origin->tls_cipher);
	}
	put_slice(out, pw_buf_str(&both), max);
}

static bool get_tls(struct reader *reader, void *field, struct pw_str value, int64_t max)
{
	struct pw_stamp *s = field;
	struct pw_str both;

	if (!get_text(reader, &both, value, max))
		return false;
	s->facts.origin.tls_version = pw_str_cut(&both, '/');
	s->facts.origin.tls_cipher = both;
	return true;
}

/* Too many to list: "*" and how many. */
static void put_recipients(struct pw_buf *out, const void *field, int64_t max)
{
	const struct pw_stamp *s = field;

	if (s->recipient_count > max) {
		pw_buf_putc(out, '*');
		pw_buf_put_int(out, s->recipient_count);
		return;
	}
	for (size_t i = 0; i < s->recipient_count; i++) {
		if (i > 0)
			pw_buf_putc(out, ',');
		put_bytes(out, s->recipients[i], PW_STAMP_HASH);
	}
}

static bool get_recipients(struct reader *reader, void *field, struct pw_str value,
                           int64_t max)
{
	struct pw_stamp *s = field;
	int64_t count;

	if (pw_str_starts(value, PW_STR("*"))) {
		if (!parse_number(&count, pw_str_sub(value, 1, value.len), UINT32_MAX) ||
		    count <= max)
			return false;
		s->recipient_count = (uint32_t)count;
		return true;
	}
	for (s->recipient_count = 0; value.at != NULL; s->recipient_count++)
		if (s->recipient_count == max ||
		    !get_bytes(reader, s->recipients[s->recipient_count],
		               pw_str_cut(&value, ','), PW_STAMP_HASH))
			return false;
	return true;
}

/* What is before it is what it protects; stamp.c writes it. */
static void put_mac(struct pw_buf *out, const void *field, int64_t max)
{
	(void)out, (void)field, (void)max;
}

static bool get_mac(struct reader *reader, void *field, struct pw_str value, int64_t max)
{
	(void)field, (void)max;
	reader->mac = value;
	return true;
}

#define AT(field) offsetof(struct pw_stamp, field)

/* clang-format off */
static const struct tag rows[] = {
	{ "v",  true,  0,                               1,                put_version,    get_version },
	{ "k",  false, 0,                               PW_STAMP_KEY_ID,  put_key,        get_key },
	{ "t",  true,  AT(facts.at_s),                  TIME_MAX,         put_time,       get_time },
	{ "n",  false, AT(nonce),                       PW_STAMP_NONCE,   put_bytes,      get_bytes },
	{ "e",  true,  AT(facts.edge),                  TEXT_MAX,         put_text,       get_text },
	{ "q",  true,  AT(facts.queue_id),              QUEUE_ID_MAX,     put_text,       get_text },
	{ "a",  true,  AT(facts.origin.address),        0,                put_ip,         get_ip },
	{ "p",  true,  AT(facts.origin.port),           UINT16_MAX,       put_port,       get_port },
	{ "nm", true,  0,                               TEXT_MAX,         put_name,       get_name },
	{ "pt", true,  AT(facts.origin.ptr),            TEXT_MAX,         put_text,       get_text },
	{ "h",  true,  AT(facts.origin.helo),           TEXT_MAX,         put_text,       get_text },
	{ "pr", true,  0,                               0,                put_protocol,   get_protocol },
	{ "tl", true,  0,                               TLS_MAX,          put_tls,        get_tls },
	{ "cf", true,  AT(facts.client_cert),           TLS_MAX,          put_text,       get_text },
	{ "lg", true,  AT(facts.origin.login),          TEXT_MAX,         put_text,       get_text },
	{ "da", true,  AT(facts.origin.server_address), 0,                put_ip,         get_ip },
	{ "dp", true,  AT(facts.origin.server_port),    UINT16_MAX,       put_port,       get_port },
	{ "f",  false, AT(sender),                      PW_STAMP_HASH,    put_bytes,      get_bytes },
	{ "rc", false, 0,                               PW_STAMP_RECIPIENTS_MAX, put_recipients, get_recipients },
	{ "hn", false, AT(fields),                      FIELDS_MAX,       put_count,      get_count },
	{ "dg", false, AT(digest),                      PW_STAMP_DIGEST,  put_bytes,      get_bytes },
	{ "m",  false, 0,                               0,                put_mac,        get_mac },
};
/* clang-format on */

static bool is_wanted(const struct tag *tag, enum pw_stamp_tags tags)
{
	return tags == PW_STAMP_TAGS || tag->is_fact;
}

enum pw_status pw_stamp_text_put(struct pw_buf *out, const struct pw_stamp *stamp,
                                 enum pw_stamp_tags tags)
{
	bool is_first = true;

	if (stamp->facts.origin.login.len > TEXT_MAX)
		return PW_ERR_LIMIT; /* a cut login would be somebody else's */
	for (size_t i = 0; i < PW_LEN(rows); i++) {
		const struct tag *tag = &rows[i];

		if (!is_wanted(tag, tags))
			continue;
		if (!is_first)
			pw_buf_putc(out, ';');
		is_first = false;
		pw_buf_puts(out, pw_str_from(tag->name));
		pw_buf_putc(out, '=');
		tag->put(out, (const char *)stamp + tag->offset, tag->max);
	}
	return pw_buf_status(out);
}

static bool parse_tag(struct reader *reader, const struct tag *tag, struct pw_str *rest)
{
	struct pw_str value = pw_str_cut(rest, ';');
	struct pw_str name = pw_str_cut(&value, '=');

	return value.at != NULL && pw_str_eq(name, pw_str_from(tag->name)) &&
	       tag->get(reader, (char *)reader->stamp + tag->offset, value, tag->max);
}

enum pw_status pw_stamp_text_parse(struct pw_stamp *out, struct pw_arena *arena,
                                   struct pw_str text, enum pw_stamp_tags tags,
                                   struct pw_str *id_out, struct pw_str *mac_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf decoded = { 0 };
	struct reader reader = { .stamp = out, .arena = arena };
	bool is_good = true;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; is_good && i < PW_LEN(rows); i++)
		if (is_wanted(&rows[i], tags))
			is_good = parse_tag(&reader, &rows[i], &text);
	decoded = reader.decoded; /* freed here */
	if (reader.status != PW_OK)
		return reader.status;
	if (!is_good || text.at != NULL)
		return PW_ERR_SYNTAX;
	*id_out = reader.id;
	*mac_out = reader.mac;
	return PW_OK;
}

void pw_stamp_text_fold(struct pw_buf *out, struct pw_str name, struct pw_str text)
{
	size_t column = name.len + 2; /* ": " */
	bool is_first = true;

	while (text.at != NULL) {
		struct pw_str tag = pw_str_sub(text, 0, pw_str_find(text, ';') + 1);

		text = pw_str_sub(text, tag.len, text.len);
		if (text.len == 0)
			text.at = NULL;
		if (!is_first && column + 1 + tag.len > COLUMNS) {
			pw_buf_puts(out, PW_STR("\r\n\t"));
			column = 1;
		} else if (!is_first) {
			pw_buf_putc(out, ' ');
			column++;
		}
		is_first = false;
		for (; column + tag.len > COLUMNS; column = 1) { /* a long one */
			struct pw_str part = pw_str_sub(tag, 0, COLUMNS - column);

			pw_buf_puts(out, part);
			pw_buf_puts(out, PW_STR("\r\n\t"));
			tag = pw_str_sub(tag, part.len, tag.len);
		}
		pw_buf_puts(out, tag);
		column += tag.len;
	}
}
