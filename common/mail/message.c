#include "mail/message.h"

#include <string.h>

#include "core/ascii.h"
#include "core/map.h"
#include "core/url.h"
#include "core/utf8.h"
#include "mail/attachments.h"
#include "mail/parts.h"

enum pw_status pw_message_new(struct pw_message **out, struct pw_arena *arena)
{
	struct pw_message *m = pw_arena_alloc(arena, sizeof(*m));

	if (m == NULL)
		return PW_ERR_NOMEM;
	m->arena = arena;
	m->fields = pw_arena_array(arena, PW_MESSAGE_FIELDS_MAX, sizeof(*m->fields));
	if (m->fields == NULL)
		return PW_ERR_NOMEM;
	pw_buf_init(&m->body, PW_MESSAGE_BODY_MAX);
	*out = m;
	return PW_OK;
}

void pw_message_done(struct pw_message **message)
{
	if (*message == NULL)
		return;
	pw_buf_done(&(*message)->body);
	*message = NULL;
}

static enum pw_status unfold(struct pw_arena *arena, struct pw_str value,
                             struct pw_str *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };
	enum pw_status r;

	pw_header_unfold(&b, value);
	if ((r = pw_buf_status(&b)) != PW_OK)
		return r;
	return pw_arena_copy(arena, pw_str_trim(pw_buf_str(&b)), out);
}

enum pw_status pw_message_field(struct pw_message *m, struct pw_str name,
                                struct pw_str value)
{
	struct pw_field *field = &m->fields[m->field_count];
	enum pw_status r;

	m->fields_seen++;
	m->size_bytes += (int64_t)(name.len + value.len + 3);
	m->header_bytes += name.len + value.len;
	if (m->field_count == PW_MESSAGE_FIELDS_MAX ||
	    m->header_bytes > PW_MESSAGE_HEADER_MAX)
		return PW_OK;
	if ((r = pw_arena_copy(m->arena, name, &field->name)) != PW_OK ||
	    (r = pw_arena_copy(m->arena, value, &field->value)) != PW_OK ||
	    (r = unfold(m->arena, field->value, &field->text)) != PW_OK)
		return r;
	m->field_count++;
	return PW_OK;
}

enum pw_status pw_message_body(struct pw_message *m, struct pw_str chunk)
{
	enum pw_status r;

	m->size_bytes += (int64_t)chunk.len;
	m->is_body_cut = m->is_body_cut || chunk.len > PW_MESSAGE_BODY_MAX - m->body.len;
	pw_buf_puts(&m->body, pw_str_sub(chunk, 0, PW_MESSAGE_BODY_MAX - m->body.len));
	r = pw_buf_status(&m->body);
	return r == PW_ERR_LIMIT ? PW_OK : r;
}

const struct pw_field *pw_message_next(const struct pw_message *m, const char *name,
                                       size_t *from)
{
	struct pw_str want = pw_str_from(name);

	while (*from < m->field_count)
		if (pw_str_eq_nocase(m->fields[(*from)++].name, want))
			return &m->fields[*from - 1];
	return NULL;
}

const struct pw_field *pw_message_find(const struct pw_message *m, const char *name)
{
	size_t from = 0;

	return pw_message_next(m, name, &from);
}

size_t pw_message_count(const struct pw_message *m, const char *name)
{
	size_t from = 0, n = 0;

	while (pw_message_next(m, name, &from) != NULL)
		n++;
	return n;
}

