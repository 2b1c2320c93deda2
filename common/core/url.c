#include "core/url.h"

#include <string.h>

#include "core/ascii.h"
#include "core/punycode.h"
#include "core/script.h"
#include "core/utf8.h"

/* Everything behind "scheme:" and slashes. */
static void parse_authority(struct pw_url *out, struct pw_str rest)
{
	size_t end = 0, at, colon;
	struct pw_str authority;

	while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?' &&
	       rest.at[end] != '#' && rest.at[end] != '\\')
		end++;
	authority = pw_str_sub(rest, 0, end);
	out->path = pw_str_sub(rest, end, rest.len);
	at = pw_str_rfind(authority, '@');
	if (at < authority.len) {
		out->user = pw_str_sub(authority, 0, at);
		authority = pw_str_sub(authority, at + 1, authority.len);
	}
	at = pw_str_find(authority, ']');
	if (pw_str_starts(authority, PW_STR("[")) && at < authority.len) {
		out->host = pw_str_sub(authority, 1, at - 1);
		authority = pw_str_sub(authority, at + 1, authority.len);
	}
	colon = pw_str_find(authority, ':');
	if (colon < authority.len)
		out->port = pw_str_sub(authority, colon + 1, authority.len);
	if (out->host.len == 0)
		out->host = pw_str_sub(authority, 0, colon);
	while (out->host.len > 0 && out->host.at[out->host.len - 1] == '.')
		out->host.len--;
}

static void find_query(struct pw_url *out)
{
	struct pw_str path = pw_str_sub(out->path, 0, pw_str_find(out->path, '#'));
	size_t mark = pw_str_find(path, '?');

	if (mark < path.len)
		out->query = pw_str_sub(path, mark + 1, path.len);
}

bool pw_url_parse(struct pw_url *out, struct pw_str text)
{
	struct pw_str rest = pw_str_trim(pw_str_sub(pw_str_trim(text), 0, PW_URL_MAX));
	size_t i = 0;

	*out = (struct pw_url){ .text = rest };
	while (i < rest.len &&
	       (pw_is_alnum(rest.at[i]) || rest.at[i] == '+' || rest.at[i] == '-'))
		i++;
	if (i > 0 && i < rest.len && rest.at[i] == ':') {
		out->scheme = pw_str_sub(rest, 0, i);
		rest = pw_str_sub(rest, i + 1, rest.len);
	} else if (!pw_str_starts(rest, PW_STR("//")) &&
	           !pw_str_starts_nocase(rest, PW_STR("www."))) {
		return false;
	}
	if (out->scheme.len > 0 && !pw_str_starts(rest, PW_STR("/")) &&
	    !pw_str_starts(rest, PW_STR("\\"))) {
		out->path = rest;
		find_query(out);
		return false;
	}
	while (rest.len > 0 && (rest.at[0] == '/' || rest.at[0] == '\\'))
		rest = pw_str_sub(rest, 1, rest.len);
	parse_authority(out, rest);
	find_query(out);
	return out->host.len > 0;
}

void pw_url_unescape(struct pw_buf *out, struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '%' && i + 2 < s.len && pw_hex_value(s.at[i + 1]) >= 0 &&
		    pw_hex_value(s.at[i + 2]) >= 0) {
			pw_buf_putc(out, (char)(pw_hex_value(s.at[i + 1]) * 16 +
			                        pw_hex_value(s.at[i + 2])));
			i += 2;
			continue;
		}
		pw_buf_putc(out, s.at[i]);
	}
}

/* One of the parts of an address: "10", "012", "0xa", "0x". */
static bool take_part(struct pw_str s, uint64_t *out)
{
	unsigned base = 10;

	*out = 0;
	if (s.len >= 2 && s.at[0] == '0' && pw_lower(s.at[1]) == 'x') {
		base = 16;
		s = pw_str_sub(s, 2, s.len);
	} else if (s.len >= 2 && s.at[0] == '0') {
		base = 8;
	} else if (s.len == 0) {
		return false;
	}
	for (size_t i = 0; i < s.len; i++) {
		int digit = pw_hex_value(s.at[i]);

		if (digit < 0 || (unsigned)digit >= base)
			return false;
		*out = *out * base + (unsigned)digit;
		if (*out > UINT32_MAX)
			return false;
	}
	return true;
}

