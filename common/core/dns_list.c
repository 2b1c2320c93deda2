#include "core/dns_list.h"

#include "core/ascii.h"

/* A number up to 255 from the front of s; false: there is none. */
static bool take_octet(struct pw_str *s, uint8_t *out)
{
	unsigned value = 0;
	size_t n = 0;

	while (n < s->len && n < 4 && pw_is_digit(s->at[n]))
		value = value * 10 + (unsigned)(s->at[n++] - '0');
	if (n == 0 || n > 3 || value > 255)
		return false;
	*s = pw_str_sub(*s, n, s->len);
	*out = (uint8_t)value;
	return true;
}

static bool parse_octet(struct pw_str s, uint8_t *low, uint8_t *high, uint8_t *mask)
{
	*mask = 0;
	if (pw_str_eq(s, PW_STR("*"))) {
		*low = 0;
		*high = 255;
		return true;
	}
	if (pw_str_starts(s, PW_STR("&"))) {
		s = pw_str_sub(s, 1, s.len);
		return take_octet(&s, mask) && s.len == 0 && *mask != 0;
	}
	if (!take_octet(&s, low))
		return false;
	*high = *low;
	if (!pw_str_starts(s, PW_STR("-")))
		return s.len == 0;
	s = pw_str_sub(s, 1, s.len);
	return take_octet(&s, high) && s.len == 0 && *high >= *low;
}

static bool parse_code(struct pw_str word, struct pw_dns_code *out)
{
	for (size_t i = 0; i < 4; i++) {
		struct pw_str octet;

		if (word.at == NULL)
			return false;
		octet = pw_str_cut(&word, '.');
		if (!parse_octet(octet, &out->octet[i].low, &out->octet[i].high,
		                 &out->octet[i].mask))
			return false;
	}
	return word.at == NULL;
}

enum pw_status pw_dns_codes_parse(struct pw_dns_codes *out, struct pw_str text)
{
	out->count = 0;
	while (text.at != NULL) {
		struct pw_str word = pw_str_cut(&text, ' ');

		if (word.len == 0)
			continue;
		if (out->count == PW_DNS_CODES_MAX)
			return PW_ERR_LIMIT;
		if (!parse_code(word, &out->at[out->count]))
			return PW_ERR_SYNTAX;
		out->count++;
	}
	return PW_OK;
}

static bool fits(const struct pw_dns_code *code, const uint8_t *bytes)
{
	for (size_t i = 0; i < 4; i++) {
		if (code->octet[i].mask != 0) {
			if ((bytes[i] & code->octet[i].mask) == 0)
				return false;
		} else if (bytes[i] < code->octet[i].low ||
		           bytes[i] > code->octet[i].high) {
			return false;
		}
	}
	return true;
}

bool pw_dns_codes_match(const struct pw_dns_codes *codes, struct pw_ip ip)
{
	if (ip.family != PW_IP_V4)
		return false;
	for (size_t i = 0; i < codes->count; i++)
		if (fits(&codes->at[i], ip.bytes))
			return true;
	return false;
}

void pw_dns_list_put_name(struct pw_buf *out, struct pw_ip ip, struct pw_str zone)
{
	pw_ip_put_reversed(out, ip);
	pw_buf_putc(out, '.');
	pw_buf_puts(out, zone);
}

enum pw_dns_list_word pw_dns_list_read(const struct pw_dns_answer *answer,
                                       const struct pw_dns_codes *refusals)
{
	if (pw_dns_is_error(answer))
		return PW_DNS_LIST_NO_ANSWER;
	if (answer->rcode != PW_DNS_OK || answer->count == 0)
		return PW_DNS_LIST_CLEAN;
	for (size_t i = 0; i < answer->count; i++) {
		struct pw_ip ip = answer->records[i].ip;

		if (ip.family != PW_IP_V4 || ip.bytes[0] != 127 ||
		    pw_dns_codes_match(refusals, ip))
			return PW_DNS_LIST_REFUSED;
	}
	return PW_DNS_LIST_LISTED;
}

const char *pw_dns_list_state_text(enum pw_dns_list_state state)
{
	static const char *const texts[PW_DNS_LIST_STATES] = {
		[PW_DNS_LIST_UNKNOWN] = "unknown", [PW_DNS_LIST_GOOD] = "good",
		[PW_DNS_LIST_AWAY] = "away",       [PW_DNS_LIST_REFUSES] = "refuses",
		[PW_DNS_LIST_BROKEN] = "broken",
	};

	return texts[state];
}

enum pw_dns_list_state pw_dns_list_judge(const enum pw_dns_list_word *listed,
                                         const enum pw_dns_list_word *unlisted)
{
	const enum pw_dns_list_word *words[] = { listed, unlisted };
	bool is_away = false;

	for (size_t i = 0; i < PW_LEN(words); i++) {
		if (words[i] == NULL)
			continue;
		if (*words[i] == PW_DNS_LIST_REFUSED)
			return PW_DNS_LIST_REFUSES;
		is_away = is_away || *words[i] == PW_DNS_LIST_NO_ANSWER;
	}
	if (is_away)
		return PW_DNS_LIST_AWAY;
	if ((listed != NULL && *listed == PW_DNS_LIST_CLEAN) ||
	    (unlisted != NULL && *unlisted == PW_DNS_LIST_LISTED))
		return PW_DNS_LIST_BROKEN;
	return PW_DNS_LIST_GOOD;
}