/* Body of a text part in UTF-8. */
static void decode_body(struct pw_buf *out, struct pw_part *part)
{
	PW_AUTO(pw_buf_done) struct pw_buf bytes = { 0 };
	struct pw_str raw = part->body;

	if (pw_str_starts(part->encoding, PW_STR("base64"))) {
		pw_decode_base64(&bytes, part->body);
		raw = pw_buf_str(&bytes);
	} else if (pw_str_starts(part->encoding, PW_STR("quoted-printable"))) {
		pw_decode_qp(&bytes, part->body, false);
		raw = pw_buf_str(&bytes);
	}
	if (part->leaf->encoding == PW_MIME_UU) {
		pw_decode_uu(&bytes, part->body);
		raw = pw_buf_str(&bytes);
	}
	part->decodes_to_ascii = true;
	for (size_t i = 0; i < raw.len && part->decodes_to_ascii; i++)
		part->decodes_to_ascii = (unsigned char)raw.at[i] < 0x80;
	pw_decode_charset(out, part->charset, pw_str_sub(raw, 0, PW_MESSAGE_BODY_MAX));
}

/* Note the words of a part's text: two parts that say the same set the same bits. */
static void note_words(struct pw_part *part, struct pw_str text)
{
	static const uint8_t key[16] = { 0 }; /* only compared within one message */
	size_t start = 0;

	for (size_t i = 0; i <= text.len; i++) {
		bool is_word = i < text.len && (pw_is_alnum(text.at[i]) ||
		                                (unsigned char)text.at[i] >= 0x80);
		uint64_t bit;

		if (is_word)
			continue;
		if (i - start > 3) {
			bit = pw_siphash(key, pw_str_sub(text, start, i - start)) % 1024;
			if ((part->words[bit / 64] >> bit % 64 & 1) == 0)
				part->words_hash_bits++;
			part->words[bit / 64] |= (uint64_t)1 << bit % 64;
		}
		start = i + 1;
	}
}

/* An HTML file: what it would do when it is opened. */
static enum pw_status read_attached(struct pw_message *m, struct pw_part *part)
{
	PW_AUTO(pw_buf_done) struct pw_buf decoded = { 0 }, text = { 0 };

	if (!pw_str_ends_nocase(part->name, PW_STR(".htm")) &&
	    !pw_str_ends_nocase(part->name, PW_STR(".html")) &&
	    !pw_str_ends_nocase(part->name, PW_STR(".shtml")) &&
	    !pw_str_ends_nocase(part->name, PW_STR(".xhtml")) &&
	    !pw_str_ends_nocase(part->name, PW_STR(".svg")) &&
	    !pw_str_eq(part->type, PW_STR("text/html")))
		return PW_OK;
	decode_body(&decoded, part);
	pw_buf_init(&text, PW_MESSAGE_TEXT_MAX);
	return pw_html_read(&text, NULL, &m->attached_html, m->arena,
	                    pw_buf_str(&decoded));
}

static enum pw_status read_part(struct pw_message *m, struct pw_buf *text,
                                struct pw_part *part)
{
	PW_AUTO(pw_buf_done) struct pw_buf decoded = { 0 };
	size_t start = text->len;
	enum pw_status r = PW_OK;

	if (part->is_attachment && part->name.len > 0)
		return read_attached(m, part);
	if (!pw_str_starts(part->type, PW_STR("text/")))
		return PW_OK;
	decode_body(&decoded, part);
	if (pw_str_eq(part->type, PW_STR("text/html")))
		r = pw_html_read(text, &m->links, &m->html, m->arena,
		                 pw_buf_str(&decoded));
	else
		pw_buf_puts(text, pw_buf_str(&decoded));
	pw_buf_putc(text, '\n');
	part->text_len = text->len - start;
	note_words(part, pw_str_sub(pw_buf_str(text), start, part->text_len));
	return r;
}

/* Links of the running text. Domains get the scheme that they were written without. */
static enum pw_status collect_bare_links(struct pw_message *m)
{
	struct pw_str url;
	bool is_bare;
	size_t pos = 0;

	while (m->links.count < PW_LINKS_MAX &&
	       pw_url_next(m->text, &pos, &url, &is_bare)) {
		PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };
		enum pw_status r;

		if (is_bare) {
			pw_buf_puts(&b, PW_STR("http://"));
			pw_buf_puts(&b, url);
			if ((r = pw_arena_copy(m->arena, pw_buf_str(&b), &url)) != PW_OK)
				return r;
		}
		m->links.at[m->links.count++] =
			(struct pw_link){ .url = url, .is_bare = is_bare };
	}
	return PW_OK;
}

