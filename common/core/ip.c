#include "core/ip.h"

#include <string.h>

#include "core/ascii.h"

#define GROUPS 8 /* of 16 bits in an IPv6 address */

static size_t ip_len(struct pw_ip ip)
{
	return ip.family == PW_IP_V4 ? 4 : ip.family == PW_IP_V6 ? 16 : 0;
}

static enum pw_status parse_v4(uint8_t out[4], struct pw_str text)
{
	unsigned value = 0, digits = 0, place = 0;
	uint8_t bytes[4];

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (c == '.' && digits > 0 && place < 3) {
			bytes[place++] = (uint8_t)value;
			value = digits = 0;
			continue;
		}
		if (!pw_is_digit(c) || (digits > 0 && value == 0))
			return PW_ERR_SYNTAX;
		value = value * 10 + (unsigned)(c - '0');
		digits++;
		if (value > 255)
			return PW_ERR_SYNTAX;
	}
	if (digits == 0 || place != 3)
		return PW_ERR_SYNTAX;
	bytes[3] = (uint8_t)value;
	memcpy(out, bytes, 4);
	return PW_OK;
}

/* One group of 1..4 hexadecimal digits. */
static bool parse_group(uint8_t out[2], struct pw_str part)
{
	unsigned value = 0;

	if (part.len == 0 || part.len > 4)
		return false;
	for (size_t i = 0; i < part.len; i++) {
		int digit = pw_hex_value(part.at[i]);

		if (digit < 0)
			return false;
		value = value << 4 | (unsigned)digit;
	}
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return true;
}

/* Groups with ':' between them; the last may be a dotted quad where is_tail. Returns the
 * bytes written (at most 16), or -1. The empty text is no group. */
static int parse_groups(uint8_t out[16], struct pw_str text, bool is_tail)
{
	int len = 0;

	if (text.len == 0)
		return 0;
	for (bool is_last = false; !is_last;) {
		struct pw_str part;

		is_last = pw_str_find(text, ':') == text.len;
		part = pw_str_cut(&text, ':');
		if (is_last && is_tail && pw_str_find(part, '.') < part.len) {
			if (len > 12 || parse_v4(out + len, part) != PW_OK)
				return -1;
			return len + 4;
		}
		if (len > 14 || !parse_group(out + len, part))
			return -1;
		len += 2;
	}
	return len;
}

static enum pw_status parse_v6(uint8_t out[16], struct pw_str text)
{
	uint8_t head[16], tail[16];
	size_t gap = 0;
	int head_len, tail_len = 0;
	bool has_gap;

	while (gap + 1 < text.len && !(text.at[gap] == ':' && text.at[gap + 1] == ':'))
		gap++;
	has_gap = gap + 1 < text.len;
	head_len =
		parse_groups(head, has_gap ? pw_str_sub(text, 0, gap) : text, !has_gap);
	if (has_gap)
		tail_len = parse_groups(tail, pw_str_sub(text, gap + 2, text.len), true);
	if (head_len < 0 || tail_len < 0)
		return PW_ERR_SYNTAX;
	if (has_gap ? head_len + tail_len > 14 : head_len != 16)
		return PW_ERR_SYNTAX;
	memset(out, 0, 16);
	memcpy(out, head, (size_t)head_len);
	memcpy(out + 16 - tail_len, tail, (size_t)tail_len);
	return PW_OK;
}

enum pw_status pw_ip_parse(struct pw_ip *out, struct pw_str text)
{
	struct pw_ip ip = { 0 };
	enum pw_status r;

	if (text.len == 0)
		return PW_ERR_SYNTAX;
	if (pw_str_find(text, ':') < text.len) {
		ip.family = PW_IP_V6;
		r = parse_v6(ip.bytes, text);
	} else {
		ip.family = PW_IP_V4;
		r = parse_v4(ip.bytes, text);
	}
	if (r == PW_OK)
		*out = ip;
	return r;
}

enum pw_status pw_ip_from_bytes(struct pw_ip *out, const void *bytes, size_t len)
{
	struct pw_ip ip = { 0 };

	if (len != 4 && len != 16)
		return PW_ERR_SYNTAX;
	ip.family = len == 4 ? PW_IP_V4 : PW_IP_V6;
	memcpy(ip.bytes, bytes, len);
	*out = ip;
	return PW_OK;
}

static bool is_mapped(struct pw_ip ip)
{
	static const uint8_t prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	return ip.family == PW_IP_V6 && memcmp(ip.bytes, prefix, sizeof(prefix)) == 0;
}

struct pw_ip pw_ip_unmap(struct pw_ip ip)
{
	struct pw_ip v4 = { .family = PW_IP_V4 };

	if (!is_mapped(ip))
		return ip;
	memcpy(v4.bytes, ip.bytes + 12, 4);
	return v4;
}

bool pw_ip_is_loopback(struct pw_ip ip)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (ip.family == PW_IP_V4)
		return ip.bytes[0] == 127;
	return ip.family == PW_IP_V6 && memcmp(ip.bytes, one, sizeof(one)) == 0;
}

