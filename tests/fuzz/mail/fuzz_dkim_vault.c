/* What opens was sealed by us: nothing that comes from outside does. */
#include <stdlib.h>

#include "mail/dkim_vault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char file[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
	struct pw_str text = { (const char *)data, size };
	PW_AUTO(pw_vault_free) struct pw_vault *vault = NULL, *other = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 }, named = { 0 };
	unsigned int line;

	if (pw_vault_parse(&other, text, &line) == PW_OK && pw_vault_count(other) == 0)
		abort();
	if (pw_vault_parse(&vault, pw_str_from(file), &line) != PW_OK)
		abort();
	pw_buf_printf(&named, "pwk1:%.*s:%.*s", PW_FMT(pw_vault_id(vault, 0)),
	              PW_FMT(text));
	if (pw_vault_open(vault, PW_STR("d"), PW_STR("s"), text, &out) == PW_OK ||
	    pw_vault_open(vault, PW_STR("d"), PW_STR("s"), pw_buf_str(&named), &out) ==
	            PW_OK)
		abort();
	return 0;
}
