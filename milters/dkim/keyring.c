#include "dkim/keyring.h"

#include <stdlib.h>

#include "core/arena.h"
#include "core/dns.h"
#include "core/map.h"
#include "core/punycode.h"
#include "mail/dkim_vault.h"

#define DOMAINS_MAX 1000000
#define BYTES_MAX ((size_t)2 * 1024 * 1024 * 1024)

struct keyring {
	struct pw_map *domains; /* struct keyring_domain by name */
	struct pw_arena *arena;
	struct pw_owner *owner;
	struct rules *rules;
	struct keystore *store; /* while keys are added */
	struct forwards *forwards;
	size_t count;
	const struct pw_vault *vault; /* while keys are added */
};

enum pw_status keyring_new(struct keyring **out, const uint8_t seed[16], char delimiter)
{
	PW_AUTO(keyring_free) struct keyring *keyring = calloc(1, sizeof(*keyring));
	enum pw_status r;

	if (!keyring)
		return PW_ERR_NOMEM;
	if ((r = pw_map_new(&keyring->domains, seed, DOMAINS_MAX)) != PW_OK ||
	    (r = pw_arena_new(&keyring->arena, BYTES_MAX)) != PW_OK ||
	    (r = pw_owner_new(&keyring->owner, seed, delimiter)) != PW_OK ||
	    (r = rules_new(&keyring->rules, seed)) != PW_OK ||
	    (r = forwards_new(&keyring->forwards, seed, delimiter)) != PW_OK)
		return r;
	*out = PW_TAKE(keyring);
	return PW_OK;
}

static void free_keys(struct keyring *keyring)
{
	struct pw_str name;
	size_t pos = 0;
	void *value;

	while (keyring->domains && pw_map_next(keyring->domains, &pos, &name, &value)) {
		struct keyring_domain *domain = value;

		for (size_t i = 0; i < domain->count; i++)
			pw_dkim_key_free(&domain->keys[i].key);
	}
}

void keyring_free(struct keyring **keyring)
{
	if (!*keyring)
		return;
	free_keys(*keyring);
	pw_map_free(&(*keyring)->domains);
	pw_arena_free(&(*keyring)->arena);
	pw_owner_free(&(*keyring)->owner);
	rules_free(&(*keyring)->rules);
	forwards_free(&(*keyring)->forwards);
	free(*keyring);
	*keyring = NULL;
}

/* Domains are kept as DNS has them: a U-label and its A-label are the same. */
static enum pw_status find_or_add(struct keyring_domain **out, struct keyring *keyring,
                                  struct pw_str given)
{
	PW_AUTO(pw_buf_done) struct pw_buf ascii = { 0 };
	enum pw_status r = pw_domain_to_ascii(&ascii, given);
	struct pw_str name = r == PW_OK ? pw_buf_str(&ascii) : given;
	struct keyring_domain *domain = pw_map_get(keyring->domains, name);

	if (!domain) {
		domain = pw_arena_alloc(keyring->arena, sizeof(*domain));
		if (!domain)
			return PW_ERR_NOMEM;
		if ((r = pw_arena_copy(keyring->arena, name, &domain->name)) != PW_OK ||
		    (r = pw_map_put(keyring->domains, domain->name, domain)) != PW_OK)
			return r;
	}
	*out = domain;
	return PW_OK;
}

/* The database refuses other selectors; a signature with one could not be read. */
static bool is_selector(struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
			return false;
	}
	return pw_dns_name_is_valid(s);
}

void keyring_use_vault(struct keyring *keyring, const struct pw_vault *vault)
{
	keyring->vault = vault;
}

void keyring_use_store(struct keyring *keyring, struct keystore *store)
{
	keyring->store = store;
}

static enum pw_status load_key(struct pw_dkim_key **out, struct keystore *store,
                               struct pw_str selector, struct pw_str algorithm,
                               struct pw_str pem)
{
	enum pw_dkim_algorithm which;
	enum pw_status r = pw_dkim_algorithm_parse(&which, algorithm);