bool pw_ip_is_private(struct pw_ip ip)
{
	static const char *const nets[] = { "0.0.0.0/8",      "10.0.0.0/8",
		                            "100.64.0.0/10",  "127.0.0.0/8",
		                            "169.254.0.0/16", "172.16.0.0/12",
		                            "192.168.0.0/16", "::/127",
		                            "fc00::/7",       "fe80::/10" };

	for (size_t i = 0; i < PW_LEN(nets); i++) {
		struct pw_net net;

		if (pw_net_parse(&net, pw_str_from(nets[i])) == PW_OK &&
		    pw_net_contains(&net, ip))
			return true;
	}
	return false;
}

int pw_ip_cmp(struct pw_ip a, struct pw_ip b)
{
	if (a.family != b.family)
		return a.family < b.family ? -1 : 1;
	return memcmp(a.bytes, b.bytes, ip_len(a));
}

bool pw_ip_eq(struct pw_ip a, struct pw_ip b)
{
	return pw_ip_cmp(a, b) == 0;
}

static void put_v4(struct pw_buf *out, const uint8_t bytes[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			pw_buf_putc(out, '.');
		pw_buf_put_int(out, bytes[i]);
	}
}

static void put_hex(struct pw_buf *out, unsigned value)
{
	int shift = 12;

	while (shift > 0 && value >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		pw_buf_putc(out, "0123456789abcdef"[value >> shift & 15]);
}

static unsigned group_at(struct pw_ip ip, int i)
{
	return (unsigned)ip.bytes[2 * i] << 8 | ip.bytes[2 * i + 1];
}

/* The longest run of at least two zero groups, the first of several (RFC 5952 4.2). */
static void find_zeros(struct pw_ip ip, int *start_out, int *len_out)
{
	*start_out = -1;
	*len_out = 1;
	for (int i = 0; i < GROUPS; i++) {
		int n = 0;

		while (i + n < GROUPS && group_at(ip, i + n) == 0)
			n++;
		if (n > *len_out) {
			*start_out = i;
			*len_out = n;
		}
		i += n;
	}
}

static void put_v6(struct pw_buf *out, struct pw_ip ip)
{
	int start, len;

	if (is_mapped(ip)) {
		pw_buf_puts(out, PW_STR("::ffff:"));
		put_v4(out, ip.bytes + 12);
		return;
	}
	find_zeros(ip, &start, &len);
	for (int i = 0; i < GROUPS; i++) {
		if (i == start) {
			pw_buf_puts(out, PW_STR("::"));
			i += len - 1;
			continue;
		}
		if (i > 0 && i != start + len)
			pw_buf_putc(out, ':');
		put_hex(out, group_at(ip, i));
	}
}

void pw_ip_put(struct pw_buf *out, struct pw_ip ip)
{
	if (ip.family == PW_IP_V4)
		put_v4(out, ip.bytes);
	else if (ip.family == PW_IP_V6)
		put_v6(out, ip);
}

void pw_ip_put_reversed(struct pw_buf *out, struct pw_ip ip)
{
	for (size_t i = ip_len(ip); i-- > 0;) {
		if (ip.family == PW_IP_V4) {
			pw_buf_put_int(out, ip.bytes[i]);
		} else {
			put_hex(out, ip.bytes[i] & 15);
			pw_buf_putc(out, '.');
			put_hex(out, ip.bytes[i] >> 4);
		}
		if (i > 0)
			pw_buf_putc(out, '.');
	}
}

enum pw_status pw_net_parse(struct pw_net *out, struct pw_str text)
{
	size_t slash = pw_str_find(text, '/');
	struct pw_net net;
	int64_t bits;
	enum pw_status r;

	if ((r = pw_ip_parse(&net.ip, pw_str_sub(text, 0, slash))) != PW_OK)
		return r;
	bits = (int64_t)ip_len(net.ip) * 8;
	if (slash < text.len) {
		struct pw_str digits = pw_str_sub(text, slash + 1, text.len);

		if (digits.len == 0 || !pw_is_digit(digits.at[0]) ||
		    (digits.len > 1 && digits.at[0] == '0'))
			return PW_ERR_SYNTAX;
		if ((r = pw_str_to_int64(digits, 0, bits, &bits)) != PW_OK)
			return r;
	}
	net.bits = (uint8_t)bits;
	*out = net;
	return PW_OK;
}

bool pw_net_contains(const struct pw_net *net, struct pw_ip ip)
{
	size_t whole = net->bits / 8;
	unsigned rest = net->bits % 8;

	if (net->ip.family != ip.family || whole > ip_len(ip) ||
	    memcmp(net->ip.bytes, ip.bytes, whole) != 0)
		return false;
	return rest == 0 || ((net->ip.bytes[whole] ^ ip.bytes[whole]) >> (8 - rest)) == 0;
}

void pw_net_put(struct pw_buf *out, const struct pw_net *net)
{
	pw_ip_put(out, net->ip);
	pw_buf_printf(out, "/%d", net->bits);
}

struct pw_net pw_net_of_client(struct pw_ip ip)
{
	size_t bytes = ip.family == PW_IP_V4 ? 3 : 8;

	memset(ip.bytes + bytes, 0, sizeof(ip.bytes) - bytes);
	return (struct pw_net){ ip, (uint8_t)(bytes * 8) };
}
