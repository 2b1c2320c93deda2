#include "core/spf_record.h"

#include "core/ascii.h"
#include "core/spf_macro.h"

#define VERSION PW_STR("v=spf1")

enum argument {
	ARG_NONE,
	ARG_DOMAIN,
	ARG_DOMAIN_MAY,
	ARG_DOMAIN_MAY_CIDR,
	ARG_IP4,
	ARG_IP6
};

/* clang-format off */
static const struct {
	const char *name;
	enum argument argument;
} mechanisms[PW_SPF_MECHANISMS] = {
	/*                  name       argument                 RFC 7208 */
	[PW_SPF_ALL]     = { "all",     ARG_NONE            }, /* 5.1 */
	[PW_SPF_INCLUDE] = { "include", ARG_DOMAIN          }, /* 5.2 */
	[PW_SPF_A]       = { "a",       ARG_DOMAIN_MAY_CIDR }, /* 5.3 */
	[PW_SPF_MX]      = { "mx",      ARG_DOMAIN_MAY_CIDR }, /* 5.4 */
	[PW_SPF_PTR]     = { "ptr",     ARG_DOMAIN_MAY      }, /* 5.5 */
	[PW_SPF_IP4]     = { "ip4",     ARG_IP4             }, /* 5.6 */
	[PW_SPF_IP6]     = { "ip6",     ARG_IP6             }, /* 5.6 */
	[PW_SPF_EXISTS]  = { "exists",  ARG_DOMAIN          }, /* 5.7 */
};

static const struct {
	char sign;
	enum pw_spf_result result;
} qualifiers[] = {
	{ '+', PW_SPF_PASS     },
	{ '-', PW_SPF_FAIL     },
	{ '~', PW_SPF_SOFTFAIL },
	{ '?', PW_SPF_NEUTRAL  },
};
/* clang-format on */

bool pw_spf_record_is(struct pw_str txt)
{
	return pw_str_starts_nocase(txt, VERSION) &&
	       (txt.len == VERSION.len || txt.at[VERSION.len] == ' ');
}

static bool is_name_char(char c)
{
	return pw_is_alnum(c) || c == '-' || c == '_' || c == '.';
}

static size_t name_len(struct pw_str text)
{
	size_t n = 0;

	while (n < text.len && is_name_char(text.at[n]))
		n++;
	return n;
}

/* Cut a prefix length like "/24" or "//64" from the end. No such ending: true, nothing
 * changed. */
static bool cut_cidr(struct pw_str *text, struct pw_str mark, int64_t max, uint8_t *bits)
{
	size_t end = text->len;
	int64_t value;

	while (end > 0 && pw_is_digit(text->at[end - 1]))
		end--;
	if (end == text->len || end < mark.len ||
	    !pw_str_eq(pw_str_sub(*text, end - mark.len, mark.len), mark))
		return true;
	if (text->at[end] == '0' && end + 1 < text->len)
		return false;
	if (pw_str_to_int64(pw_str_sub(*text, end, text->len), 0, max, &value) != PW_OK)
		return false;
	*bits = (uint8_t)value;
	text->len = end - mark.len;
	return true;
}

static enum pw_status parse_net(struct pw_spf_term *term, struct pw_str rest,
                                enum pw_ip_family family)
{
	if (rest.len == 0 || rest.at[0] != ':' ||
	    pw_net_parse(&term->net, pw_str_sub(rest, 1, rest.len)) != PW_OK ||
	    term->net.ip.family != family)
		return PW_ERR_SYNTAX;
	return PW_OK;
}

static enum pw_status parse_domain(struct pw_spf_term *term, struct pw_str rest,
                                   enum argument argument)
{
	if (argument == ARG_DOMAIN_MAY_CIDR &&
	    (!cut_cidr(&rest, PW_STR("//"), 128, &term->bits6) ||
	     !cut_cidr(&rest, PW_STR("/"), 32, &term->bits4)))
		return PW_ERR_SYNTAX;
	if (rest.len == 0)
		return argument == ARG_DOMAIN ? PW_ERR_SYNTAX : PW_OK;
	term->domain = pw_str_sub(rest, 1, rest.len);
	if (rest.at[0] != ':' ||
	    !pw_spf_macro_is_valid(term->domain, PW_SPF_MACRO_DOMAIN))
		return PW_ERR_SYNTAX;
	return PW_OK;
}

