#include "mail/message_tokens.h"

#include <openssl/evp.h>

#include "core/ascii.h"
#include "core/url.h"

/* "a.b.example.org": itself and its last two labels. */
static void put_domain(struct pw_tokens *t, const char *kind, struct pw_str domain)
{
	struct pw_str rest = domain;
	size_t dots = 0;

	pw_tokens_put(t, kind, domain);
	for (size_t i = 0; i < domain.len; i++)
		dots += domain.at[i] == '.';
	for (; dots > 1; dots--)
		pw_str_cut(&rest, '.');
	pw_tokens_put(t, kind, rest);
}

enum pw_status pw_message_feed(struct pw_message **out, struct pw_arena *arena,
                               struct pw_str text)
{
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;
	struct pw_header field;
	enum pw_status r;

	if ((r = pw_message_new(&m, arena)) != PW_OK)
		return r;
	while (pw_header_next(&text, &field))
		if ((r = pw_message_field(m, field.name, field.value)) != PW_OK)
			return r;
	if ((r = pw_message_eoh(m)) != PW_OK || (r = pw_message_body(m, text)) != PW_OK)
		return r;
	*out = PW_TAKE(m);
	return PW_OK;
}

enum pw_status pw_message_read(struct pw_message **out, struct pw_arena *arena,
                               struct pw_str text)
{
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;
	enum pw_status r = pw_message_feed(&m, arena, text);

	if (r != PW_OK || (r = pw_message_end(m)) != PW_OK)
		return r;
	*out = PW_TAKE(m);
	return PW_OK;
}

static void put_author(struct pw_tokens *t, const struct pw_message *m)
{
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };

	pw_tokens_words(t, "name", m->from_display, false);
	if (!m->has_from)
		return;
	pw_address_put(&address, &m->from);
	pw_tokens_put(t, "address", pw_buf_str(&address));
	put_domain(t, "from", m->from.domain);
}

static void put_reply_to(struct pw_tokens *t, const struct pw_message *m)
{
	const struct pw_field *field = pw_message_find(m, "Reply-To");
	struct pw_addrlist list;
	struct pw_addrlist_item item;

	if (field == NULL)
		return;
	pw_addrlist_init(&list, m->arena, field->text);
	if (pw_addrlist_next(&list, &item))
		put_domain(t, "reply", item.mailbox.domain);
}

/* Fields that are there or not. */
static void put_presence(struct pw_tokens *t, const struct pw_message *m)
{
	static const char *const names[] = { "Reply-To",
		                             "In-Reply-To",
		                             "References",
		                             "Sender",
		                             "Precedence",
		                             "X-Priority",
		                             "List-Unsubscribe",
		                             "MIME-Version",
		                             "Message-ID",
		                             "Date",
		                             "Cc",
		                             "To",
		                             "Organization" };

	for (size_t i = 0; i < PW_LEN(names); i++)
		pw_tokens_put(t, pw_message_find(m, names[i]) != NULL ? "has" : "lacks",
		              pw_str_from(names[i]));
}

/* "Apple Mail (2.3445)": what stands before the first digit. */
static void put_mailer(struct pw_tokens *t, const struct pw_message *m)
{
	static const char *const names[] = { "X-Mailer", "User-Agent" };

	for (size_t i = 0; i < PW_LEN(names); i++) {
		const struct pw_field *field = pw_message_find(m, names[i]);
		size_t len = 0;

		if (field == NULL)
			continue;
		while (len < field->text.len && !pw_is_digit(field->text.at[len]))
			len++;
		pw_tokens_put(t, "mailer", pw_str_trim(pw_str_sub(field->text, 0, len)));
	}
}

static void put_zone(struct pw_tokens *t, const struct pw_message *m)
{
	const struct pw_field *field = pw_message_find(m, "Date");

	for (size_t i = 0; field != NULL && i + 5 <= field->text.len; i++)
		if ((field->text.at[i] == '+' || field->text.at[i] == '-') &&
		    pw_is_digit(field->text.at[i + 1])) {
			pw_tokens_put(t, "zone", pw_str_sub(field->text, i, 5));
			return;
		}
}

/* Coarse, for neighbours are alike: IPv4 /16, IPv6 /32. Addresses that are nobody's in
 * particular tell nothing. */
static void put_network(struct pw_tokens *t, struct pw_ip ip)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_net net = { ip, ip.family == PW_IP_V4 ? 16 : 32 };
	size_t whole = net.bits / 8u;

	if (ip.family == PW_IP_NONE || pw_ip_is_private(ip))
		return;
	for (size_t i = whole; i < sizeof(net.ip.bytes); i++)
		net.ip.bytes[i] = 0;
	pw_net_put(&text, &net);
	pw_tokens_put(t, "net", pw_buf_str(&text));
}