/* Up to four parts; the last one covers all bytes that are left. */
static bool read_number(struct pw_ip *out, struct pw_str host)
{
	uint8_t bytes[4] = { 0 };
	uint64_t part;

	for (unsigned i = 0; i < 4; i++) {
		struct pw_str text = pw_str_cut(&host, '.');
		unsigned left = 4 - i;

		if (!take_part(text, &part))
			return false;
		if (host.at != NULL && part <= 255) {
			bytes[i] = (uint8_t)part;
			continue;
		}
		if (host.at != NULL || (left < 4 && part >> (8 * left) != 0))
			return false;
		for (unsigned k = 0; k < left; k++)
			bytes[3 - k] = (uint8_t)(part >> (8 * k));
		return pw_ip_from_bytes(out, bytes, 4) == PW_OK;
	}
	return false;
}

/* Capital letters of the scripts that are mistaken for Latin. */
static uint32_t fold_case(uint32_t code)
{
	if (code < 0x80)
		return (uint32_t)(unsigned char)pw_lower((char)code);
	if ((code >= 0xc0 && code <= 0xde && code != 0xd7) ||
	    (code >= 0x391 && code <= 0x3a9) || (code >= 0x410 && code <= 0x42f))
		return code + 0x20;
	return code >= 0x400 && code <= 0x40f ? code + 0x50 : code;
}

/* May stand in a host as it is. What else is ASCII stays written as %xx. */
static bool is_host_char(uint32_t code)
{
	return code >= 0x80 || pw_is_alnum((char)code) || code == '-' || code == '.' ||
	       code == '_';
}

/* Bytes of a host, all UTF-8, to letters, dots and lower case. */
static void put_letters(struct pw_buf *out, struct pw_str bytes, unsigned *tricks)
{
	uint32_t code = 0;

	while (bytes.len > 0) {
		size_t n = pw_utf8_get(bytes, &code);

		bytes = pw_str_sub(bytes, n, bytes.len);
		if (pw_is_invisible(code)) {
			*tricks |= PW_URL_INVISIBLE;
			continue;
		}
		if (pw_fold_width(code) != code) {
			*tricks |= PW_URL_WIDE;
			code = pw_fold_width(code);
		}
		if (is_host_char(code))
			pw_utf8_put_code(out, fold_case(code));
		else
			pw_buf_printf(out, "%%%02x", (unsigned)code);
	}
}

/* What can be no name: as ASCII, so that it reads the same again. */
static void put_escaped(struct pw_buf *out, struct pw_str bytes, bool is_percent_kept)
{
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.at[i];

		if (c < 0x80 && (is_host_char(c) || (c == '%' && is_percent_kept)))
			pw_buf_putc(out, pw_lower((char)c));
		else
			pw_buf_printf(out, "%%%02x", c);
	}
}

static bool is_utf8(struct pw_str s)
{
	size_t n = 1;

	for (; s.len > 0 && n > 0; s = pw_str_sub(s, n, s.len))
		n = pw_utf8_length(s);
	return n > 0;
}

/* "example[.]org", "example(dot)org", as those write who warn of a link. */
static void put_refanged(struct pw_buf *out, struct pw_str host, unsigned *tricks)
{
	static const char *const dots[] = { "[.]", "(.)", "[dot]", "(dot)", "{.}" };

	while (host.len > 0) {
		size_t n = 0;

		for (size_t i = 0; n == 0 && i < PW_LEN(dots); i++)
			if (pw_str_starts_nocase(host, pw_str_from(dots[i])))
				n = strlen(dots[i]);
		pw_buf_putc(out, n > 0 ? '.' : host.at[0]);
		*tricks |= n > 0 ? PW_URL_DEFANGED : 0;
		host = pw_str_sub(host, n > 0 ? n : 1, host.len);
	}
}

