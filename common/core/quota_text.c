#include "core/quota_text.h"

#include "core/ascii.h"

/* 1024 to the power of the letter's place; 0 for no such letter. */
static int64_t unit_of(struct pw_str s)
{
	static const char letters[] = "bkmgt";

	if (s.len > 1 && pw_str_eq_nocase(pw_str_sub(s, 1, s.len), PW_STR("ib")))
		s.len = pw_lower(s.at[0]) == 'b' ? 0 : 1;
	if (s.len == 2 && pw_lower(s.at[1]) == 'b' && pw_lower(s.at[0]) != 'b')
		s.len = 1;
	if (s.len != 1)
		return 0;
	for (size_t i = 0; i < sizeof(letters) - 1; i++)
		if (letters[i] == pw_lower(s.at[0]))
			return (int64_t)1 << (10 * i);
	return 0;
}

enum pw_status pw_size_parse(struct pw_str text, int64_t unit, int64_t *bytes_out)
{
	struct pw_str letters;
	size_t digits = 0;
	enum pw_status r;
	int64_t n;

	text = pw_str_trim(text);
	while (digits < text.len && pw_is_digit(text.at[digits]))
		digits++;
	letters = pw_str_trim(pw_str_sub(text, digits, text.len));
	r = pw_str_to_int64(pw_str_sub(text, 0, digits), 0, INT64_MAX, &n);
	if (r != PW_OK)
		return r;
	if (letters.len > 0 && (unit = unit_of(letters)) == 0)
		return PW_ERR_SYNTAX;
	if (n > INT64_MAX / unit)
		return PW_ERR_RANGE;
	*bytes_out = n * unit;
	return PW_OK;
}

static enum pw_status parse_limit(struct pw_quota_rule *rule, struct pw_str limit)
{
	struct pw_str name = pw_str_cut(&limit, '=');

	if (pw_str_eq(name, PW_STR("storage"))) /* kilobytes where no letter says */
		return pw_size_parse(limit, 1024, &rule->bytes);
	if (pw_str_eq(name, PW_STR("bytes")))
		return pw_size_parse(limit, 1, &rule->bytes);
	if (pw_str_eq(name, PW_STR("messages")))
		return pw_str_to_int64(limit, 0, INT64_MAX, &rule->messages);
	return PW_ERR_SYNTAX;
}

enum pw_status pw_quota_rule_parse(struct pw_quota_rule *out, struct pw_str rule)
{
	struct pw_quota_rule got = { -1, -1 };
	struct pw_str folder = pw_str_cut(&rule, ':');
	enum pw_status r;

	if (rule.at == NULL)
		return PW_ERR_SYNTAX;
	if (!pw_str_eq(folder, PW_STR("*")) && !pw_str_eq(folder, PW_STR("?")))
		return PW_ERR_NOTFOUND;
	while (rule.at != NULL)
		if ((r = parse_limit(&got, pw_str_cut(&rule, ':'))) != PW_OK)
			return r;
	*out = got;
	return PW_OK;
}
