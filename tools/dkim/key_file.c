#include "tools/dkim/key_file.h"

#include "core/ascii.h"
#include "tools/input.h"

#define BEGIN "-----BEGIN "

/* What the blocks of a PEM file are, counted. */
struct blocks {
	size_t keys, encrypted, public_keys, foreign;
};

/* What the words between BEGIN and the dashes say. */
static const struct label {
	const char *text;
	size_t kind; /* offset of the count */
} labels[] = {
	{ "PRIVATE KEY", offsetof(struct blocks, keys) },
	{ "RSA PRIVATE KEY", offsetof(struct blocks, keys) },
	{ "ENCRYPTED PRIVATE KEY", offsetof(struct blocks, encrypted) },
	{ "PUBLIC KEY", offsetof(struct blocks, public_keys) },
	{ "RSA PUBLIC KEY", offsetof(struct blocks, public_keys) },
	{ "CERTIFICATE", offsetof(struct blocks, public_keys) },
	{ "EC PRIVATE KEY", offsetof(struct blocks, foreign) },
	{ "DSA PRIVATE KEY", offsetof(struct blocks, foreign) },
	{ "OPENSSH PRIVATE KEY", offsetof(struct blocks, foreign) },
};

static void count_block(struct blocks *blocks, struct pw_str line)
{
	struct pw_str label = pw_str_sub(line, sizeof(BEGIN) - 1, line.len);

	if (!pw_str_starts(line, PW_STR(BEGIN)) ||
	    !pw_str_ends_nocase(label, PW_STR("-----")))
		return;
	label.len -= sizeof("-----") - 1;
	for (size_t i = 0; i < PW_LEN(labels); i++)
		if (pw_str_eq(label, pw_str_from(labels[i].text)))
			++*(size_t *)((char *)blocks + labels[i].kind);
}

static struct blocks count_blocks(struct pw_str text)
{
	struct blocks blocks = { 0 };

	while (text.len > 0)
		count_block(&blocks, pw_str_trim(pw_str_cut(&text, '\n')));
	return blocks;
}

/* NULL: there is exactly one unencrypted private key. */
static const char *why_not(struct pw_str text)
{
	struct blocks blocks = count_blocks(text);

	if (pw_str_trim(text).len == 0)
		return "is empty";
	if (blocks.encrypted > 0 ||
	    pw_str_contains(text, PW_STR("Proc-Type: 4,ENCRYPTED")))
		return "holds an encrypted key; to decrypt it: openssl pkey -in FILE "
		       "-out NEW";
	if (blocks.keys + blocks.foreign > 1)
		return "holds more than one private key: a file each, please";
	if (blocks.foreign > 0)
		return "holds a key that is neither RSA nor Ed25519: DKIM knows no other";
	if (blocks.keys == 1)
		return NULL;
	return blocks.public_keys > 0 ? "holds a public key, the private one is needed"
	                              : "holds no private key in PEM form";
}

enum pw_status tool_key_parse(struct pw_dkim_key **out, struct pw_str text,
                              const char **why_out)
{
	enum pw_status r;

	if ((*why_out = why_not(text)) != NULL)
		return PW_ERR_SYNTAX;
	for (size_t i = 0; i < PW_DKIM_ALGORITHMS; i++) {
		r = pw_dkim_key_load(out, (enum pw_dkim_algorithm)i, text);
		if (r == PW_ERR_SYNTAX)
			continue;
		*why_out = r == PW_ERR_RANGE
		                   ? "holds an RSA key of less than 1024 or more than "
		                     "4096 bits, which verifiers refuse"
		                   : pw_status_text(r);
		return r;
	}
	*why_out = "holds a key that is damaged, or neither RSA nor Ed25519";
	return PW_ERR_SYNTAX;
}

enum pw_status tool_key_read(struct pw_dkim_key **out, const char *path,
                             const char **why_out)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf text = { 0 };
	enum pw_status r = tool_read_regular(&text, path, PW_DKIM_PEM_MAX, why_out);

	return r != PW_OK ? r : tool_key_parse(out, pw_buf_str(&text), why_out);
}
