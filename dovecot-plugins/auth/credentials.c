#include "credentials.h"

#include <string.h>

#include "core/address.h"
#include "core/utf8.h"

/* ---- costs ---- */

/* clang-format off */
static const char *const fast_schemes[] = {
	"PLAIN", "CLEAR", "CLEARTEXT", "PLAIN-TRUNC", "PLAIN-MD4", "PLAIN-MD5", "LDAP-MD5",
	"CRAM-MD5", "HMAC-MD5", "DIGEST-MD5", "SMD5", "SHA", "SHA1", "SHA256", "SHA512",
	"SSHA", "SSHA256", "SSHA512",
};

/* Numbers in hashes that say how much work there is. */
static const struct work {
	const char *scheme; /* "" = any */
	const char *before; /* what stands before the number; "" = it is the first thing */
	int64_t max;        /* about a second */
} works[] = {
	{ "",              "$rounds=",    1000000 },
	{ "SCRAM-SHA-1",   "",            1000000 },
	{ "SCRAM-SHA-256", "",            1000000 },
	{ "",              "$2a$",        15 },
	{ "",              "$2b$",        15 },
	{ "",              "$2x$",        15 },
	{ "",              "$2y$",        15 },
	{ "",              "$m=",         1048576 }, /* KiB of argon2 */
	{ "",              ",t=",         64 },
};
/* clang-format on */

/* Bytes of hash after the scheme; *scheme without what Dovecot allows after a dot. */
static struct pw_str split_scheme(struct pw_str hash, struct pw_str *scheme)
{
	struct pw_str rest = hash;

	*scheme = (struct pw_str){ 0 };
	if (!pw_str_starts(hash, PW_STR("{")))
		return hash;
	rest = pw_str_sub(hash, 1, hash.len);
	*scheme = pw_str_cut(&rest, '}');
	*scheme = pw_str_sub(*scheme, 0, pw_str_find(*scheme, '.'));
	return rest;
}

/* The digits at the start of text; what is too long for a number is huge. */
static int64_t leading_number(struct pw_str text)
{
	int64_t n = 0;
	size_t digits = 0;

	while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
		digits++;
	return digits == 0 ? 0
	       : pw_str_to_int64(pw_str_sub(text, 0, digits), 0, INT64_MAX, &n) == PW_OK
	               ? n
	               : INT64_MAX;
}

static bool exceeds(const struct work *work, struct pw_str scheme, struct pw_str hash)
{
	struct pw_str before = pw_str_from(work->before);

	if (work->scheme[0] != '\0' &&
	    !pw_str_eq_nocase(scheme, pw_str_from(work->scheme)))
		return false;
	for (size_t i = 0; i + before.len <= hash.len; i++) {
		struct pw_str here = pw_str_sub(hash, i, hash.len);

		if (pw_str_starts(here, before))
			return leading_number(pw_str_sub(here, before.len, here.len)) >
			       work->max;
	}
	return false;
}

/* $1$salt$rounds$hash */
static bool is_endless_pbkdf2(struct pw_str scheme, struct pw_str hash)
{
	if (!pw_str_eq_nocase(scheme, PW_STR("PBKDF2")))
		return false;
	for (int fields = 3; fields > 0; fields--)
		(void)pw_str_cut(&hash, '$');
	return hash.at && leading_number(hash) > 1000000;
}

enum hash_cost hash_cost(struct pw_str hash)
{
	struct pw_str scheme, rest = split_scheme(hash, &scheme);

	for (size_t i = 0; i < PW_LEN(fast_schemes); i++)
		if (pw_str_eq_nocase(scheme, pw_str_from(fast_schemes[i])))
			return HASH_FAST;
	for (size_t i = 0; i < PW_LEN(works); i++)
		if (exceeds(&works[i], scheme, rest))
			return HASH_TOO_SLOW;
	return is_endless_pbkdf2(scheme, rest) ? HASH_TOO_SLOW : HASH_SLOW;
}

/* ---- rows ---- */

/* What SQL says, and what becomes of it. */
/* clang-format off */
static const struct refusal {
	const char *text; /* of the row; the whole of it, or up to ':' */
	enum credential_verdict verdict;
	const char *reason; /* for the client; NULL = none, "" = what follows ": " */
} refusals[] = {
	{ "disabled",          CREDENTIAL_DISABLED, NULL },
	{ "domain disabled",   CREDENTIAL_DISABLED, NULL },
	{ "expired",           CREDENTIAL_EXPIRED,  NULL },
	{ "suspended",         CREDENTIAL_DISABLED, "" },
	{ "protocol",          CREDENTIAL_DISABLED, "this account may not use this protocol" },
	{ "app password only", CREDENTIAL_NEVER,    NULL },
};
/* clang-format on */

static const char *what_follows(const char *text)
{
	const char *at = strstr(text, ": ");

	return at && at[2] != '\0' ? at + 2 : NULL;
}

static bool is_about(const struct refusal *r, const char *text)
{
	size_t len = strlen(r->text);

	return strncmp(text, r->text, len) == 0 &&
	       (text[len] == '\0' || text[len] == ':');
}

enum credential_verdict credential_judge(const struct credential *row,
                                         const char **reason_out)
{
	*reason_out = NULL;
	if (!row->refusal)
		return CREDENTIAL_GOOD;
	for (size_t i = 0; i < PW_LEN(refusals); i++) {
		if (!is_about(&refusals[i], row->refusal))
			continue;
		*reason_out = refusals[i].reason;
		if (*reason_out && (*reason_out)[0] == '\0')
			*reason_out = what_follows(row->refusal);
		return refusals[i].verdict;
	}
	return CREDENTIAL_DISABLED; /* whatever a query says: it is a refusal */
}

static bool can_match(const struct credential *row)
{
	const char *reason;

	return row->hash && credential_judge(row, &reason) != CREDENTIAL_NEVER;
}

static size_t move(struct credential *to, size_t at, const struct credential *rows,
                   size_t count, bool fast)
{
	for (size_t i = 0; i < count; i++)
		if (can_match(&rows[i]) &&
		    (hash_cost(pw_str_from(rows[i].hash)) == HASH_FAST) == fast)
			to[at++] = rows[i];
	return at;
}

size_t credentials_order(struct credential *rows, size_t count)
{
	struct credential ordered[CREDENTIALS_MAX];
	size_t tries;

	if (count > CREDENTIALS_MAX)
		count = CREDENTIALS_MAX;
	tries = move(ordered, 0, rows, count, true);
	tries = move(ordered, tries, rows, count, false);
	if (tries > 0)
		memcpy(rows, ordered, tries * sizeof(*rows));
	return tries;
}

/* ---- logins ---- */

bool login_is_possible(struct pw_str login)
{
	if (login.len == 0 || login.len > PW_ADDRESS_MAX)
		return false;
	while (login.len > 0) {
		size_t n = pw_utf8_length(login);

		if (n == 0 || (unsigned char)login.at[0] < ' ' || login.at[0] == 0x7f)
			return false;
		login = pw_str_sub(login, n, login.len);
	}
	return true;
}