static void look_at_labels(struct pw_url_host *out, struct pw_str ascii)
{
	PW_AUTO(pw_buf_done) struct pw_buf letters = { 0 };
	struct pw_str rest;

	pw_domain_put_unicode(&letters, ascii);
	for (rest = pw_buf_str(&letters); rest.at != NULL;)
		if (pw_label_is_lookalike(pw_str_cut(&rest, '.')))
			out->tricks |= PW_URL_LOOKALIKE;
}

/* letters: lower case, visible, unescaped. */
static void finish_host(struct pw_url_host *out, struct pw_str letters)
{
	char room[PW_URL_HOST_MAX + 1];
	struct pw_buf ascii = PW_BUF_IN(room);
	struct pw_str text;

	while (letters.len > 0 && letters.at[letters.len - 1] == '.')
		letters.len--;
	if (pw_ip_parse(&out->ip, letters) == PW_OK) {
		pw_ip_put(&ascii, out->ip);
	} else if (read_number(&out->ip, letters)) {
		out->tricks |= PW_URL_NUMBER;
		pw_ip_put(&ascii, out->ip);
	} else {
		out->ip = (struct pw_ip){ 0 };
		if (pw_str_find(letters, '%') < letters.len ||
		    pw_domain_to_ascii(&ascii, letters) != PW_OK)
			put_escaped(&ascii, letters, true);
		else
			look_at_labels(out, pw_buf_str(&ascii));
	}
	text = pw_str_sub(pw_buf_str(&ascii), 0, PW_URL_HOST_MAX);
	memcpy(out->at, text.at, text.len);
	out->len = text.len;
	pw_buf_done(&ascii);
}

static void read_host(struct pw_url_host *out, struct pw_str host)
{
	PW_AUTO(pw_buf_done) struct pw_buf bytes = { 0 }, dotted = { 0 }, letters = { 0 };

	*out = (struct pw_url_host){ .len = 0 };
	host = pw_str_sub(host, 0, PW_URL_MAX);
	if (pw_ip_parse(&out->ip, host) == PW_OK && out->ip.family == PW_IP_V6) {
		finish_host(out, host);
		return;
	}
	put_refanged(&dotted, host, &out->tricks);
	pw_url_unescape(&bytes, pw_buf_str(&dotted));
	if (bytes.len != dotted.len)
		out->tricks |= PW_URL_ESCAPED;
	if (is_utf8(pw_buf_str(&bytes)))
		put_letters(&letters, pw_buf_str(&bytes), &out->tricks);
	else
		put_escaped(&letters, pw_buf_str(&bytes), false);
	finish_host(out, pw_buf_str(&letters));
}

void pw_url_host_read(struct pw_url_host *out, const struct pw_url *url)
{
	size_t before;

	read_host(out, url->host);
	before = (size_t)(url->host.at - url->text.at);
	if (pw_str_find(pw_str_sub(url->text, 0, before), '\\') < before ||
	    pw_str_starts(url->path, PW_STR("\\")))
		out->tricks |= PW_URL_BACKSLASH;
}

struct pw_str pw_url_host_str(const struct pw_url_host *host)
{
	return (struct pw_str){ host->at, host->len };
}

void pw_url_put_host(struct pw_buf *out, struct pw_str host)
{
	struct pw_url_host read;

	read_host(&read, host);
	pw_buf_puts(out, pw_url_host_str(&read));
}

void pw_url_put(struct pw_buf *out, const struct pw_url *url)
{
	struct pw_url_host host;

	pw_url_host_read(&host, url);
	if (url->scheme.len == 0)
		pw_buf_puts(out, PW_STR("http"));
	pw_buf_put_lower(out, url->scheme);
	pw_buf_puts(out, PW_STR("://"));
	if (url->user.len > 0) {
		pw_buf_puts(out, url->user);
		pw_buf_putc(out, '@');
	}
	if (host.ip.family == PW_IP_V6)
		pw_buf_putc(out, '[');
	pw_buf_puts(out, pw_url_host_str(&host));
	if (host.ip.family == PW_IP_V6)
		pw_buf_putc(out, ']');
	if (url->port.len > 0) {
		pw_buf_putc(out, ':');
		pw_buf_puts(out, url->port);
	}
	pw_buf_puts(out, url->path);
}