/* The first "[192.0.2.7]" or "[IPv6:2001:db8::7]" (RFC 5321 4.4). */
static void put_hop(struct pw_tokens *t, struct pw_str text)
{
	struct pw_str literal;
	struct pw_ip ip;

	pw_str_cut(&text, '[');
	if (text.at == NULL)
		return;
	literal = pw_str_cut(&text, ']');
	if (pw_str_starts_nocase(literal, PW_STR("IPv6:")))
		literal = pw_str_sub(literal, 5, literal.len);
	if (pw_ip_parse(&ip, literal) == PW_OK)
		put_network(t, pw_ip_unmap(ip));
}

static void put_hops(struct pw_tokens *t, const struct pw_message *m, struct pw_ip client)
{
	const struct pw_field *field;
	size_t from = 0;

	put_network(t, client);
	for (size_t i = 0; i < PW_TOKEN_HOPS_MAX &&
	                   (field = pw_message_next(m, "Received", &from)) != NULL;
	     i++)
		put_hop(t, field->text);
}

static void put_links(struct pw_tokens *t, const struct pw_message *m)
{
	PW_AUTO(pw_buf_done) struct pw_buf host = { 0 };

	for (size_t i = 0; i < m->links.count && i < PW_TOKEN_LINKS_MAX; i++) {
		struct pw_url url;

		if (!pw_url_parse(&url, m->links.at[i].url) || url.host.len == 0)
			continue;
		pw_buf_reset(&host);
		pw_url_put_host(&host, url.host);
		put_domain(t, m->links.at[i].is_image ? "image" : "url",
		           pw_buf_str(&host));
	}
}

static struct pw_str extension(struct pw_str name)
{
	size_t dot = pw_str_rfind(name, '.');

	return dot == name.len ? PW_STR("") : pw_str_sub(name, dot + 1, name.len);
}

static void put_parts(struct pw_tokens *t, const struct pw_message *m)
{
	PW_AUTO(pw_buf_done) struct pw_buf tree = { 0 };

	for (size_t i = 0; i < m->part_count; i++) {
		const struct pw_part *part = &m->parts[i];

		pw_tokens_put(t, "type", part->type);
		pw_tokens_put(t, "charset", part->charset);
		pw_tokens_put(t, "encoding", part->encoding);
		pw_tokens_put(t, "file", extension(part->name));
		pw_buf_putc(&tree, part->is_attachment ? '+' : ' ');
		pw_buf_puts(&tree, part->type);
	}
	pw_tokens_put(t, "tree", pw_buf_str(&tree));
	pw_tokens_put(t, "multipart",
	              m->has_alternative ? PW_STR("alternative")
	              : m->has_multipart ? PW_STR("other")
	                                 : PW_STR("none"));
}

void pw_message_tokens(struct pw_tokens *out, const struct pw_message *m,
                       struct pw_ip client)
{
	put_author(out, m);
	put_reply_to(out, m);
	put_presence(out, m);
	put_mailer(out, m);
	put_zone(out, m);
	put_hops(out, m, client);
	put_parts(out, m);
	put_links(out, m);
	pw_tokens_words(out, "subject", m->subject, false);
	pw_tokens_words(out, "", m->subject, true);
	pw_tokens_words(out, "", m->text, true);
}

/* What came first stands for all of that name; the length keeps them apart. */
static bool digest_text(EVP_MD_CTX *hash, struct pw_str text)
{
	uint8_t length[4] = { (uint8_t)(text.len >> 24), (uint8_t)(text.len >> 16),
		              (uint8_t)(text.len >> 8), (uint8_t)text.len };

	return EVP_DigestUpdate(hash, length, sizeof(length)) == 1 &&
	       EVP_DigestUpdate(hash, text.len > 0 ? text.at : "", text.len) == 1;
}

static bool digest_message(EVP_MD_CTX *hash, const struct pw_message *m)
{
	static const char *const names[] = { "Message-ID", "Date", "From", "Subject" };
	struct pw_str body = pw_buf_str(&m->body);

	while (body.len > 0 &&
	       (body.at[body.len - 1] == '\r' || body.at[body.len - 1] == '\n'))
		body.len--;
	for (size_t i = 0; i < PW_LEN(names); i++) {
		const struct pw_field *field = pw_message_find(m, names[i]);

		if (!digest_text(hash, field != NULL ? field->text : PW_STR("")))
			return false;
	}
	return digest_text(hash, body);
}

enum pw_status pw_message_digest(uint8_t out[PW_MESSAGE_DIGEST_BYTES],
                                 const struct pw_message *m)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool is_made = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
	               digest_message(hash, m) &&
	               EVP_DigestFinal_ex(hash, out, NULL) == 1;

	EVP_MD_CTX_free(hash);
	return is_made ? PW_OK : PW_ERR_CRYPTO;
}
