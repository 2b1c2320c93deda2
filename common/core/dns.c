#include "core/dns.h"

#include "core/ascii.h"

/* clang-format off */
static const char *const type_texts[PW_DNS_TYPES] = {
	[PW_DNS_A]    = "A",
	[PW_DNS_AAAA] = "AAAA",
	[PW_DNS_MX]   = "MX",
	[PW_DNS_TXT]  = "TXT",
	[PW_DNS_PTR]  = "PTR",
	[PW_DNS_NS]   = "NS",
	[PW_DNS_SRV]  = "SRV",
};
static const char *const rcode_texts[] = {
	[PW_DNS_OK]       = "OK",
	[PW_DNS_NXDOMAIN] = "NXDOMAIN",
	[PW_DNS_SERVFAIL] = "SERVFAIL",
	[PW_DNS_TIMEOUT]  = "TIMEOUT",
};
/* clang-format on */

bool pw_dns_is_error(const struct pw_dns_answer *answer)
{
	return answer->rcode == PW_DNS_SERVFAIL || answer->rcode == PW_DNS_TIMEOUT;
}

bool pw_dns_name_is_valid(struct pw_str name)
{
	if (name.len > 0 && name.at[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || name.len > PW_DNS_NAME_MAX)
		return false;
	for (size_t at = 0; at <= name.len;) {
		size_t len = pw_str_find(pw_str_sub(name, at, name.len), '.');

		if (len == 0 || len > PW_DNS_LABEL_MAX)
			return false;
		at += len + 1;
	}
	return true;
}

void pw_dns_put_arpa(struct pw_buf *out, struct pw_ip ip)
{
	pw_ip_put_reversed(out, ip);
	pw_buf_puts(out, ip.family == PW_IP_V6 ? PW_STR(".ip6.arpa")
	                                       : PW_STR(".in-addr.arpa"));
}

const char *pw_dns_type_text(enum pw_dns_type type)
{
	return (size_t)type < PW_LEN(type_texts) ? type_texts[type] : "?";
}

const char *pw_dns_rcode_text(enum pw_dns_rcode rcode)
{
	return (size_t)rcode < PW_LEN(rcode_texts) ? rcode_texts[rcode] : "?";
}

enum pw_status pw_dns_type_parse(enum pw_dns_type *out, struct pw_str text)
{
	for (size_t i = 0; i < PW_LEN(type_texts); i++)
		if (pw_str_eq_nocase(text, pw_str_from(type_texts[i]))) {
			*out = (enum pw_dns_type)i;
			return PW_OK;
		}
	return PW_ERR_NOTFOUND;
}

enum pw_status pw_dns_rcode_parse(enum pw_dns_rcode *out, struct pw_str text)
{
	for (size_t i = 0; i < PW_LEN(rcode_texts); i++)
		if (pw_str_eq(text, pw_str_from(rcode_texts[i]))) {
			*out = (enum pw_dns_rcode)i;
			return PW_OK;
		}
	return PW_ERR_NOTFOUND;
}

static bool is_host_char(char c)
{
	return pw_is_print(c) && c != ' ' && c != '.' && c != '\\';
}

/* Labels up to the root, which ends the rdata. */
static enum pw_status read_host(struct pw_str *out, struct pw_arena *arena,
                                struct pw_str rest)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { .max = PW_DNS_NAME_MAX };
	enum pw_status r;

	while (rest.len > 0 && rest.at[0] != 0) {
		size_t len = (unsigned char)rest.at[0];

		if (len > PW_DNS_LABEL_MAX || len + 1 > rest.len)
			return PW_ERR_SYNTAX;
		if (text.len > 0)
			pw_buf_putc(&text, '.');
		for (size_t i = 1; i <= len; i++)
			if (!is_host_char(rest.at[i]))
				return PW_ERR_SYNTAX;
		pw_buf_puts(&text, pw_str_sub(rest, 1, len));
		rest = pw_str_sub(rest, len + 1, rest.len);
	}
	if (rest.len != 1)
		return PW_ERR_SYNTAX;
	if ((r = pw_buf_status(&text)) != PW_OK)
		return r == PW_ERR_LIMIT ? PW_ERR_SYNTAX : r;
	return pw_arena_copy(arena, pw_buf_str(&text), out);
}

/* Strings of a TXT record, joined. */
static enum pw_status read_txt(struct pw_str *out, struct pw_arena *arena,
                               struct pw_str rest)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { .max = PW_DNS_TXT_MAX };
	enum pw_status r;

	while (rest.len > 0) {
		size_t len = (unsigned char)rest.at[0];

		if (len + 1 > rest.len)
			return PW_ERR_SYNTAX;
		pw_buf_puts(&text, pw_str_sub(rest, 1, len));
		rest = pw_str_sub(rest, len + 1, rest.len);
	}
	if ((r = pw_buf_status(&text)) != PW_OK)
		return r;
	return pw_arena_copy(arena, pw_buf_str(&text), out);
}

static uint16_t read_number(struct pw_str rdata, size_t at)
{
	return (uint16_t)((unsigned char)rdata.at[at] << 8 |
	                  (unsigned char)rdata.at[at + 1]);
}

static enum pw_status read_mx(struct pw_dns_record *out, struct pw_arena *arena,
                              struct pw_str rdata)
{
	if (rdata.len < 3)
		return PW_ERR_SYNTAX;
	out->preference = read_number(rdata, 0);
	return read_host(&out->text, arena, pw_str_sub(rdata, 2, rdata.len));
}

/* Priority, weight, port, target (RFC 2782). */
static enum pw_status read_srv(struct pw_dns_record *out, struct pw_arena *arena,
                               struct pw_str rdata)
{
	if (rdata.len < 7)
		return PW_ERR_SYNTAX;
	out->preference = read_number(rdata, 0);
	out->port = read_number(rdata, 4);
	return read_host(&out->text, arena, pw_str_sub(rdata, 6, rdata.len));
}

enum pw_status pw_dns_record_read(struct pw_dns_record *out, struct pw_arena *arena,
                                  enum pw_dns_type type, struct pw_str rdata)
{
	switch (type) {
	case PW_DNS_A:
	case PW_DNS_AAAA:
		if (rdata.len != (type == PW_DNS_A ? 4 : 16))
			return PW_ERR_SYNTAX;
		return pw_ip_from_bytes(&out->ip, rdata.at, rdata.len);
	case PW_DNS_MX:
		return read_mx(out, arena, rdata);
	case PW_DNS_TXT:
		return read_txt(&out->text, arena, rdata);
	case PW_DNS_SRV:
		return read_srv(out, arena, rdata);
	case PW_DNS_PTR:
	case PW_DNS_NS:
		break;
	}
	return read_host(&out->text, arena, rdata);
}
