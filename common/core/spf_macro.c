#include "core/spf_macro.h"

#include "core/ascii.h"

#define LETTERS_DOMAIN PW_STR("slodiphv")
#define LETTERS_TEXT PW_STR("slodiphvcrt") /* 7.2: c, r, t in explanations only */
#define DELIMITERS PW_STR(".-+,/_=")
#define PARTS_ALL 0

enum token_kind { TOKEN_END, TOKEN_BAD, TOKEN_TEXT, TOKEN_MACRO };

struct token {
	struct pw_str text; /* TOKEN_TEXT: what it stands for */
	bool is_escape;     /* TOKEN_TEXT: written as %%, %_ or %- */
	char letter;        /* TOKEN_MACRO, lower case */
	bool is_upper;      /* escape the value for a URL */
	bool is_reversed;
	unsigned parts; /* right-hand parts to keep, or PARTS_ALL */
	struct pw_str delimiters;
};

static bool has(struct pw_str set, char c)
{
	return pw_str_find(set, c) < set.len;
}

static bool read_escape(struct token *token, char c)
{
	token->is_escape = true;
	token->text = c == '%' ? PW_STR("%") : c == '_' ? PW_STR(" ") : PW_STR("%20");
	return c == '%' || c == '_' || c == '-';
}

/* The inside of "%{...}": letter, digits, 'r', delimiters. */
static bool read_macro(struct token *token, struct pw_str inside)
{
	size_t at = 1;

	if (inside.len == 0)
		return false;
	token->letter = pw_lower(inside.at[0]);
	token->is_upper = token->letter != inside.at[0];
	for (; at < inside.len && pw_is_digit(inside.at[at]); at++)
		if (token->parts <
		    UINT16_MAX) /* more than any name has: keep, do not overflow */
			token->parts =
				token->parts * 10 + (unsigned)(inside.at[at] - '0');
	if (at > 1 && token->parts == 0)
		return false;
	if (at < inside.len && pw_lower(inside.at[at]) == 'r') {
		token->is_reversed = true;
		at++;
	}
	token->delimiters = pw_str_sub(inside, at, inside.len);
	for (size_t i = 0; i < token->delimiters.len; i++)
		if (!has(DELIMITERS, token->delimiters.at[i]))
			return false;
	if (token->delimiters.len == 0)
		token->delimiters = PW_STR(".");
	return has(LETTERS_TEXT, token->letter);
}

static enum token_kind next_token(struct pw_str *rest, struct token *token)
{
	size_t close;

	*token = (struct token){ .parts = PARTS_ALL };
	if (rest->len == 0)
		return TOKEN_END;
	if (rest->at[0] != '%') {
		token->text = pw_str_sub(*rest, 0, 1);
		*rest = pw_str_sub(*rest, 1, rest->len);
		return TOKEN_TEXT;
	}
	if (rest->len < 2)
		return TOKEN_BAD;
	if (rest->at[1] != '{') {
		if (!read_escape(token, rest->at[1]))
			return TOKEN_BAD;
		*rest = pw_str_sub(*rest, 2, rest->len);
		return TOKEN_TEXT;
	}
	close = pw_str_find(*rest, '}');
	if (close == rest->len || !read_macro(token, pw_str_sub(*rest, 2, close - 2)))
		return TOKEN_BAD;
	*rest = pw_str_sub(*rest, close + 1, rest->len);
	return TOKEN_MACRO;
}