/* Quotes and dashes of typesetters as a keyboard has them: its ASCII, or 0. */
static char plain_sign(uint32_t code)
{
	static const struct {
		uint32_t from, to;
		char plain;
	} rows[] = {
		{ 0xa0, 0xa0, ' ' },      { 0x2010, 0x2015, '-' },
		{ 0x2018, 0x201b, '\'' }, { 0x201c, 0x201f, '"' },
		{ 0x2000, 0x200a, ' ' },  { 0x2028, 0x2029, ' ' },
		{ 0x202f, 0x202f, ' ' },
	};

	for (size_t i = 0; i < PW_LEN(rows); i++)
		if (code >= rows[i].from && code <= rows[i].to)
			return rows[i].plain;
	return 0;
}

static enum pw_status make_lower(struct pw_message *m)
{
	char *at = pw_arena_alloc(m->arena, m->text.len + 2);
	size_t len = 0, n;

	if (at == NULL)
		return PW_ERR_NOMEM;
	at[len++] = ' ';
	for (size_t i = 0; i < m->text.len; i += n) {
		unsigned char c = (unsigned char)m->text.at[i];
		uint32_t code;
		char plain;

		n = 1;
		if ((c == 0xc2 || c == 0xe2) &&
		    (n = pw_utf8_get(pw_str_sub(m->text, i, 3), &code)) > 0 &&
		    (plain = plain_sign(code)) != 0)
			c = (unsigned char)plain;
		else
			n = 1;
		if (c > ' ' && c != 0x7f)
			at[len++] = pw_lower((char)c);
		else if (at[len - 1] != ' ')
			at[len++] = ' ';
	}
	m->lower = (struct pw_str){ at, len };
	return PW_OK;
}

static enum pw_status read_text(struct pw_message *m)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r;

	pw_buf_init(&text, PW_MESSAGE_TEXT_MAX);
	for (size_t i = 0; i < m->part_count; i++)
		if ((r = read_part(m, &text, &m->parts[i])) != PW_OK)
			return r;
	if ((r = pw_arena_copy(m->arena, pw_buf_str(&text), &m->text)) != PW_OK)
		return r;
	if ((r = collect_bare_links(m)) != PW_OK)
		return r;
	return make_lower(m);
}

static enum pw_status decode_field(struct pw_message *m, struct pw_str text,
                                   struct pw_str *out, struct pw_words_seen *seen)
{
	PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };

	pw_decode_words(&b, text, seen);
	return pw_arena_copy(m->arena, pw_buf_str(&b), out);
}

enum pw_status pw_message_eoh(struct pw_message *m)
{
	const struct pw_field *from = pw_message_find(m, "From");
	const struct pw_field *subject = pw_message_find(m, "Subject");
	struct pw_str decoded;
	enum pw_status r;

	if (from != NULL) {
		struct pw_addrlist list;
		struct pw_addrlist_item item;

		m->has_from = pw_message_count(m, "From") == 1 &&
		              pw_from_mailbox(&m->from, m->arena, from->value) == PW_OK;
		pw_addrlist_init(&list, m->arena, from->text);
		if (pw_addrlist_next(&list, &item) &&
		    (r = decode_field(m, item.display, &m->from_display, NULL)) != PW_OK)
			return r;
		if ((r = decode_field(m, from->text, &decoded, &m->from_words)) != PW_OK)
			return r;
	}
	if (subject != NULL)
		return decode_field(m, subject->text, &m->subject, &m->subject_words);
	return PW_OK;
}

enum pw_status pw_message_end(struct pw_message *m)
{
	enum pw_status r;

	if ((r = pw_parts_read(m)) != PW_OK || (r = pw_attachments_read(m)) != PW_OK)
		return r;
	return read_text(m);
}
