#include "core/date.h"

#include "core/ascii.h"

#define DATE_MAX 128 /* bytes of a date without comments */

static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun",
	                              "jul", "aug", "sep", "oct", "nov", "dec" };

/* clang-format off */
static const struct zone {
	const char *name;
	int minutes;
} zones[] = { /* RFC 5322 4.3 */
	{ "ut",  0 },         { "gmt", 0 },         { "z",   0 },
	{ "est", -5 * 60 },   { "edt", -4 * 60 },   { "cst", -6 * 60 },   { "cdt", -5 * 60 },
	{ "mst", -7 * 60 },   { "mdt", -6 * 60 },   { "pst", -8 * 60 },   { "pdt", -7 * 60 },
};
/* clang-format on */

int64_t pw_date_days(int64_t year, int month, int day)
{
	/* Years begin in March, so that the leap day is the last one; eras of 400 years.
	 */
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* What is left of a date without comments and without blanks beside colons, which the
 * obsolete syntax allows (RFC 5322 4.3). Longer texts are cut: a date is short. */
static struct pw_str tidy(char out[DATE_MAX], struct pw_str text)
{
	size_t len = 0, depth = 0;

	for (size_t i = 0; i < text.len && len < DATE_MAX; i++) {
		char c = text.at[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth > 0)
			continue;
		else if ((unsigned char)c <= ' ' && (len == 0 || out[len - 1] == ':'))
			continue;
		else if (c == ':')
			while (len > 0 && (unsigned char)out[len - 1] <= ' ')
				len--;
		if (depth == 0 && c != ')')
			out[len++] = c;
	}
	return (struct pw_str){ out, len };
}

/* Next word or number; what stands between them is passed over. A sign belongs to what
 * follows it. */
static struct pw_str next_word(struct pw_str *rest)
{
	struct pw_str word;
	size_t start = 0, end;

	while (start < rest->len && !pw_is_alnum(rest->at[start]) &&
	       rest->at[start] != '+' && rest->at[start] != '-')
		start++;
	end = start < rest->len && !pw_is_alnum(rest->at[start]) ? start + 1 : start;
	while (end < rest->len && (pw_is_alnum(rest->at[end]) || rest->at[end] == ':'))
		end++;
	word = pw_str_sub(*rest, start, end - start);
	*rest = pw_str_sub(*rest, end, rest->len);
	return word;
}

static bool read_month(int *out, struct pw_str word)
{
	for (size_t i = 0; i < PW_LEN(months); i++) {
		if (word.len < 3 ||
		    !pw_str_eq_nocase(pw_str_sub(word, 0, 3), pw_str_from(months[i])))
			continue;
		*out = (int)i + 1;
		return true;
	}
	return false;
}

static bool read_number(int64_t *out, struct pw_str word, int64_t max)
{
	return pw_str_to_int64(word, 0, max, out) == PW_OK;
}

static bool read_time(int64_t *seconds_out, struct pw_str word)
{
	struct pw_str rest = word;
	int64_t hour, minute, second = 0;

	if (!read_number(&hour, pw_str_cut(&rest, ':'), 23) ||
	    !read_number(&minute, pw_str_cut(&rest, ':'), 59))
		return false;
	if (rest.at != NULL && !read_number(&second, pw_str_cut(&rest, ':'), 60))
		return false;
	*seconds_out = hour * 3600 + minute * 60 + second;
	return rest.at == NULL;
}

static int read_zone(struct pw_str word)
{
	int64_t n;

	if (word.len == 5 && (word.at[0] == '+' || word.at[0] == '-') &&
	    read_number(&n, pw_str_sub(word, 1, 4), 9999)) {
		int minutes = (int)(n / 100 * 60 + n % 100);

		return word.at[0] == '-' ? -minutes : minutes;
	}
	for (size_t i = 0; i < PW_LEN(zones); i++)
		if (pw_str_eq_nocase(word, pw_str_from(zones[i].name)))
			return zones[i].minutes;
	return 0;
}

/* RFC 5322 4.3: two digits are 1950..2049, three are offsets from 1900. */
static int64_t full_year(int64_t year, size_t digits)
{
	if (digits == 2)
		return year < 50 ? year + 2000 : year + 1900;
	return digits == 3 ? year + 1900 : year;
}

static int days_of(int month, int64_t year)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && is_leap ? 29 : days[month - 1];
}

static struct pw_str without_sign(struct pw_str word)
{
	return pw_str_starts(word, PW_STR("-")) ? pw_str_sub(word, 1, word.len) : word;
}

enum pw_status pw_date_parse(int64_t *unix_s_out, int *zone_minutes_out,
                             struct pw_str text)
{
	char room[DATE_MAX];
	struct pw_str rest = tidy(room, text), word = next_word(&rest);
	int64_t day, year, seconds;
	int month, zone;

	if (word.len > 0 && pw_is_alpha(word.at[0])) /* day of the week */
		word = next_word(&rest);
	if (!read_number(&day, word, 99) ||
	    !read_month(&month, without_sign(next_word(&rest))))
		return PW_ERR_SYNTAX;
	word = without_sign(next_word(&rest));
	if (word.len < 2 || !read_number(&year, word, 9999))
		return PW_ERR_SYNTAX;
	year = full_year(year, word.len);
	if (!read_time(&seconds, next_word(&rest)))
		return PW_ERR_SYNTAX;
	if (day < 1 || day > days_of(month, year))
		return PW_ERR_RANGE;
	zone = read_zone(next_word(&rest));
	*unix_s_out = pw_date_days(year, month, (int)day) * 86400 + seconds -
	              (int64_t)zone * 60;
	if (zone_minutes_out != NULL)
		*zone_minutes_out = zone;
	return PW_OK;
}