/* Letters, digits, inner hyphens, and not digits alone. */
static bool is_toplabel(struct pw_str label)
{
	bool is_number = true;

	if (label.len == 0 || label.at[0] == '-' || label.at[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		if (!pw_is_alnum(label.at[i]) && label.at[i] != '-')
			return false;
		is_number = is_number && pw_is_digit(label.at[i]);
	}
	return !is_number;
}

/* domain-end; tail is what follows the last macro. */
static bool is_domain_end(struct pw_str tail, bool has_macro)
{
	size_t dot;

	if (tail.len == 0)
		return has_macro;
	if (tail.at[tail.len - 1] == '.')
		tail.len--;
	dot = pw_str_rfind(tail, '.');
	return dot < tail.len && is_toplabel(pw_str_sub(tail, dot + 1, tail.len));
}

bool pw_spf_macro_is_valid(struct pw_str spec, enum pw_spf_macro_kind kind)
{
	struct pw_str rest = spec, tail = spec;
	bool has_macro = false;
	struct token token;
	enum token_kind found;

	while ((found = next_token(&rest, &token)) != TOKEN_END) {
		if (found == TOKEN_BAD)
			return false;
		if (found == TOKEN_MACRO && kind == PW_SPF_MACRO_DOMAIN &&
		    !has(LETTERS_DOMAIN, token.letter))
			return false;
		if (found == TOKEN_MACRO || token.is_escape) {
			has_macro = true;
			tail = rest;
			continue;
		}
		if (!pw_is_print(token.text.at[0]) ||
		    (token.text.at[0] == ' ' && kind != PW_SPF_MACRO_TEXT))
			return false;
	}
	return kind != PW_SPF_MACRO_DOMAIN || is_domain_end(tail, has_macro);
}

bool pw_spf_macro_uses(struct pw_str spec, char letter)
{
	struct token token;
	enum token_kind found;

	while ((found = next_token(&spec, &token)) == TOKEN_TEXT || found == TOKEN_MACRO)
		if (found == TOKEN_MACRO && token.letter == letter)
			return true;
	return false;
}

static void put_value(struct pw_buf *out, char c, bool is_escaped)
{
	static const char hex[] = "0123456789ABCDEF";

	if (!is_escaped || pw_is_alnum(c) || has(PW_STR("-._~"), c)) {
		pw_buf_putc(out, c);
		return;
	}
	pw_buf_putc(out, '%');
	pw_buf_putc(out, hex[(unsigned char)c >> 4]);
	pw_buf_putc(out, hex[(unsigned char)c & 15]);
}

/* Reversal takes the right-hand parts of the reversed list: the left-hand ones of value.
 */
static struct pw_str keep_parts(struct pw_str value, const struct token *token)
{
	unsigned seen = 0;

	if (token->parts == PARTS_ALL)
		return value;
	for (size_t i = 0; i < value.len; i++) {
		size_t at = token->is_reversed ? i : value.len - 1 - i;

		if (!has(token->delimiters, value.at[at]) || ++seen < token->parts)
			continue;
		return token->is_reversed ? pw_str_sub(value, 0, at)
		                          : pw_str_sub(value, at + 1, value.len);
	}
	return value;
}

static void put_macro(struct pw_buf *out, struct pw_str value, const struct token *token)
{
	size_t end;

	value = keep_parts(value, token);
	if (!token->is_reversed) {
		for (size_t i = 0; i < value.len; i++)
			put_value(out,
			          has(token->delimiters, value.at[i]) ? '.' : value.at[i],
			          token->is_upper);
		return;
	}
	end = value.len;
	for (size_t i = value.len; i-- > 0;) {
		if (!has(token->delimiters, value.at[i]))
			continue;
		for (size_t at = i + 1; at < end; at++)
			put_value(out, value.at[at], token->is_upper);
		pw_buf_putc(out, '.');
		end = i;
	}
	for (size_t at = 0; at < end; at++)
		put_value(out, value.at[at], token->is_upper);
}

void pw_spf_macro_expand(struct pw_buf *out, struct pw_str spec,
                         const struct pw_spf_macro_values *values)
{
	struct token token;
	enum token_kind found;

	while ((found = next_token(&spec, &token)) == TOKEN_TEXT ||
	       found == TOKEN_MACRO) {
		if (found == TOKEN_TEXT)
			pw_buf_puts(out, token.text);
		else
			put_macro(out, values->by_letter[token.letter - 'a'], &token);
	}
}
