#include "core/address.h"

#include <string.h>

#include "core/ascii.h"

static bool is_atext(char c)
{
	return pw_is_alnum(c) || (unsigned char)c >= 0x80 ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Is s a dot-atom: atoms joined by single dots? */
static bool is_dot_atom(struct pw_str s)
{
	if (s.len == 0 || s.at[0] == '.' || s.at[s.len - 1] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] == '.' ? s.at[i - 1] == '.' : !is_atext(s.at[i]))
			return false;
	return true;
}

bool pw_domain_is_valid(struct pw_str text)
{
	size_t label = 0;

	if (text.len > PW_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!pw_is_alnum(c) && c != '-' && c != '_' && (unsigned char)c < 0x80)
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0;
}

static bool is_literal(struct pw_str s)
{
	if (s.len < 3 || s.len > PW_DOMAIN_MAX || s.at[0] != '[' ||
	    s.at[s.len - 1] != ']')
		return false;
	for (size_t i = 1; i + 1 < s.len; i++)
		if (!pw_is_alnum(s.at[i]) && s.at[i] != '.' && s.at[i] != ':' &&
		    s.at[i] != '-')
			return false;
	return true;
}

static enum pw_status normal_domain(struct pw_str *out, struct pw_arena *arena,
                                    struct pw_str s)
{
	if (s.len > 1 && s.at[s.len - 1] == '.')
		s.len--;
	if (s.len > PW_DOMAIN_MAX)
		return PW_ERR_LIMIT;
	if (!pw_domain_is_valid(s) && !is_literal(s))
		return PW_ERR_SYNTAX;
	return pw_arena_copy_lower(arena, s, out);
}

/* Content of a quoted string, or NULL-terminated copy with the escapes resolved. The
 * opening quote is s.at[0]; *used_out counts the bytes up to and with the closing one. */
static enum pw_status unquote(struct pw_str *out, size_t *used_out,
                              struct pw_arena *arena, struct pw_str s)
{
	char *at = pw_arena_alloc(arena, s.len + 1);
	size_t n = 0;

	if (at == NULL)
		return PW_ERR_NOMEM;
	for (size_t i = 1; i < s.len; i++) {
		char c = s.at[i];

		if (c == '"') {
			*out = (struct pw_str){ at, n };
			*used_out = i + 1;
			return PW_OK;
		}
		if (c == '\\' && i + 1 < s.len)
			c = s.at[++i];
		if (c != '\r' && c != '\n')
			at[n++] = c;
	}
	return PW_ERR_SYNTAX;
}

static enum pw_status normal_local(struct pw_str *out, struct pw_arena *arena,
                                   struct pw_str s)
{
	struct pw_str plain = s;
	size_t used = s.len;
	enum pw_status r;

	if (s.len > 0 && s.at[0] == '"') {
		if ((r = unquote(&plain, &used, arena, s)) != PW_OK)
			return r;
	} else if (!is_dot_atom(s)) {
		return PW_ERR_SYNTAX;
	}
	if (used != s.len || pw_str_find(plain, '\0') < plain.len)
		return PW_ERR_SYNTAX;
	if (plain.len > PW_LOCAL_MAX)
		return PW_ERR_LIMIT;
	return pw_arena_copy_lower(arena, plain, out);
}

/* Where the local part ends: the '@' outside of quotes, or s.len. */
static size_t find_at_sign(struct pw_str s)
{
	bool is_quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		if (is_quoted && s.at[i] == '\\')
			i++;
		else if (s.at[i] == '"')
			is_quoted = !is_quoted;
		else if (s.at[i] == '@' && !is_quoted)
			return i;
	}
	return s.len;
}

static enum pw_status parse_addr_spec(struct pw_mailbox *out, struct pw_arena *arena,
                                      struct pw_str s)
{
	size_t at_sign = find_at_sign(s);
	struct pw_mailbox box = { 0 };
	enum pw_status r;

	if (at_sign == s.len)
		return PW_ERR_SYNTAX;
	if ((r = normal_local(&box.local, arena, pw_str_sub(s, 0, at_sign))) != PW_OK ||
	    (r = normal_domain(&box.domain, arena, pw_str_sub(s, at_sign + 1, s.len))) !=
	            PW_OK)
		return r;
	*out = box;
	return PW_OK;
}

