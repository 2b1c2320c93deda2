#include "mail/url.h"

#include "core/ascii.h"

static bool is_end(char c)
{
	return (unsigned char)c <= ' ' || c == '<' || c == '>' || c == '"' || c == 0x7f;
}

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
	if (pw_str_starts(authority, PW_STR("["))) {
		at = pw_str_find(authority, ']');
		out->host = pw_str_sub(authority, 1, at - 1);
		authority = pw_str_sub(authority, at, authority.len);
	}
	colon = pw_str_find(authority, ':');
	if (colon < authority.len)
		out->port = pw_str_sub(authority, colon + 1, authority.len);
	if (out->host.len == 0)
		out->host = pw_str_sub(authority, 0, colon);
	while (out->host.len > 0 && out->host.at[out->host.len - 1] == '.')
		out->host.len--;
}

bool pw_url_parse(struct pw_url *out, struct pw_str text)
{
	struct pw_str rest = pw_str_sub(pw_str_trim(text), 0, PW_URL_MAX);
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
		return false;
	}
	while (rest.len > 0 && (rest.at[0] == '/' || rest.at[0] == '\\'))
		rest = pw_str_sub(rest, 1, rest.len);
	parse_authority(out, rest);
	return out->host.len > 0;
}

static bool starts_here(struct pw_str s)
{
	return pw_str_starts_nocase(s, PW_STR("http://")) ||
	       pw_str_starts_nocase(s, PW_STR("https://")) ||
	       pw_str_starts_nocase(s, PW_STR("www."));
}

bool pw_url_next(struct pw_str text, size_t *pos, struct pw_str *out)
{
	for (size_t i = *pos; i < text.len; i++) {
		char c = pw_lower(text.at[i]);
		size_t end = i;

		if ((c != 'h' && c != 'w') || (i > 0 && pw_is_alnum(text.at[i - 1])) ||
		    !starts_here(pw_str_sub(text, i, 8)))
			continue;
		while (end < text.len && end - i < PW_URL_MAX && !is_end(text.at[end]))
			end++;
		*pos = end;
		while (end > i &&
		       pw_str_find(PW_STR(".,;:!?)]}'*"), text.at[end - 1]) < 11)
			end--;
		*out = pw_str_sub(text, i, end - i);
		return true;
	}
	*pos = text.len;
	return false;
}

void pw_url_put_host(struct pw_buf *out, struct pw_str host)
{
	for (size_t i = 0; i < host.len; i++) {
		char c = host.at[i];

		if (c == '%' && i + 2 < host.len && pw_hex_value(host.at[i + 1]) >= 0 &&
		    pw_hex_value(host.at[i + 2]) >= 0) {
			c = (char)(pw_hex_value(host.at[i + 1]) * 16 +
			           pw_hex_value(host.at[i + 2]));
			i += 2;
		}
		pw_buf_putc(out, pw_lower(c));
	}
}
