#include "core/hash_text.h"

#include "core/ascii.h"

#define SCHEME_MAX 32
#define DES_LETTERS 13
#define MD5_HEX_LETTERS 32

/* What crypt(3) and others put before a hash. */
static const struct prefix {
	const char *prefix, *scheme; /* NULL: not kept */
} prefixes[] = {
	{ "$6$", "SHA512-CRYPT" },  { "$5$", "SHA256-CRYPT" },
	{ "$2a$", "BLF-CRYPT" },    { "$2b$", "BLF-CRYPT" },
	{ "$2x$", "BLF-CRYPT" },    { "$2y$", "BLF-CRYPT" },
	{ "$y$", "CRYPT" },         { "$gy$", "CRYPT" },
	{ "$7$", "CRYPT" },         { "$1$", NULL },
	{ "$apr1$", NULL },         { "$argon2id$", "ARGON2ID" },
	{ "$argon2i$", "ARGON2I" },
};

/* Dovecot's names; CRYPT goes by what follows. */
static const struct scheme {
	const char *name;
	enum pw_hash_kind kind;
} schemes[] = {
	{ "SHA512-CRYPT", PW_HASH_NAMED }, { "SHA256-CRYPT", PW_HASH_NAMED },
	{ "BLF-CRYPT", PW_HASH_NAMED },    { "ARGON2ID", PW_HASH_NAMED },
	{ "ARGON2I", PW_HASH_NAMED },      { "SCRAM-SHA-256", PW_HASH_NAMED },
	{ "SSHA512", PW_HASH_NAMED },      { "SSHA256", PW_HASH_NAMED },
	{ "PBKDF2", PW_HASH_NAMED },       { "DES-CRYPT", PW_HASH_DES },
	{ "MD5", PW_HASH_WEAK },           { "MD5-CRYPT", PW_HASH_WEAK },
	{ "PLAIN-MD5", PW_HASH_WEAK },     { "LDAP-MD5", PW_HASH_WEAK },
	{ "SMD5", PW_HASH_WEAK },          { "SHA", PW_HASH_WEAK },
	{ "SHA1", PW_HASH_WEAK },          { "SSHA", PW_HASH_WEAK },
	{ "SHA256", PW_HASH_WEAK },        { "SHA512", PW_HASH_WEAK },
	{ "SCRAM-SHA-1", PW_HASH_WEAK },   { "CRAM-MD5", PW_HASH_WEAK },
	{ "HMAC-MD5", PW_HASH_WEAK },      { "DIGEST-MD5", PW_HASH_WEAK },
	{ "NTLM", PW_HASH_WEAK },          { "LANMAN", PW_HASH_WEAK },
	{ "PLAIN", PW_HASH_CLEAR },        { "CLEAR", PW_HASH_CLEAR },
	{ "CLEARTEXT", PW_HASH_CLEAR },    { "OTP", PW_HASH_CLEAR },
	{ "SKEY", PW_HASH_CLEAR },
};

static bool is_all(struct pw_str s, size_t len, bool (*is_it)(char c))
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_it(s.at[i]))
			return false;
	return s.len == len;
}

static bool is_hex(char c)
{
	return pw_hex_value(c) >= 0;
}

/* The alphabet of crypt(3), and the $ that pgcrypto took for a letter of the salt. */
static bool is_crypt_letter(char c)
{
	return pw_is_alnum(c) || c == '.' || c == '/' || c == '$';
}

/* "*", "!", "!!", "x": shadow's marks for no password. */
static bool is_locked(struct pw_str s)
{
	return s.len == 0 || s.at[0] == '*' || s.at[0] == '!' ||
	       pw_str_eq(s, PW_STR("x"));
}

static enum pw_hash_kind put(struct pw_buf *out, const char *scheme, struct pw_str hash)
{
	pw_buf_printf(out, "{%s}", scheme);
	pw_buf_puts(out, hash);
	return PW_HASH_NAMED;
}

static enum pw_hash_kind name_bare(struct pw_buf *out, struct pw_str text)
{
	if (is_locked(text))
		return PW_HASH_NONE;
	if (is_all(text, DES_LETTERS, is_crypt_letter))
		return PW_HASH_DES;
	if (is_all(text, MD5_HEX_LETTERS, is_hex))
		return PW_HASH_WEAK;
	for (size_t i = 0; i < PW_LEN(prefixes); i++) {
		const struct prefix *p = &prefixes[i];

		if (pw_str_starts(text, pw_str_from(p->prefix)))
			return p->scheme ? put(out, p->scheme, text) : PW_HASH_WEAK;
	}
	return PW_HASH_UNKNOWN;
}

enum pw_hash_kind pw_hash_name(struct pw_buf *out, struct pw_str text)
{
	struct pw_str scheme, hash = text;
	bool is_crypt;

	if (text.len == 0 || text.at[0] != '{')
		return name_bare(out, text);
	scheme = pw_str_cut(&hash, '}');
	scheme = pw_str_sub(scheme, 1, scheme.len);
	if (hash.at == NULL || scheme.len > SCHEME_MAX)
		return PW_HASH_UNKNOWN;
	is_crypt = pw_str_eq_nocase(scheme, PW_STR("CRYPT"));
	if (is_crypt || is_locked(hash))
		return name_bare(out, hash);
	for (size_t i = 0; i < PW_LEN(schemes); i++) {
		if (!pw_str_eq_nocase(scheme, pw_str_from(schemes[i].name)))
			continue;
		return schemes[i].kind == PW_HASH_NAMED ? put(out, schemes[i].name, hash)
		                                        : schemes[i].kind;
	}
	return PW_HASH_UNKNOWN;
}

const char *pw_hash_kind_text(enum pw_hash_kind kind)
{
	static const char *const texts[] = {
		[PW_HASH_NAMED] = "",
		[PW_HASH_NONE] = "no password there",
		[PW_HASH_DES] = ("a DES hash: only eight letters of the password count "
		                 "(pgcrypto answers crypt(..., '$6$...') with such)"),
		[PW_HASH_WEAK] = "a hash too weak to keep",
		[PW_HASH_CLEAR] = "a password in clear text",
		[PW_HASH_UNKNOWN] = "no hash of a known form",
	};

	return texts[kind];
}