enum pw_status pw_address_parse(struct pw_mailbox *out, struct pw_arena *arena,
                                struct pw_str text)
{
	text = pw_str_trim_wsp(text);
	if (text.len > 0 && text.at[0] == '<') {
		if (text.at[text.len - 1] != '>' || text.len < 2)
			return PW_ERR_SYNTAX;
		text = pw_str_sub(text, 1, text.len - 2);
		if (text.len > 0 &&
		    text.at[0] == '@') { /* source route, RFC 5321 appendix C */
			size_t colon = pw_str_find(text, ':');

			if (colon == text.len)
				return PW_ERR_SYNTAX;
			text = pw_str_sub(text, colon + 1, text.len);
		}
	}
	if (text.len == 0)
		return PW_ERR_NOTFOUND;
	if (text.len > 4 * PW_ADDRESS_MAX)
		return PW_ERR_LIMIT;
	return parse_addr_spec(out, arena, text);
}

void pw_address_put(struct pw_buf *out, const struct pw_mailbox *mailbox)
{
	struct pw_str local = mailbox->local;

	if (is_dot_atom(local)) {
		pw_buf_puts(out, local);
	} else {
		pw_buf_putc(out, '"');
		for (size_t i = 0; i < local.len; i++) {
			if (local.at[i] == '"' || local.at[i] == '\\')
				pw_buf_putc(out, '\\');
			pw_buf_putc(out, local.at[i]);
		}
		pw_buf_putc(out, '"');
	}
	pw_buf_putc(out, '@');
	pw_buf_puts(out, mailbox->domain);
}

/* Most addresses: no quotes, brackets, blanks. Their normal form is the lower case one,
 * which needs no memory of its own. */
static bool is_plain(struct pw_str text)
{
	size_t at_sign = pw_str_find(text, '@');

	return at_sign < text.len && at_sign <= PW_LOCAL_MAX &&
	       is_dot_atom(pw_str_sub(text, 0, at_sign)) &&
	       pw_domain_is_valid(pw_str_sub(text, at_sign + 1, text.len));
}

static enum pw_status normalise_any(struct pw_buf *out, struct pw_str text)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_mailbox mailbox;
	enum pw_status r;

	if ((r = pw_arena_new(&arena, 0)) != PW_OK ||
	    (r = pw_address_parse(&mailbox, arena, text)) != PW_OK)
		return r;
	pw_address_put(out, &mailbox);
	return pw_buf_status(out);
}

enum pw_status pw_address_normalise(struct pw_buf *out, struct pw_str text)
{
	size_t before = out->len;
	enum pw_status r;

	if (is_plain(text)) {
		pw_buf_put_lower(out, text);
		r = pw_buf_status(out);
	} else {
		r = normalise_any(out, text);
	}
	if (r != PW_OK)
		pw_buf_truncate(out, before);
	return r;
}

struct pw_str pw_address_base(struct pw_str local, char delimiter)
{
	size_t n = pw_str_find(local, delimiter);

	return n == 0 ? local : pw_str_sub(local, 0, n);
}

bool pw_address_put_base(struct pw_buf *out, struct pw_str address, char delimiter)
{
	size_t at = pw_str_rfind(address, '@'), before = out->len;
	bool is_quoted = address.len > 0 && address.at[0] == '"';
	struct pw_str local = pw_str_sub(address, is_quoted, at - is_quoted);
	size_t end = delimiter != '\0' ? pw_str_find(local, delimiter) : local.len;

	if (at <= is_quoted || at == address.len || end == 0 || end == local.len)
		return false;
	local.len = end;
	/* what needed the quotes may have been behind the delimiter */
	is_quoted = is_quoted && !is_dot_atom(local);
	pw_buf_puts(out, is_quoted ? PW_STR("\"") : PW_STR(""));
	pw_buf_puts(out, local);
	pw_buf_puts(out, is_quoted ? PW_STR("\"") : PW_STR(""));
	pw_buf_puts(out, pw_str_sub(address, at, address.len));
	if (pw_buf_status(out) == PW_OK)
		return true;
	pw_buf_truncate(out, before);
	return false;
}