static enum pw_status parse_argument(struct pw_spf_term *term, struct pw_str rest)
{
	enum argument argument = mechanisms[term->mechanism].argument;

	switch (argument) {
	case ARG_NONE:
		return rest.len == 0 ? PW_OK : PW_ERR_SYNTAX;
	case ARG_IP4:
		return parse_net(term, rest, PW_IP_V4);
	case ARG_IP6:
		return parse_net(term, rest, PW_IP_V6);
	case ARG_DOMAIN:
	case ARG_DOMAIN_MAY:
	case ARG_DOMAIN_MAY_CIDR:
		break;
	}
	return parse_domain(term, rest, argument);
}

static enum pw_status parse_directive(struct pw_spf_term *term, struct pw_str text)
{
	size_t n;

	*term = (struct pw_spf_term){
		.text = text, .result = PW_SPF_PASS, .bits4 = 32, .bits6 = 128
	};
	for (size_t i = 0; i < PW_LEN(qualifiers); i++)
		if (text.at[0] == qualifiers[i].sign) {
			term->result = qualifiers[i].result;
			text = pw_str_sub(text, 1, text.len);
			break;
		}
	n = name_len(text);
	for (size_t i = 0; i < PW_LEN(mechanisms); i++)
		if (pw_str_eq_nocase(pw_str_sub(text, 0, n),
		                     pw_str_from(mechanisms[i].name))) {
			term->mechanism = (enum pw_spf_mechanism)i;
			return parse_argument(term, pw_str_sub(text, n, text.len));
		}
	return PW_ERR_SYNTAX;
}

/* redirect and exp at most once each; the value of others only has to be well formed. */
static enum pw_status parse_modifier(struct pw_spf_record *record, struct pw_str name,
                                     struct pw_str value)
{
	struct pw_str *known = pw_str_eq_nocase(name, PW_STR("redirect"))
	                               ? &record->redirect
	                       : pw_str_eq_nocase(name, PW_STR("exp")) ? &record->exp
	                                                               : NULL;

	if (known == NULL)
		return pw_spf_macro_is_valid(value, PW_SPF_MACRO_STRING) ? PW_OK
		                                                         : PW_ERR_SYNTAX;
	if (known->len > 0 || !pw_spf_macro_is_valid(value, PW_SPF_MACRO_DOMAIN))
		return PW_ERR_SYNTAX;
	*known = value;
	return PW_OK;
}

static bool next_word(struct pw_str *rest, struct pw_str *word)
{
	do
		*word = pw_str_cut(rest, ' ');
	while (word->len == 0 && rest->len > 0);
	return word->len > 0;
}

static size_t count_words(struct pw_str text)
{
	struct pw_str word;
	size_t n = 0;

	while (next_word(&text, &word))
		n++;
	return n;
}

enum pw_status pw_spf_record_parse(struct pw_spf_record *out, struct pw_arena *arena,
                                   struct pw_str txt)
{
	struct pw_str rest = pw_str_sub(txt, VERSION.len, txt.len), word;
	struct pw_spf_record record = { 0 };
	struct pw_spf_term *terms =
		pw_arena_array(arena, count_words(rest), sizeof(*terms));
	enum pw_status r;

	if (terms == NULL)
		return PW_ERR_NOMEM;
	while (next_word(&rest, &word)) {
		size_t n = name_len(word);

		if (n < word.len && word.at[n] == '=' && pw_is_alpha(word.at[0]))
			r = parse_modifier(&record, pw_str_sub(word, 0, n),
			                   pw_str_sub(word, n + 1, word.len));
		else
			r = parse_directive(&terms[record.count++], word);
		if (r != PW_OK)
			return r;
	}
	record.terms = terms;
	*out = record;
	return PW_OK;
}