	if (r != PW_OK)
		return r;
	if (!is_selector(selector))
		return PW_ERR_SYNTAX;
	if (store && (*out = keystore_find(store, which, pem)) != NULL)
		return PW_OK;
	if ((r = pw_dkim_key_load(out, which, pem)) == PW_OK && store)
		(void)keystore_keep(store, which, pem, *out);
	return r;
}

/* What is sealed is opened first. A host key that is not here is "does not exist". */
static enum pw_status open_key(struct pw_dkim_key **out, const struct keyring *keyring,
                               struct pw_str domain, struct pw_str selector,
                               struct pw_str algorithm, struct pw_str text)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf pem = { 0 };
	enum pw_status r;

	if (!pw_vault_is_sealed(text))
		return load_key(out, keyring->store, selector, algorithm, text);
	if (!keyring->vault)
		return PW_ERR_NOTFOUND;
	if ((r = pw_vault_open(keyring->vault, domain, selector, text, &pem)) != PW_OK)
		return r;
	return load_key(out, keyring->store, selector, algorithm, pw_buf_str(&pem));
}

enum pw_status keyring_add_key(struct keyring *keyring, struct pw_str domain,
                               struct pw_str selector, struct pw_str algorithm,
                               struct pw_str pem, struct pw_buf *why_out)
{
	struct keyring_domain *entry;
	struct keyring_key *slot;
	enum pw_status r;

	if ((r = find_or_add(&entry, keyring, domain)) != PW_OK)
		return r;
	if (entry->count == KEYRING_KEYS_MAX) {
		pw_buf_printf(why_out, "more than %d keys of %.*s\n", KEYRING_KEYS_MAX,
		              PW_FMT(domain));
		return PW_OK;
	}
	slot = &entry->keys[entry->count];
	if ((r = pw_arena_copy(keyring->arena, selector, &slot->selector)) != PW_OK)
		return r;
	r = open_key(&slot->key, keyring, domain, selector, algorithm, pem);
	if (r == PW_ERR_NOMEM)
		return r;
	if (r != PW_OK) {
		entry->unusable++;
		pw_buf_printf(why_out, "key %.*s of %.*s: %s\n", PW_FMT(selector),
		              PW_FMT(domain),
		              r == PW_ERR_NOTFOUND ? "its host key is not here"
		                                   : pw_status_text(r));
		return PW_OK;
	}
	entry->count++;
	keyring->count++;
	return PW_OK;
}

enum pw_status keyring_add_pending(struct keyring *keyring, struct pw_str domain)
{
	struct keyring_domain *entry;
	enum pw_status r = find_or_add(&entry, keyring, domain);

	if (r == PW_OK)
		entry->is_pending = true;
	return r;
}

enum pw_status keyring_add_rule(struct keyring *keyring, const struct rule_row *row)
{
	return rules_add(keyring->rules, row);
}

const struct rules *keyring_rules(const struct keyring *keyring)
{
	return keyring->rules;
}

enum pw_status keyring_add_sender(struct keyring *keyring, struct pw_str login,
                                  struct pw_str pattern)
{
	return pw_owner_add(keyring->owner, login, pattern);
}

const struct keyring_domain *keyring_find(const struct keyring *keyring,
                                          struct pw_str domain)
{
	return pw_map_get(keyring->domains, domain);
}

bool keyring_may_send(const struct keyring *keyring, struct pw_str login,
                      struct pw_str address)
{
	return pw_owner_may_send(keyring->owner, login, address);
}

bool keyring_knows(const struct keyring *keyring, struct pw_str login)
{
	return pw_owner_knows(keyring->owner, login);
}

struct forwards *keyring_forwards(const struct keyring *keyring)
{
	return keyring->forwards;
}

size_t keyring_count(const struct keyring *keyring)
{
	return keyring->count;
}
