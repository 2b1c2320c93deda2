#include "core/str.h"

#include <string.h>

#include "core/ascii.h"

struct pw_str pw_str_from(const char *text)
{
	return (struct pw_str){ text, text != NULL ? strlen(text) : 0 };
}

bool pw_str_eq(struct pw_str a, struct pw_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool pw_str_eq_nocase(struct pw_str a, struct pw_str b)
{
	return a.len == b.len && pw_str_starts_nocase(a, b);
}

bool pw_str_starts(struct pw_str s, struct pw_str prefix)
{
	return s.len >= prefix.len && pw_str_eq(pw_str_sub(s, 0, prefix.len), prefix);
}

bool pw_str_starts_nocase(struct pw_str s, struct pw_str prefix)
{
	if (s.len < prefix.len)
		return false;
	for (size_t i = 0; i < prefix.len; i++)
		if (pw_lower(s.at[i]) != pw_lower(prefix.at[i]))
			return false;
	return true;
}

bool pw_str_ends_nocase(struct pw_str s, struct pw_str suffix)
{
	return s.len >= suffix.len &&
	       pw_str_eq_nocase(pw_str_sub(s, s.len - suffix.len, suffix.len), suffix);
}

size_t pw_str_find(struct pw_str s, char c)
{
	const char *hit = s.len > 0 ? memchr(s.at, c, s.len) : NULL;

	return hit != NULL ? (size_t)(hit - s.at) : s.len;
}

size_t pw_str_rfind(struct pw_str s, char c)
{
	const char *hit = s.len > 0 ? memrchr(s.at, c, s.len) : NULL;

	return hit != NULL ? (size_t)(hit - s.at) : s.len;
}

bool pw_str_contains(struct pw_str s, struct pw_str needle)
{
	if (needle.len == 0)
		return true;
	return s.len > 0 && memmem(s.at, s.len, needle.at, needle.len) != NULL;
}

struct pw_str pw_str_sub(struct pw_str s, size_t start, size_t len)
{
	if (start > s.len)
		start = s.len;
	if (len > s.len - start)
		len = s.len - start;
	return (struct pw_str){ s.at != NULL ? s.at + start : NULL, len };
}

struct pw_str pw_str_cut(struct pw_str *rest, char c)
{
	size_t n = pw_str_find(*rest, c);
	struct pw_str head = pw_str_sub(*rest, 0, n);

	if (n < rest->len)
		*rest = pw_str_sub(*rest, n + 1, rest->len);
	else
		*rest = (struct pw_str){ NULL, 0 };
	return head;
}

static bool is_blank(char c, bool with_lines)
{
	return pw_is_wsp(c) || (with_lines && (c == '\r' || c == '\n'));
}

static struct pw_str trim(struct pw_str s, bool with_lines)
{
	while (s.len > 0 && is_blank(s.at[0], with_lines)) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.at[s.len - 1], with_lines))
		s.len--;
	return s;
}

struct pw_str pw_str_trim_wsp(struct pw_str s)
{
	return trim(s, false);
}

struct pw_str pw_str_trim(struct pw_str s)
{
	return trim(s, true);
}

enum pw_status pw_str_to_int64(struct pw_str s, int64_t min, int64_t max, int64_t *out)
{
	bool is_negative = s.len > 0 && s.at[0] == '-';
	int64_t value = 0;

	if (s.len == (is_negative ? 1u : 0u))
		return PW_ERR_SYNTAX;
	for (size_t i = is_negative ? 1 : 0; i < s.len; i++) {
		int digit = s.at[i] - '0';

		if (!pw_is_digit(s.at[i]))
			return PW_ERR_SYNTAX;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, is_negative ? -digit : digit, &value))
			return PW_ERR_RANGE;
	}
	if (value < min || value > max)
		return PW_ERR_RANGE;
	*out = value;
	return PW_OK;
}
