/* Links in running text: where one begins and where it ends. */
#include <string.h>

#include "core/ascii.h"
#include "core/script.h"
#include "core/url.h"
#include "core/utf8.h"

#define LABELS_MAX 10 /* of a bare domain */

/* Top-level domains in which people write names without a scheme. Some are also endings
 * of file names or members of structures: those count only with a "/" behind them. Left
 * out are words (is, it, me, to, in, so) and what is nearly always a file (py, sh, rs,
 * md). */
/* clang-format off */
static const char *const word_tlds[] = {
	"com", "net", "org", "biz", "edu", "gov", "ru", "cn", "de", "uk", "fr", "nl", "eu", "br", "au", "ca", "jp", "ch",
	"xyz", "icu", "club", "online", "website", "cyou", "buzz", "sbs", "cfd", "mobi", NULL
};
static const char *const slash_tlds[] = {
	"info", "io", "co", "pl", "es", "top", "site", "shop", "store", "app", "dev", "click", "link", "live", "vip",
	"bond", "win", "bid", "loan", "tk", "ml", "ga", "cf", "gq", "su", "ws", "cc", "space", "tech", "page", "ly",
	"gl", "gd", "be", "me", "tv", "pro", "life", "world", "fun", "work", NULL
};
/* clang-format on */

static bool is_end(char c)
{
	return (unsigned char)c <= ' ' || c == '<' || c == '>' || c == '"' || c == 0x7f;
}

/* Quotes, full stops and brackets that no keyboard of a host or path has. */
static bool is_foreign_end(uint32_t code)
{
	return code == 0xa0 || code == 0xab || code == 0xbb || code == 0x2026 ||
	       (code >= 0x2018 && code <= 0x201f) || (code >= 0x2000 && code <= 0x200a) ||
	       code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f ||
	       (code >= 0x3000 && code <= 0x3001) || (code >= 0x3003 && code <= 0x301f) ||
	       (code >= 0xff08 && code <= 0xff0c) || code == 0xff1a || code == 0xff1b ||
	       code == 0xff1f || code == 0xff01;
}

/* Bytes of the link at the start of s. */
static size_t link_length(struct pw_str s)
{
	bool is_in_path = false;
	size_t i = 0, n;
	uint32_t code;

	while (i < s.len && i < PW_URL_MAX && !is_end(s.at[i])) {
		if ((unsigned char)s.at[i] < 0x80) {
			is_in_path = is_in_path ||
			             (i > 8 && (s.at[i] == '/' || s.at[i] == '?'));
			i++;
			continue;
		}
		if ((n = pw_utf8_get(pw_str_sub(s, i, 4), &code)) == 0) {
			i++;
			continue;
		}
		/* an ideographic full stop ends a sentence, or stands for a dot */
		if (is_foreign_end(code) || (pw_fold_width(code) == '.' && is_in_path))
			break;
		i += n;
	}
	return i;
}

/* Without what belongs to the sentence around it. */
static size_t trim_end(struct pw_str s)
{
	size_t opened = 0, closed = 0;

	for (size_t i = 0; i < s.len; i++) {
		opened += s.at[i] == '(';
		closed += s.at[i] == ')';
	}
	while (s.len > 0) {
		char c = s.at[s.len - 1];

		if (strchr(".,;:!?]}'*", c) == NULL && (c != ')' || closed <= opened))
			break;
		closed -= c == ')';
		s.len--;
	}
	return s.len;
}

static const struct {
	const char *text;
	size_t len;
} starts[] = {
	{ "http://", 7 }, { "https://", 8 }, { "www.", 4 },      { "ftp://", 6 },
	{ "hxxp://", 7 }, { "hxxps://", 8 }, { "http:\\\\", 7 }, { "https:\\\\", 8 },
};

/* Bytes of "http://" and the like at the start of s, or 0. */
static size_t start_length(struct pw_str s)
{
	for (size_t i = 0; i < PW_LEN(starts); i++)
		if (pw_str_starts_nocase(
			    s, (struct pw_str){ starts[i].text, starts[i].len }))
			return starts[i].len;
	return 0;
}

static bool is_one_of(struct pw_str tld, const char *const *names)
{
	for (; *names != NULL; names++)
		if (pw_str_eq_nocase(tld, pw_str_from(*names)))
			return true;
	return false;
}

/* Bytes of labels and dots at the start of s; *tld is the last label, behind a dot. */
static size_t domain_length(struct pw_str s, struct pw_str *tld)
{
	size_t i = 0, label = 0, dots = 0;

	*tld = (struct pw_str){ "", 0 };
	for (; i < s.len; i++) {
		if (pw_is_alnum(s.at[i]) || (s.at[i] == '-' && i > label))
			continue;
		if (s.at[i] != '.' || i == label || i - label > PW_URL_LABEL_MAX ||
		    i + 1 == s.len || !pw_is_alnum(s.at[i + 1]) || dots == LABELS_MAX)
			break;
		dots++;
		label = i + 1;
	}
	if (dots > 0)
		*tld = pw_str_sub(s, label, i - label);
	return i;
}

/* Is the domain of len bytes at the start of s one, and not part of an address, a file
 * name or a word? */
static bool is_bare_domain(struct pw_str s, size_t len, struct pw_str tld)
{
	unsigned char next = len < s.len ? (unsigned char)s.at[len] : ' ';

	if (next == '/')
		return is_one_of(tld, word_tlds) || is_one_of(tld, slash_tlds);
	if (!is_one_of(tld, word_tlds))
		return false;
	return next <= ' ' || strchr("?#,;:!)]>\"'*|<.", next) != NULL;
}

/* A link at the start of s: its bytes, or 0 and in *skip how many to pass over. */
static size_t take_link(struct pw_str s, bool is_after_name, bool *is_bare, size_t *skip)
{
	struct pw_str tld;
	size_t n = start_length(s), len;

	*is_bare = false;
	if (n > 0 && n < s.len && !is_end(s.at[n])) {
		len = link_length(s);
		*skip = len;
		len = trim_end(pw_str_sub(s, 0, len));
		return len > n ? len : 0;
	}
	len = domain_length(s, &tld);
	*skip = len > 0 ? len : 1;
	if (is_after_name || !is_bare_domain(s, len, tld))
		return 0;
	*is_bare = true;
	if (len == s.len || s.at[len] != '/')
		return len;
	*skip = link_length(s);
	return trim_end(pw_str_sub(s, 0, *skip));
}

bool pw_url_next(struct pw_str text, size_t *pos, struct pw_str *out, bool *is_bare)
{
	size_t skip;

	for (size_t i = *pos; i < text.len; i += skip) {
		unsigned char before = i > 0 ? (unsigned char)text.at[i - 1] : ' ';
		size_t len;

		skip = 1;
		if (!pw_is_alnum(text.at[i]))
			continue;
		/* "@host", "/name", "a.b=c.com": pieces of something else */
		len = take_link(pw_str_sub(text, i, text.len),
		                before >= 0x80 || strchr("@/\\=_-.%&", before) != NULL,
		                is_bare, &skip);
		if (len == 0)
			continue;
		*out = pw_str_sub(text, i, len);
		*pos = i + skip;
		return true;
	}
	*pos = text.len;
	return false;
}
